"""The share each member should have: by weights or by room, within limits and over groups.

Fixed weights are a rule that always holds: shares follow it. Room is an occasion: what runs stays
where it is. So it is too where clusters are filled in order, by priority or for overflow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.scheduler.core.choice.grouping import group_of
from services.scheduler.core.claims import (
    Claims,
    asking,
    why_full,
)
from services.scheduler.core.decision import Rejection, RejectionCode
from services.scheduler.core.division.keeping import divide_keeping
from services.scheduler.core.division.leasts import with_first
from services.scheduler.core.division.spreading import divide_level, representatives
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.replicas import Division, divide
from services.scheduler.core.scores import scores_of
from services.scheduler.core.workload import Workload

NONE_LEFT = Rejection(RejectionCode.NO_REPLICA_LEFT, "no replica was left for it")


@dataclass(frozen=True, slots=True)
class Shares:
    """Replicas by member (None: the whole, not a share) and why others of the feasible have none.

    `shortage` says in a sentence what is missing; the shares are then not to be used.
    """

    shares: Mapping[str, int | None]
    rejections: Mapping[str, Rejection]
    shortage: str = ""


def share_out(workload: Workload, fleet: Fleet, claims: Claims) -> Shares:
    """Divide the replicas of a divided workload among those that claim a share."""
    demand = workload.demand
    assert demand is not None, "divided workloads have a demand"
    if not claims.weights and claims.most is None:
        return Shares({}, {}, "the policy's static weights give no cluster a weight")
    if not claims.weights:
        return Shares({}, {}, _shortage(workload, claims, demand.count))
    if demand.count == 0:
        return Shares(dict.fromkeys(claims.weights, 0), {})
    order = workload.order(list(claims.weights))
    constraints = workload.placement.spread_constraints
    first = representatives(demand.count, constraints, fleet.members, claims, order)
    claims = with_first(demand.count, claims, first, order)
    division = _divide(workload, fleet, claims, order, first)
    return Shares(
        division.shares,
        _rejections(workload, claims, division),
        _shortage(workload, claims, division.unplaced),
    )


def _divide(
    workload: Workload, fleet: Fleet, claims: Claims, order: Sequence[str], first: Sequence[str]
) -> Division:
    rules, demand = workload.placement.replica_scheduling, workload.demand
    assert rules is not None, "divided workloads have rules"
    assert demand is not None, "divided workloads have a demand"
    # What a Job has begun in one cluster cannot be moved to another.
    begun = demand.completions is not None
    keeping = claims.dynamic or claims.most is not None or begun
    packed = rules.replica_division_preference == "Aggregated"
    scores = scores_of(workload, fleet) if packed else None

    def part(count: int, names: Sequence[str]) -> Division:
        if keeping:
            return divide_keeping(count, claims, names, order=order, scores=scores)
        weights = {name: claims.weights[name] for name in names}
        return divide(count, weights, claims.bounds, tie_break=order, near=claims.now)

    levelled = [one for one in workload.placement.spread_constraints if one.max_skew > 0]
    if not levelled:
        return part(demand.count, list(claims.weights))
    groups: dict[str, list[str]] = {}
    for name in claims.weights:
        groups.setdefault(group_of(levelled[0], fleet.members[name]), []).append(name)
    skew = levelled[0].max_skew
    return divide_level(demand.count, claims, groups, skew, part, sticky=keeping, first=first)


def _rejections(workload: Workload, claims: Claims, division: Division) -> dict[str, Rejection]:
    without = [name for name in claims.weights if name not in division.shares]
    if not claims.bounds and claims.most is None:
        return dict.fromkeys(without, NONE_LEFT)
    return dict.fromkeys(without, NONE_LEFT) | why_full(workload, claims, without)


def _shortage(workload: Workload, claims: Claims, short: int) -> str:
    if not short:
        return ""
    assert workload.demand is not None
    count = workload.demand.count
    if claims.most is not None:
        return f"no room for {short} of {count} replicas{asking(workload)}"
    return (
        f"{short} of {count} replicas have no place: the policy's limits leave none within the "
        "feasible clusters"
    )
