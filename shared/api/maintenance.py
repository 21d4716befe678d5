"""Maintenance windows of a member: in one of them it bears a taint, as if somebody set it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.api.cluster import MAINTENANCE_TAINT, MaintenanceWindow, Taint
from shared.clock import format_time, parse_time

_PERIODS = {"Daily": timedelta(days=1), "Weekly": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class Maintenance:
    """The taints of this moment, and when they are others; None: never."""

    taints: tuple[Taint, ...] = ()
    changes_at: datetime | None = None


def maintenance_at(windows: Iterable[MaintenanceWindow], now: datetime) -> Maintenance:
    """Of several open windows the stricter one counts; one that cannot be read is none."""
    taints: dict[str, Taint] = {}
    changes = []
    for window in windows:
        try:
            begin, end = parse_time(window.start), parse_time(window.end)
        except ValueError:
            continue
        period = _PERIODS.get(window.repeat)
        if period is not None and now >= begin:
            passed = (now - begin) // period * period
            begin, end = begin + passed, end + passed
        if begin <= now < end:
            taint = Taint(
                key=MAINTENANCE_TAINT,
                effect="NoExecute" if window.evict else "NoSchedule",
                time_added=format_time(begin),
            )
            taints[taint.effect] = taint
            changes.append(end)
        elif now < begin:
            changes.append(begin)
        elif period is not None:
            changes.append(begin + period)
    found = [taints[effect] for effect in ("NoExecute", "NoSchedule") if effect in taints]
    return Maintenance(tuple(found[:1]), min(changes, default=None))
