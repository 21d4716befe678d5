"""Which of the candidates take part: those that the spread constraints choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from services.scheduler.core.choice.grouping import group_of
from services.scheduler.core.choice.measure import Candidate
from services.scheduler.core.choice.spread import select
from services.scheduler.core.claims import Candidates, Claims, why_full
from services.scheduler.core.decision import Rejection, RejectionCode
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.scores import scores_of
from services.scheduler.core.workload import Workload
from shared.api.placement import SpreadConstraint

_encode = msgspec.json.Encoder().encode
_ONE_CLUSTER = SpreadConstraint(spread_by_field="cluster", max_groups=1)


@dataclass(frozen=True, slots=True)
class Chosen:
    """`claims` of those who take part, None where each takes the whole; `unmet` in a sentence."""

    names: Sequence[str]
    claims: Claims | None = None
    rejections: Mapping[str, Rejection] = field(default_factory=dict)
    unmet: str = ""


def choose(
    workload: Workload, fleet: Fleet, candidates: Candidates, claims: Claims | None
) -> Chosen:
    """Choose among the candidates; among all of them where nothing constrains the choice."""
    constraints = workload.placement.spread_constraints
    if claims is not None and workload.demand is not None and workload.demand.indivisible:
        constraints = (*constraints, _ONE_CLUSTER)
    names = list(claims.weights) if claims is not None else candidates.names
    if not constraints or not names:
        return Chosen(names, claims)
    full: dict[str, Rejection] = {}
    if claims is not None and workload.demand is not None and workload.demand.count:
        # Who can take nothing makes no group.
        full = {name: why for name in names if (why := why_full(workload, claims, name))}
        names = [name for name in names if name not in full]
    # Of what is scaled to zero there are only the places to be kept.
    divided = claims if workload.demand is not None and workload.demand.count else None
    scores, groups = scores_of(workload, fleet), _groups(fleet, constraints)
    counts = claims is not None and claims.most is not None
    needed = workload.demand.count if counts and workload.demand is not None else 0
    found = select(
        [
            Candidate(
                name,
                groups[name],
                _capacity(claims, name, needed),
                _kept(candidates, divided, name),
                scores[name],
            )
            for name in workload.order(names)
        ],
        constraints,
        needed=needed,
        whole=claims is None,
    )
    rejections = full | {
        name: Rejection(RejectionCode.SPREAD_CONSTRAINT, f"it has no {what} to be spread by")
        for name, what in found.ungrouped.items()
    }
    left_out = Rejection(
        RejectionCode.SPREAD_CONSTRAINT, "the policy's spread constraints leave it out"
    )
    rejections |= dict.fromkeys(found.left_out, left_out)
    return Chosen(found.names, _narrowed(claims, found.names), rejections, found.unmet)


def _groups(fleet: Fleet, constraints: Sequence[SpreadConstraint]) -> Mapping[str, tuple[str, ...]]:
    """Return the group of each constraint that every member is in."""
    return fleet.remember(
        ("groups", _encode(constraints)),
        lambda: {
            name: tuple(group_of(one, member) for one in constraints)
            for name, member in fleet.members.items()
        },
    )


def _capacity(claims: Claims | None, name: str, needed: int) -> int:
    if claims is None or not needed:
        return 0
    most = claims.bound(name).most
    return needed if most is None else min(most, needed)


def _kept(candidates: Candidates, divided: Claims | None, name: str) -> int:
    if divided is None:
        return int(name in candidates.staying)
    return divided.now.get(name, 0)


def _narrowed(claims: Claims | None, names: Sequence[str]) -> Claims | None:
    if claims is None:
        return None
    return replace(claims, weights={name: claims.weights[name] for name in names})
