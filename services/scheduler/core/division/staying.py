"""Shares that stay as they are: most workloads that are looked at again have nothing to move.

Where room is an occasion, what runs stays where it is. So where all that runs is all that is asked
for, within the limits and over as many groups as the spread constraints ask for, nothing need be
chosen and nothing divided, whatever room there is elsewhere. Where shares follow weights that are
stated, it is enough to see that the weights would share out the same again.
"""

from collections.abc import Mapping

from services.scheduler.core.affinity import Reach
from services.scheduler.core.by_reason import ByReason
from services.scheduler.core.choice.selection import (
    LEFT_OUT,
    constraints_of,
    grouping_of,
)
from services.scheduler.core.claims import (
    Candidates,
    Limited,
    bounds_of,
    by_room,
    limited,
    shares_now,
)
from services.scheduler.core.decision import Rejection
from services.scheduler.core.division.shares import NONE_LEFT, Shares
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.replicas import UNBOUNDED, Bounds, would_stay
from services.scheduler.core.signals.weighing import signal_of
from services.scheduler.core.stated import NO_WEIGHT, weight_levels
from services.scheduler.core.workload import Workload


def shares_that_stay(
    workload: Workload, fleet: Fleet, reach: Reach, candidates: Candidates
) -> Shares | None:
    """Return the shares as they are where nothing is to move; None where something may.

    All replicas have a place, within the limits, and nobody has more than its least share while
    another that may come lacks it.
    """
    placement, demand = workload.placement, workload.demand
    if demand is None or not demand.count:
        return None
    shares = {name: share for name, share in shares_now(workload, candidates).items() if share}
    if sum(shares.values()) != demand.count:
        return None
    if not by_room(placement):
        return _by_weights(workload, fleet, reach, candidates, shares)
    there, held = candidates.mask(fleet.roll), fleet.roll.mask(shares)
    outside = _shut_out(workload, fleet, there, shares)
    if outside is None:
        return None
    limits, bounds = limited(workload, fleet), bounds_of(workload, fleet)
    lacking = bool(limits.least & there & ~held & ~outside.mask)
    if bounds and not _limits_hold(bounds, shares, others_lack=lacking):
        return None
    return Shares(shares, _of_others(fleet, there & ~held, outside, limits))


def _of_others(
    fleet: Fleet, others: int, outside: ByReason[Rejection], limits: Limited
) -> Mapping[str, Rejection]:
    """Say why *others* have no share: the limits, the constraints, or that none was left."""
    found = ByReason(fleet.roll, ((NONE_LEFT, others),)).under(outside.within(others))
    return found.under(limits.closed.within(others)).in_order()


def _by_weights(
    workload: Workload,
    fleet: Fleet,
    reach: Reach,
    candidates: Candidates,
    shares: Mapping[str, int],
) -> Shares | None:
    """Return *shares* where stated weights would give them again; None where that is to be seen.

    Only of the plain case it is known without dividing: one tier, no limits, no constraints.
    """
    demand, placement = workload.demand, workload.placement
    rules = placement.replica_scheduling
    assert demand is not None, "what has shares has a demand"
    assert rules is not None, "what is divided has rules"
    plain = not (
        reach.name
        or len(reach.tiers) > 1
        or signal_of(placement)
        or constraints_of(workload)
        or bounds_of(workload, fleet)
        or demand.completions is not None
    )
    if not plain or not all(fleet.members[name].ready for name in candidates.staying):
        return None
    roll = fleet.roll
    there, held = candidates.mask(roll), roll.mask(shares)
    levels = weight_levels(fleet, rules.weight_preference)
    weighed = 0
    for _, mask in levels:
        weighed |= mask
    if held & ~weighed:
        return None
    weights = {
        name: next(weight for weight, mask in levels if mask >> roll.number[name] & 1)
        for name in shares
    }
    rest = there & ~held
    heaviest = next((weight for weight, mask in levels if mask & rest), 0)
    if not would_stay(shares, weights, heaviest):
        return None
    groups = ((NO_WEIGHT, rest & ~weighed), (NONE_LEFT, rest & weighed))
    return Shares(shares, ByReason(roll, groups))


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
    bounds: Mapping[str, Bounds], shares: Mapping[str, int], *, others_lack: bool
) -> bool:
    """*others_lack*: somebody who may come has a least share, and no share."""
    held = {name: bounds.get(name, UNBOUNDED) for name in shares}
    if any(one.most is not None and shares[name] > one.most for name, one in held.items()):
        return False
    if all(shares[name] <= one.least for name, one in held.items()):
        return True
    if any(shares[name] < one.least for name, one in held.items()):
        return False
    return not others_lack


def _shut_out(
    workload: Workload, fleet: Fleet, there: int, shares: Mapping[str, int]
) -> ByReason[Rejection] | None:
    """Say who of all that are *there* may not come as there are groups enough.

    None where a constraint does not hold.
    """
    constraints = constraints_of(workload)
    roll = fleet.roll
    if not constraints:
        return ByReason(roll, ())
    grouping = grouping_of(fleet, constraints)
    left_out = 0
    for number, constraint in enumerate(constraints):
        held = {grouping.groups[name][number] for name in shares}
        if constraint.max_skew or "" in held or len(held) < constraint.min_groups:
            return None
        if 0 < constraint.max_groups < len(held):
            return None
        if len(held) == constraint.max_groups:
            left_out |= there & ~grouping.members_of(number, held)
    return ByReason(roll, ((LEFT_OUT, left_out),)).under(grouping.unnamed)
