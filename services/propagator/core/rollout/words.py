"""What a rollout says of itself: its message and conditions."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from shared.api.conditions import with_condition
from shared.api.meta import Condition
from shared.api.rollout import COMPLETE, PROGRESSING, RolloutCluster, RolloutStatus
from shared.clock import format_time

_NAMED_MAX = 3


def with_words(status: RolloutStatus, *, generation: int, now: datetime) -> RolloutStatus:
    """Put message and conditions; *generation* is the rollout's own."""
    message = explain(status)
    going = status.phase in ("Progressing", "RollingBack")
    reasons = {PROGRESSING: going, COMPLETE: status.phase == "Complete"}
    conditions = status.conditions
    for name, holds in reasons.items():
        condition = Condition(
            type=name,
            status="True" if holds else "False",
            reason=status.phase,
            message=message,
            observed_generation=generation,
        )
        conditions = with_condition(conditions, condition, now=format_time(now))
    return msgspec.structs.replace(
        status, observed_generation=generation, message=message, conditions=conditions
    )


def explain(status: RolloutStatus) -> str:
    """Say in a sentence where the rollout stands and what it waits for."""
    target = f"revision {status.target_revision}"
    match status.phase:
        case "Complete":
            return f"every cluster was given {target}{_among(status, 'Failed', '; failed in ')}"
        case "RolledBack" | "RollingBack":
            done = "holds" if status.phase == "RolledBack" else "is given"
            return (
                f"{target} failed in {status.failure}: every cluster {done} revision"
                f" {status.complete_revision} again, while the template still says {target}"
            )
        case "Failed":
            rest = "nothing more is changed until it is tried again"
            return f"{target} failed in {status.failure}: {rest}"
        case "WaitingForApproval":
            return _waits_for_approval(status, target)
        case "Paused":
            return f"paused in stage {status.stage}"
    if not status.clusters:
        return "no cluster is chosen"
    stage = next((one for one in status.stages if one.name == status.stage), None)
    if stage is None:
        return f"every cluster is given {target}"
    waits = _among(status, "Updating", "; waiting for ")
    return f"stage {stage.name}: {stage.updated} of {stage.clusters} clusters updated{waits}"


def _waits_for_approval(status: RolloutStatus, target: str) -> str:
    stage = next((one for one in status.stages if one.name == status.stage), None)
    if stage is None or stage.clusters:
        return f"stage {status.stage} waits until {target} is approved for it"
    # Those that went silent under the change are still to give their shares up.
    lost = [one.name for one in status.clusters if one.stage == status.stage]
    who = _shortened(lost) or "all its clusters"
    back = "one of them is" if len(lost) != 1 else "it is"
    return (
        f"stage {status.stage} lost {who} while {target} was tried there, and goes on when "
        f"{back} back, or {target} is approved for the stage"
    )


def name_failed(clusters: Iterable[RolloutCluster]) -> str:
    """`eu-1 (Degraded) and 2 more`: the clusters that failed, with the first ones' reasons."""
    return _named([one for one in clusters if one.state == "Failed"])


def _among(status: RolloutStatus, state: str, prefix: str) -> str:
    chosen = [one for one in status.clusters if one.state == state]
    return f"{prefix}{_named(chosen)}" if chosen else ""


def _named(clusters: list[RolloutCluster]) -> str:
    return _shortened(
        [f"{one.name} ({one.message})" if one.message else one.name for one in clusters]
    )


def _shortened(shown: list[str]) -> str:
    more = len(shown) - _NAMED_MAX
    return ", ".join(shown[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
