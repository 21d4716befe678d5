"""Giving way: replicas that leave a cluster for others of a higher priority.

They go elsewhere if there is a place, and then leave only once they run there, as in every move.
Where there is none they stop, and what is left of the workload stays: this is the one decision that
takes away what runs. They do not come back before there is room for them, whatever their policy
says; and who has given way does not have to do so again for a while.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from services.scheduler.core.caps import NO_CAPS, Cap, Caps, tighter
from services.scheduler.core.circumstances import Circumstances, Demotion
from services.scheduler.core.claims import by_room, room_for
from services.scheduler.core.decision import Decision, Rejection, RejectionCode, Unschedulable
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.workload import Workload
from shared.api.binding import BindingSpec
from shared.api.ceilings import Ceiling
from shared.clock import format_time, parse_time

REST = timedelta(minutes=10)
"""How long after it has given way a workload need not do so again."""


def caps_for(workload: Workload, fleet: Fleet) -> Caps:
    """Return what is left to it where it has given way, or is to do so now."""
    about = workload.circumstances
    assert about is not None, "asked only where there are any"
    given = [one for one in about.ceilings if one.reason == "Preempted"]
    news = news_of(about)
    if not given and not news:
        return NO_CAPS
    held = {one.name: one.replicas or 0 for one in workload.current}
    rooms = room_for(workload, fleet) if given and workload.demand is not None else {}
    # On the way elsewhere more is there than is to stay.
    count = workload.demand.count if workload.demand is not None else 0
    regained = held if sum(held.values()) <= count else {}
    known = {
        one.cluster: Cap(
            max(one.replicas, regained.get(one.cluster, 0)) + (rooms.get(one.cluster) or 0),
            Rejection(RejectionCode.PREEMPTED, one.message),
        )
        for one in given
    }
    asked: dict[str, int] = {}
    for one in news:
        asked[one.cluster] = asked.get(one.cluster, 0) + one.replicas
    new = {
        one.cluster: Cap(
            max(0, held.get(one.cluster, 0) - asked[one.cluster]),
            Rejection(RejectionCode.PREEMPTED, one.message),
        )
        for one in news
    }
    return tighter(new, known)


def give_way(workload: Workload, found: Decision) -> Decision:
    """Take away what has to go though it has no other place."""
    about = workload.circumstances
    if about is None or not isinstance(found, Unschedulable):
        return found
    news = news_of(about)
    if not news:
        return _still_short(workload, about, found)
    clusters = []
    for target in found.clusters:
        cap = about.caps.get(target.name)
        replicas = target.replicas or 0
        if cap is None or cap.why.code != RejectionCode.PREEMPTED or replicas <= cap.most:
            clusters.append(target)
        elif cap.most:
            clusters.append(msgspec.structs.replace(target, replicas=cap.most))
    words = "; ".join(f"{one.replicas} in {one.cluster}: {one.message}" for one in news)
    return replace(
        found,
        reason="Preempted",
        message=f"{words}; they have no other place: {found.message}",
        clusters=tuple(clusters),
    )


def _still_short(workload: Workload, about: Circumstances, found: Unschedulable) -> Unschedulable:
    """Tell of what has no place that it gave way, where it has not come back since."""
    held = {one.name: one.replicas or 0 for one in workload.current}
    gave = [
        (min(one.gave, one.replicas + one.gave - held.get(one.cluster, 0)), one)
        for one in about.ceilings
        if one.reason == "Preempted"
    ]
    words = "; ".join(
        f"{missing} in {one.cluster}: {one.message}" for missing, one in gave if missing > 0
    )
    if not words:
        return found
    return replace(found, reason="Preempted", message=f"{words}; {found.message}")


def ceilings_for(workload: Workload, fleet: Fleet, now: datetime) -> tuple[Ceiling, ...]:
    """Return what is to be known of it from now on: where it has given way, and to whom."""
    about = workload.circumstances
    assert about is not None, "asked only where there are any"
    waiting = frozenset((one.preemptor, one.since) for one in about.demotions)
    found = [
        one
        for one in about.ceilings
        if one.reason == "Preempted" and not _is_over(workload, one, fleet, waiting, now)
    ]
    news = news_of(about)
    left = {name: cap.most for name, cap in about.caps.items()} if news else {}
    for one in news:
        ceiling = Ceiling(
            cluster=one.cluster,
            replicas=left[one.cluster],
            reason="Preempted",
            message=one.message,
            since=one.since,
            until=format_time(now + REST),
            preemptor=one.preemptor,
            gave=one.replicas,
        )
        found.append(ceiling)
    return tuple(sorted(found, key=lambda one: (one.cluster, one.preemptor)))


def _is_over(
    workload: Workload,
    one: Ceiling,
    fleet: Fleet,
    waiting: frozenset[tuple[str, str]],
    now: datetime,
) -> bool:
    """Whether it need not be known any more: nobody waits for the answer, and room keeps it."""
    if (one.preemptor, one.since) in waiting or now < parse_time(one.until):
        return False
    if by_room(workload.placement) or workload.demand is None:
        return True
    room = room_for(workload, fleet).get(one.cluster)
    return room is None or room >= one.gave


def news_of(about: Circumstances) -> tuple[Demotion, ...]:
    """Return the demotions that it has not taken note of."""
    return tuple(
        one for one in about.demotions if not has_answered(one.preemptor, one.since, about.ceilings)
    )


def has_answered(preemptor: str, since: str, ceilings: Iterable[Ceiling]) -> bool:
    """Whether a workload with these ceilings has taken note of having to give way."""
    return any(
        one.reason == "Preempted" and (one.preemptor, one.since) == (preemptor, since)
        for one in ceilings
    )


def is_rested(ceilings: Iterable[Ceiling], now: datetime) -> bool:
    """Whether a workload may be asked to give way."""
    return not any(one.reason == "Preempted" and now < parse_time(one.until) for one in ceilings)


def has_given_way(spec: BindingSpec) -> bool:
    """Whether free room may bring back what has given way."""
    return any(one.reason == "Preempted" for one in spec.ceilings)
