"""The condition Drifted of a binding: what members report of drift that stands."""

from collections.abc import Sequence

import msgspec

from shared.api.binding import DRIFTED, ClusterReport
from shared.api.conditions import find_condition, with_condition
from shared.api.drift import DriftReport
from shared.api.meta import Condition

_MESSAGE_CHARACTERS_MAX = 1024


def with_drifted(
    conditions: Sequence[Condition],
    reports: Sequence[ClusterReport],
    *,
    generation: int,
    now: str,
) -> Sequence[Condition]:
    """Return *conditions* with Drifted as *reports* have it; without where there never was any."""
    drifted = [each for each in reports if each.drift is not None]
    if not drifted and find_condition(conditions, DRIFTED) is None:
        return conditions
    found = (
        _drifted(drifted) if drifted else Condition(type=DRIFTED, status="False", reason="Settled")
    )
    placed = msgspec.structs.replace(found, observed_generation=generation)
    return with_condition(conditions, placed, now=now)


def _drifted(reports: Sequence[ClusterReport]) -> Condition:
    contested = any(each.drift is not None and each.drift.state == "Contested" for each in reports)
    message = "; ".join(
        f"{each.cluster}: {_told(each.drift)}" for each in reports if each.drift is not None
    )
    return Condition(
        type=DRIFTED,
        status="True",
        reason="Contested" if contested else "Reported",
        message=message[:_MESSAGE_CHARACTERS_MAX],
    )


def _told(drift: DriftReport) -> str:
    if drift.state == "Contested":
        # Nobody would guess otherwise why what is to be corrected is not.
        return f"{drift.text}, undone again and again, so corrected ever more slowly"
    return drift.text
