"""Rehearsing: decide again and again as if all that is ordered came to run, until nothing moves.

What is asked is the same `schedule()` that decides; only reports are made up. So a plan is what
will be done, as far as nothing else happens meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.scheduler.core.decision import Decision, Unschedulable
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.room import Taken, ask_of
from services.scheduler.core.schedule import schedule
from services.scheduler.core.workload import Workload
from shared.api.binding import ClusterReport, TargetCluster
from shared.clock import format_micro_time
from shared.events.placement import PlacedShare

_STEPS_MAX = 24
"""As many as a move ever takes; what moves for longer is told as it is then."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The first decision, and the last one."""

    first: Decision
    last: Decision


def rehearse(workload: Workload, fleet: Fleet, now: datetime) -> Rehearsal:
    """Decide until nothing moves any more; raises `InvalidObject` as `schedule` does."""
    first = last = schedule(workload, fleet, now)
    about = workload.circumstances
    # What follows scores may go on once it has arrived.
    follows = about is not None and about.score_gain is not None
    for _ in range(_STEPS_MAX):
        if isinstance(last, Unschedulable) or not (follows or _moves(last)):
            break
        again = schedule(as_if_done(workload, last, now), fleet, now)
        if (again.clusters, again.evictions) == (last.clusters, last.evictions):
            break
        last = again
    return Rehearsal(first, last)


def as_if_done(workload: Workload, decision: Decision, now: datetime) -> Workload:
    """Return *workload* as if all that *decision* orders had come to run."""
    about = workload.circumstances
    if about is not None:
        about = replace(about, goal=decision.goal, ceilings=decision.ceilings, afresh=False)
    return replace(
        workload,
        current=decision.clusters,
        evictions=decision.evictions,
        reports=tuple(_report(one, now) for one in decision.clusters),
        previous_replicas=workload.demand.count if workload.demand is not None else None,
        affinity_name=decision.affinity_name,
        circumstances=about,
    )


def _moves(decision: Decision) -> bool:
    return bool(decision.evictions) or any(one.since for one in decision.clusters)


def _report(target: TargetCluster, now: datetime) -> ClusterReport:
    available = {} if target.replicas is None else {"availableReplicas": target.replicas}
    ready = {} if target.replicas is None else {"ready": target.replicas}
    return ClusterReport(
        cluster=target.name,
        applied=True,
        health="Healthy",
        observed_time=format_micro_time(now),
        status={**available, **ready},
    )


def after_growth(
    fleet: Fleet, workload: Workload, before: Mapping[str, int], after: Mapping[str, int]
) -> Fleet:
    """Return the fleet less the room that a decision takes beyond what its workload has."""
    if workload.demand is None:
        return fleet
    ask, namespace = ask_of(workload.demand), workload.key.namespace
    grown = []
    for name, share in after.items():
        member, more = fleet.members.get(name), share - before.get(name, 0)
        if member is not None and member.room is not None and more > 0:
            grown.append(member.without([Taken(ask, namespace, more)]))
    return fleet.with_rooms_of(grown) if grown else fleet


def counted(clusters: Sequence[TargetCluster], whole: int | None) -> dict[str, int]:
    """How many replicas each cluster runs; *whole* those of one that has all of them, if any."""
    return {one.name: (whole or 0) if one.replicas is None else one.replicas for one in clusters}


def placed(clusters: Sequence[TargetCluster]) -> tuple[PlacedShare, ...]:
    return tuple(
        PlacedShare(cluster=one.name, replicas=one.replicas)
        for one in sorted(clusters, key=lambda each: each.name)
    )


def moved(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """How many replicas stop in one cluster and start in another."""
    growth = sum(max(0, share - before.get(name, 0)) for name, share in after.items())
    loss = sum(max(0, share - after.get(name, 0)) for name, share in before.items())
    return min(growth, loss)


def interrupted(
    workload: Workload, before: Mapping[str, int], first: Decision, fleet: Fleet
) -> int:
    """How many replicas stop at once that are still wanted, before others run in their place."""
    demand = workload.demand.count if workload.demand is not None else None
    gone = sum(share for name, share in before.items() if not fleet.holds(name))
    if not workload.divided or demand is None:
        # Each copy stands for itself: nothing takes its place.
        return gone
    staying = counted(first.clusters, demand)
    for one in first.evictions:
        staying[one.cluster] = staying.get(one.cluster, 0) + (one.replicas or 0)
    kept = sum(
        min(share, staying.get(name, 0)) for name, share in before.items() if fleet.holds(name)
    )
    return max(0, min(sum(before.values()), demand) - kept)
