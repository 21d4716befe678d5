"""The condition Removing of a binding: what holds in members what is to be gone there."""

from collections.abc import Mapping, Sequence

import msgspec

from shared.api.binding import REMOVING as CONDITION
from shared.api.conditions import find_condition, with_condition
from shared.api.meta import Condition
from shared.events.work import REMOVING, WorkReport

_MESSAGE_CHARACTERS_MAX = 1024


def held_up(reports: Mapping[str, WorkReport]) -> Mapping[str, str]:
    """Cluster -> which finalizers hold the object there, and since when."""
    return {
        cluster: report.message
        for cluster, report in sorted(reports.items())
        if report.present and report.reason == REMOVING and report.message
    }


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
        reason="HeldByFinalizers" if held else "Removed",
        message=message[:_MESSAGE_CHARACTERS_MAX],
    )
    placed = msgspec.structs.replace(found, observed_generation=generation)
    return with_condition(conditions, placed, now=now)
