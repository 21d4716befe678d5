"""A set of workloads to be placed together, as whole numbers that a solver can be given.

Every rule that a choice must hold is a bound or a row here, so that whatever keeps to them is a
placement by the policy. What has a rule that is not in it (a skew, other workloads to be with, the
completions of a Job, groups of clusters in order, others that give way) takes no part and is placed
by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.scheduler.core.affinity import reaches
from services.scheduler.core.choice.selection import constraints_of, grouping_of
from services.scheduler.core.claims import bounds_of, by_room, room_for
from services.scheduler.core.filters import filter_members
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.replicas import UNBOUNDED
from services.scheduler.core.room import PODS, PODS_PER_NODE, Amounts, NodeRoom, Requests, ask_of
from services.scheduler.core.signals.pricing import ONE_OF_EACH, amounts_of
from services.scheduler.core.signals.values import Signals
from services.scheduler.core.workload import Workload
from shared.api.placement import SpreadConstraint
from shared.apimachinery.manifest import ObjectKey
from shared.interpreter.replicas import ReplicaDemand

Objective = Literal["Cost", "Packing"]
Shares = Mapping[str, int]
Placing = Mapping[ObjectKey, Shares]
_NANO = 10**9


@dataclass(frozen=True, slots=True)
class Spread:
    """How many of the *groups* (their clusters each) may have a share, and must."""

    groups: Sequence[Sequence[str]]
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Part:
    """One workload: where it may go, between `least` and `most` there, and what a replica costs.

    `most` counts what runs there and what there is room for beside it.
    """

    workload: Workload
    count: int
    requests: Requests
    least: Mapping[str, int]
    most: Mapping[str, int]
    now: Mapping[str, int]
    prices: Mapping[str, float]
    spreads: Sequence[Spread]

    @property
    def key(self) -> ObjectKey:
        return self.workload.key


@dataclass(frozen=True, slots=True)
class Problem:
    """`free` are sums by cluster: all that grows has to fit into them, and into nodes besides."""

    objective: Objective
    parts: Sequence[Part]
    fleet: Fleet
    free: Mapping[str, Amounts]

    def value(self, placing: Placing) -> float:
        """What *placing* costs in an hour, or how many clusters it needs; the less the better."""
        if self.objective == "Packing":
            return len({name for one in placing.values() for name, share in one.items() if share})
        return sum(
            share * part.prices[name]
            for part in self.parts
            for name, share in placing.get(part.key, {}).items()
        )


def takes_part(workload: Workload) -> bool:
    """Whether all rules of a workload can be told to a solver."""
    demand, placement = workload.demand, workload.placement
    about = workload.circumstances
    if about is not None and (about.demotions or about.preempting or about.score_gain is not None):
        return False
    return (
        demand is not None
        and demand.count > 0
        and demand.completions is None
        and not demand.indivisible
        and by_room(placement)
        and placement.workload_affinity is None
        and not placement.cluster_affinities
        and not placement.plugins
        and not any(one.max_skew for one in placement.spread_constraints)
        and not workload.evictions
        and not workload.suspended
    )


def problem_of(
    workloads: Sequence[Workload], fleet: Fleet, objective: Objective, signals: Signals
) -> Problem:
    """Put *workloads* together, which take part all of them, as they stand on *fleet*."""
    parts = [part for one in workloads if (part := _part(one, fleet, signals)) is not None]
    free = {
        name: _sums(member.room.nodes) if member.room is not None else {}
        for name, member in fleet.members.items()
    }
    return Problem(objective, parts, fleet, free)


def _part(workload: Workload, fleet: Fleet, signals: Signals) -> Part | None:
    """Return None for what cannot be placed at all, or has least shares that do not all fit."""
    demand = workload.demand
    assert demand is not None, "who takes part has replicas"
    (reach,) = reaches(workload.placement, "")
    feasible, _ = filter_members(workload, fleet, reach)
    now = {
        one.name: one.replicas or 0
        for one in workload.current
        if one.name in fleet.members and one.replicas
    }
    rooms, bounds = room_for(workload, fleet), bounds_of(workload, fleet)
    constraints = constraints_of(workload)
    grouping = grouping_of(fleet, constraints)
    least, most = {}, {}
    for name in feasible:
        room = rooms[name]
        if room is None or name in grouping.ungrouped:
            continue
        bound = bounds.get(name, UNBOUNDED)
        able = min(demand.count, now.get(name, 0) + room)
        most[name] = able if bound.most is None else min(able, bound.most)
        least[name] = bound.least
        if most[name] < bound.least:
            # Without room for its least a cluster is left alone.
            most[name] = least[name] = 0
    if sum(least.values()) > demand.count or sum(most.values()) < demand.count:
        return None
    if not now.keys() <= most.keys():
        # It may stay where it may not come: that is for its own decision to judge.
        return None
    return Part(
        workload=workload,
        count=demand.count,
        requests=(*ask_of(demand).requests, (PODS, _NANO)),
        least=least,
        most=most,
        now=now,
        prices=_prices(demand, signals, most),
        spreads=_spreads(constraints, grouping.groups, most),
    )


def _prices(demand: ReplicaDemand, signals: Signals, names: Iterable[str]) -> Mapping[str, float]:
    """Price a replica. Where no price is known the worst is supposed: there is nothing to save."""
    amounts = amounts_of(demand.requests)
    found = {
        name: signals.price_of(amounts if any(amounts) else ONE_OF_EACH, name) for name in names
    }
    dearest = max((price for price in found.values() if price is not None), default=0.0)
    return {name: dearest if price is None else price for name, price in found.items()}


def _spreads(
    constraints: Sequence[SpreadConstraint],
    groups_of: Mapping[str, Sequence[str]],
    names: Iterable[str],
) -> Sequence[Spread]:
    found = []
    for number, constraint in enumerate(constraints):
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(groups_of[name][number], []).append(name)
        most = constraint.max_groups or len(groups)
        found.append(Spread(list(groups.values()), constraint.min_groups, most))
    return found


def _sums(nodes: Sequence[NodeRoom]) -> Amounts:
    found: dict[str, int] = {}
    for node in nodes:
        for name, amount in {PODS: PODS_PER_NODE * _NANO, **node.free}.items():
            found[name] = found.get(name, 0) + node.count * amount
    return found
