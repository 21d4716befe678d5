"""The condition Removing of a binding: what holds in members what is to be gone there."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from shared.api.binding import REMOVING as CONDITION
from shared.api.conditions import find_condition, with_condition
from shared.api.meta import Condition
from shared.events.work import REMOVING, WorkReport

_MESSAGE_CHARACTERS_MAX = 1024


SILENT = "nothing is heard of the cluster"


def held_up(
    reports: Mapping[str, WorkReport],
    *,
    wanted: Collection[str] = (),
    silent: Collection[str] = (),
) -> Mapping[str, str]:
    """Cluster -> what keeps the object there: finalizers, a refusal, or that nobody hears it.

    Where it is *wanted* finalizers alone count, which hold one that went before.
    """
    found = {
        cluster: _why_kept(report, wanted=cluster in wanted, silent=cluster in silent)
        for cluster, report in sorted(reports.items())
        if report.present
    }
    return {cluster: why for cluster, why in found.items() if why}


def _why_kept(report: WorkReport, *, wanted: bool, silent: bool) -> str:
    if report.reason == REMOVING and report.message:
        return report.message
    if wanted:
        return ""
    if silent:
        return SILENT
    refused = report.reason not in ("", REMOVING) and not report.applied
    return f"{report.reason}: {report.message}" if refused else ""


def with_removing(
    conditions: Sequence[Condition], held: Mapping[str, str], *, generation: int, now: str
) -> Sequence[Condition]:
    """Return *conditions* with Removing as *held* has it; without where nothing was ever held."""
    if not held and find_condition(conditions, CONDITION) is None:
        return conditions
    message = "; ".join(f"{cluster}: {what}" for cluster, what in held.items())
    found = Condition(
        type=CONDITION,
        status="True" if held else "False",
        reason=_reason(held),
        message=message[:_MESSAGE_CHARACTERS_MAX],
    )
    placed = msgspec.structs.replace(found, observed_generation=generation)
    return with_condition(conditions, placed, now=now)


def _reason(held: Mapping[str, str]) -> str:
    if not held:
        return "Removed"
    if any(what.startswith("held by ") for what in held.values()):
        return "HeldByFinalizers"
    return "Unreachable" if SILENT in held.values() else "Refused"
