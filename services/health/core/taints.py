"""Which taints a verdict puts on a member.

Unreachable: nothing new goes there, and what is there may leave once tolerations run out. Not ready
or refusing us: nothing new, but nobody leaves. Suspect: what was on the point of leaving stays.
Well again: nothing new until it has settled. Unknown changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from shared.api.cluster import NOT_READY_TAINT, RETURNING_TAINT, UNREACHABLE_TAINT, Taint
from shared.apimachinery.taints import NO_EXECUTE
from shared.clock import format_time, parse_time
from shared.events.cluster import Reach

Effect = Literal["NoSchedule", "NoExecute"]

_TAINTS: dict[Reach, tuple[tuple[str, Effect], ...]] = {
    Reach.REACHABLE: (),
    Reach.NOT_READY: ((NOT_READY_TAINT, "NoSchedule"),),
    Reach.CREDENTIALS_REFUSED: ((NOT_READY_TAINT, "NoSchedule"),),
    Reach.UNREACHABLE: ((UNREACHABLE_TAINT, "NoSchedule"), (UNREACHABLE_TAINT, "NoExecute")),
}


def taints_after(
    reach: Reach,
    present: Sequence[Taint],
    *,
    now: datetime,
    held: bool,
    settling: timedelta = timedelta(0),
) -> tuple[Taint, ...]:
    """Return the taints for *reach*; one that stays keeps the time it was added.

    *held*: the brake holds, so being unreachable changes nothing. *settling*: how long a member
    that was unreachable has to be well before it is as any other.
    """
    if reach is Reach.SUSPECT:
        return tuple(taint for taint in present if taint.effect != NO_EXECUTE)
    if reach not in _TAINTS or (held and reach is Reach.UNREACHABLE):
        return tuple(present)
    known = {(taint.key, taint.effect): taint for taint in present}
    found = []
    for key, effect in (*_TAINTS[reach], *_settling(reach, present, settling, now)):
        added = Taint(key=key, effect=effect, time_added=format_time(now))
        found.append(known.get((key, effect), added))
    return tuple(found)


def _settling(
    reach: Reach, present: Sequence[Taint], settling: timedelta, now: datetime
) -> tuple[tuple[str, Effect], ...]:
    if reach is not Reach.REACHABLE or not settling:
        return ()
    left = settling_left(present, settling, now)
    came = any(taint.key == UNREACHABLE_TAINT for taint in present)
    return ((RETURNING_TAINT, "NoSchedule"),) if came or left else ()


def settling_left(taints: Sequence[Taint], settling: timedelta, now: datetime) -> timedelta | None:
    """Return how long a member that is well again has to settle still; None where it has not."""
    for taint in taints:
        if taint.key == RETURNING_TAINT and taint.time_added:
            left = parse_time(taint.time_added) + settling - now
            return left if left > timedelta(0) else None
    return None


def given_up_at(taints: Sequence[Taint]) -> datetime | None:
    """Return since when what is there may leave; None where it may not."""
    for taint in taints:
        if (taint.key, taint.effect) == (UNREACHABLE_TAINT, NO_EXECUTE) and taint.time_added:
            return parse_time(taint.time_added)
    return None
