"""Which of the candidates take part: those that the spread constraints choose."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from services.scheduler.core.by_reason import ByReason
from services.scheduler.core.choice.favourites import Field, choose_favourites
from services.scheduler.core.choice.grouping import group_of, is_by_cluster, what_it_spreads_by
from services.scheduler.core.choice.measure import FEW, parted
from services.scheduler.core.choice.spread import Selection, select
from services.scheduler.core.claims import Candidates, Claims, why_full
from services.scheduler.core.decision import Rejection, RejectionCode
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.roll import Roll
from services.scheduler.core.scores import scores_of
from services.scheduler.core.workload import Workload
from shared.api.placement import SpreadConstraint

_encode = msgspec.json.Encoder().encode
_ONE_CLUSTER = SpreadConstraint(spread_by_field="cluster", max_groups=1)
LEFT_OUT = Rejection(
    RejectionCode.SPREAD_CONSTRAINT, "the policy's spread constraints leave it out"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """`claims` of those who take part, None where each takes the whole; `unmet` in a sentence."""

    names: Sequence[str]
    claims: Claims | None = None
    rejections: Mapping[str, Rejection] = field(default_factory=dict)
    unmet: str = ""


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of every member: all of them, and those by anything but single clusters.

    `ungrouped` are the members that some constraint knows no group of, and which one that is;
    `unnamed` says it of them. `sets` are the groups of each constraint by number, None where each
    member is a group.
    """

    roll: Roll
    groups: Mapping[str, tuple[str, ...]]
    sorts: Mapping[str, tuple[str, ...]]
    ungrouped: Mapping[str, str]
    unnamed: ByReason[Rejection]
    sets: Sequence[Mapping[str, int] | None]

    def members_of(self, number: int, groups: Iterable[str]) -> int:
        """Return who is in one of *groups* of a constraint."""
        sets = self.sets[number]
        if sets is None:
            return self.roll.mask(groups)
        found = 0
        for group in groups:
            found |= sets[group]
        return found


def constraints_of(workload: Workload) -> Sequence[SpreadConstraint]:
    """Return what constrains the choice: the placement's constraints, and the kind's own.

    Of what is divided no more groups are asked for than there are replicas to be in them.
    """
    constraints: Sequence[SpreadConstraint] = workload.placement.spread_constraints
    demand = workload.demand
    if not workload.divided or demand is None:
        return constraints
    if demand.count and any(one.min_groups > demand.count for one in constraints):
        constraints = [_asking_for(one, demand.count) for one in constraints]
    return (*constraints, _ONE_CLUSTER) if demand.indivisible else constraints


def _asking_for(constraint: SpreadConstraint, count: int) -> SpreadConstraint:
    # More groups than replicas would leave what runs without its place once others are full.
    return msgspec.structs.replace(constraint, min_groups=min(constraint.min_groups, count))


def choose(
    workload: Workload, fleet: Fleet, candidates: Candidates, claims: Claims | None
) -> Chosen:
    """Choose among the candidates; among all of them where nothing constrains the choice."""
    constraints = constraints_of(workload)
    names = list(claims.weights) if claims is not None else candidates.names
    if not constraints or not names:
        return Chosen(names, claims)
    grouping = grouping_of(fleet, constraints)
    count = workload.demand.count if workload.demand is not None else 0
    rejections, capacities = _unable(workload, claims, names)
    names = [name for name in names if name not in rejections] if rejections else names
    ungrouped = grouping.ungrouped
    able = [name for name in names if name not in ungrouped] if ungrouped else names
    # Of what is scaled to zero there are only the places to be kept.
    now = claims.now if claims is not None and count else dict.fromkeys(candidates.staying, 1)
    there = set(able) if now else ()
    field = Field(
        names=able,
        groups=grouping.groups,
        sorts=grouping.sorts,
        capacities=capacities,
        kept={name: share for name, share in now.items() if share and name in there},
        scores=scores_of(workload, fleet),
        needed=count if claims is not None and claims.most is not None else 0,
        whole=claims is None,
        order=workload.order,
    )
    favourites = choose_favourites(field, constraints) if len(able) > FEW else None
    if favourites is not None:
        found = Selection(favourites)
    else:
        some = field.candidates(names)
        found = select(some, constraints, needed=field.needed, whole=field.whole)
    chosen = set(found.names)
    for name in names:
        if name in ungrouped:
            rejections[name] = without_group(ungrouped[name])
        elif name not in chosen and not found.unmet:
            rejections[name] = LEFT_OUT
    return Chosen(found.names, _narrowed(claims, found.names), rejections, found.unmet)


def without_group(what: str) -> Rejection:
    return Rejection(RejectionCode.SPREAD_CONSTRAINT, f"it has no {what} to be spread by")


def grouping_of(fleet: Fleet, constraints: Sequence[SpreadConstraint]) -> Grouping:
    def work_out() -> Grouping:
        numbers = [number for number, _ in parted(constraints)]
        groups = {
            name: tuple(group_of(one, member) for one in constraints)
            for name, member in fleet.members.items()
        }
        ungrouped = {
            name: what_it_spreads_by(constraints[of.index("")])
            for name, of in groups.items()
            if "" in of
        }
        unnamed = {name: without_group(what) for name, what in ungrouped.items()}
        return Grouping(
            roll=fleet.roll,
            groups=groups,
            sorts={name: tuple(of[number] for number in numbers) for name, of in groups.items()},
            ungrouped=ungrouped,
            unnamed=ByReason.of(fleet.roll, unnamed),
            sets=[
                None if is_by_cluster(one) else _sets(fleet.roll, groups, number)
                for number, one in enumerate(constraints)
            ],
        )

    return fleet.remember(("groups", _encode(constraints)), work_out)


def _sets(roll: Roll, groups: Mapping[str, tuple[str, ...]], number: int) -> Mapping[str, int]:
    names: dict[str, list[str]] = {}
    for name, of in groups.items():
        names.setdefault(of[number], []).append(name)
    return {group: roll.mask(some) for group, some in names.items()}


def _unable(
    workload: Workload, claims: Claims | None, names: Sequence[str]
) -> tuple[dict[str, Rejection], Mapping[str, int]]:
    """Say of those that can take nothing why, for they make no group; and what all can take."""
    count = workload.demand.count if workload.demand is not None else 0
    if claims is None or not count:
        return {}, dict.fromkeys(names, 0)
    capacities = claims.capacities(count)
    full = [name for name in names if not capacities[name]]
    unable = why_full(workload, claims, full) if full else {}
    return unable, capacities if claims.most is not None else dict.fromkeys(names, 0)


def _narrowed(claims: Claims | None, names: Sequence[str]) -> Claims | None:
    if claims is None:
        return None
    return replace(claims, weights={name: claims.weights[name] for name in names})
