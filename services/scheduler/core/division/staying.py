"""Shares that stay as they are: most workloads that are looked at again have nothing to move.

Where room is an occasion, what runs stays where it is. So where all that runs is all that is asked
for, within the limits and over as many groups as the spread constraints ask for, nothing need be
chosen and nothing divided, whatever room there is elsewhere.
"""

from collections.abc import Collection, Mapping

from services.scheduler.core.choice.selection import (
    LEFT_OUT,
    constraints_of,
    grouping_of,
    without_group,
)
from services.scheduler.core.claims import (
    Candidates,
    bounds_of,
    by_room,
    shares_now,
    why_limited,
)
from services.scheduler.core.decision import Rejection
from services.scheduler.core.division.shares import NONE_LEFT, Shares
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.replicas import UNBOUNDED, Bounds
from services.scheduler.core.workload import Workload


def shares_that_stay(workload: Workload, fleet: Fleet, candidates: Candidates) -> Shares | None:
    """Return the shares as they are where, by room, nothing is to move; None where something may.

    All replicas have a place, within the limits, and nobody has more than its least share while
    another that may come lacks it.
    """
    placement, demand = workload.placement, workload.demand
    if demand is None or not demand.count or not by_room(placement):
        return None
    shares = {name: share for name, share in shares_now(workload, candidates).items() if share}
    if sum(shares.values()) != demand.count:
        return None
    outside = _shut_out(workload, fleet, candidates, shares)
    if outside is None:
        return None
    bounds = bounds_of(workload, fleet)
    if not _limits_hold(bounds, shares, candidates, outside):
        return None
    rejections = dict.fromkeys(candidates.names, NONE_LEFT)
    rejections |= {name: why for name, why in outside.items() if name in rejections}
    for name in shares:
        del rejections[name]
    if bounds:
        closed = [name for name in rejections if bounds.get(name, UNBOUNDED).most == 0]
        rejections |= {name: why_limited(workload, name) for name in closed}
    return Shares(shares, rejections)


def shares_of_goal(workload: Workload, fleet: Fleet, candidates: Candidates) -> Shares | None:
    """Return the shares that it is on its way to; None where they are not to be had any more."""
    demand, goal = workload.demand, workload.goal
    if demand is None or sum(goal.values()) != demand.count:
        return None
    there, bounds = frozenset(candidates.names), bounds_of(workload, fleet)
    for name, share in goal.items():
        most = bounds.get(name, UNBOUNDED).most
        if share and (name not in there or (most is not None and share > most)):
            return None
    shares = {name: share for name, share in goal.items() if share}
    return Shares(shares, {name: NONE_LEFT for name in candidates.names if name not in shares})


def _limits_hold(
    bounds: Mapping[str, Bounds],
    shares: Mapping[str, int],
    candidates: Candidates,
    outside: Collection[str],
) -> bool:
    if not bounds:
        return True
    held = {name: bounds.get(name, UNBOUNDED) for name in shares}
    if any(one.most is not None and shares[name] > one.most for name, one in held.items()):
        return False
    if all(shares[name] <= one.least for name, one in held.items()):
        return True
    if any(shares[name] < one.least for name, one in held.items()):
        return False
    return not any(
        bounds.get(name, UNBOUNDED).least
        for name in candidates.names
        if name not in shares and name not in outside
    )


def _shut_out(
    workload: Workload, fleet: Fleet, candidates: Candidates, shares: Mapping[str, int]
) -> Mapping[str, Rejection] | None:
    """Say who may not come as there are groups enough; None where a constraint does not hold."""
    constraints = constraints_of(workload)
    if not constraints:
        return {}
    grouping = grouping_of(fleet, constraints)
    found: dict[str, Rejection] = {}
    for number, constraint in enumerate(constraints):
        held = {grouping.groups[name][number] for name in shares}
        if constraint.max_skew or "" in held or len(held) < constraint.min_groups:
            return None
        if 0 < constraint.max_groups < len(held):
            return None
        if len(held) == constraint.max_groups:
            groups = grouping.groups
            others = [name for name in candidates.names if groups[name][number] not in held]
            found |= dict.fromkeys(others, LEFT_OUT)
    for name, what in grouping.ungrouped.items():
        found[name] = without_group(what)
    return found
