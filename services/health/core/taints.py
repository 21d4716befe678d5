"""Which taints a verdict puts on a member.

Unreachable: nothing new goes there, and what is there may leave once tolerations run out. Not ready
or refusing us: nothing new, but nobody leaves. Suspect: what was on the point of leaving stays.
Unknown changes nothing.
"""

from collections.abc import Sequence
from typing import Literal

from shared.api.cluster import NOT_READY_TAINT, UNREACHABLE_TAINT, Taint
from shared.events.cluster import Reach

_TAINTS: dict[Reach, tuple[tuple[str, Literal["NoSchedule", "NoExecute"]], ...]] = {
    Reach.REACHABLE: (),
    Reach.NOT_READY: ((NOT_READY_TAINT, "NoSchedule"),),
    Reach.CREDENTIALS_REFUSED: ((NOT_READY_TAINT, "NoSchedule"),),
    Reach.UNREACHABLE: ((UNREACHABLE_TAINT, "NoSchedule"), (UNREACHABLE_TAINT, "NoExecute")),
}


def taints_after(
    reach: Reach, present: Sequence[Taint], *, now: str, held: bool
) -> tuple[Taint, ...]:
    """Return the taints for *reach*; one that stays keeps the time it was added.

    *held*: the brake holds, so being unreachable changes nothing.
    """
    if reach is Reach.SUSPECT:
        return tuple(taint for taint in present if taint.effect != "NoExecute")
    if reach not in _TAINTS or (held and reach is Reach.UNREACHABLE):
        return tuple(present)
    known = {(taint.key, taint.effect): taint for taint in present}
    found = []
    for key, effect in _TAINTS[reach]:
        added = Taint(key=key, effect=effect, time_added=now)
        found.append(known.get((key, effect), added))
    return tuple(found)
