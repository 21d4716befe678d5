"""The pipeline: a workload and a fleet in, a decision out."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.scheduler.core.decision import (
    Decision,
    Rejection,
    RejectionCode,
    Scheduled,
    Unschedulable,
)
from services.scheduler.core.filters import filter_members
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.moves import Standing, judge_holders, step_towards
from services.scheduler.core.shares import Candidates, replica_bounds, share_out
from services.scheduler.core.workload import Workload


def schedule(workload: Workload, fleet: Fleet, now: datetime) -> Decision:
    """Place *workload* on *fleet*. "It does not fit" is an answer, not an error.

    Raises `InvalidObject` for a placement whose selectors are malformed.
    """
    # 1. Judge those that hold it: who may stay, who must go.
    standing = judge_holders(workload, fleet, now)

    # 2. Keep the members that may take it; remember why the others may not.
    feasible, rejected = filter_members(workload, fleet)
    rejections = _of_strangers(rejected, standing)
    candidates = Candidates(feasible, standing.staying)
    if not candidates.names:
        return _unschedulable(workload, fleet, standing, rejections, "")

    # 3. Divide the replicas among them.
    shares = share_out(workload, fleet, candidates)
    rejections = {**rejections, **shares.rejections}
    if shares.shortage:
        return _unschedulable(workload, fleet, standing, rejections, shares.shortage)

    # 4. Go there as fast as nothing is lost on the way.
    bounds = replica_bounds(workload, fleet)
    step = step_towards(workload, fleet, standing, shares.shares, bounds=bounds, now=now)
    return Scheduled(
        clusters=step.clusters,
        evictions=step.evictions,
        rejections=rejections,
        wake_after=_sooner(standing.wake_after, step.wake_after),
    )


def _sooner(first: timedelta | None, second: timedelta | None) -> timedelta | None:
    return min((one for one in (first, second) if one is not None), default=None)


def _of_strangers(rejected: Mapping[str, Rejection], standing: Standing) -> Mapping[str, Rejection]:
    """Leave out the reasons why a member that stays could not come, and tell why others go."""
    if not standing.staying and not standing.going:
        return rejected
    found = {name: why for name, why in rejected.items() if name not in standing.staying}
    for name, eviction in standing.going.items():
        found[name] = Rejection(RejectionCode(eviction.reason), eviction.message)
    return found


def _unschedulable(
    workload: Workload,
    fleet: Fleet,
    standing: Standing,
    rejections: Mapping[str, Rejection],
    shortage: str,
) -> Unschedulable:
    """Keep everything but what was on members that are no longer of the fleet."""
    if not fleet.members:
        message = "no cluster has joined the federation"
    elif shortage:
        message = shortage
    else:
        message = f"none of {len(fleet.members)} clusters fits"
    return Unschedulable(
        reason="Unschedulable" if shortage else "NoClusterFit",
        message=message,
        clusters=tuple(one for one in workload.current if fleet.holds(one.name)),
        evictions=tuple(one for one in workload.evictions if fleet.holds(one.cluster)),
        rejections=rejections,
        wake_after=standing.wake_after,
    )
