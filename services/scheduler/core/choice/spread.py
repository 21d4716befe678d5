"""Choosing clusters so that every spread constraint holds: the best choice there is, not the first.

What is best is a measure that can only grow with a choice (`measure`). So it is enough to choose
groups: a choice of groups is worth at most what all its clusters are worth together, and choices
are looked at from the most promising on until none can be better than the best found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.scheduler.core.choice.combining import WORK_MAX, group_choices
from services.scheduler.core.choice.grouping import what_it_spreads_by
from services.scheduler.core.choice.measure import FEW, STEPS_OF_MANY, Candidate, Measure, Worth
from services.scheduler.core.choice.taking import take
from shared.api.placement import SpreadConstraint


@dataclass(frozen=True, slots=True)
class Selection:
    """Who is chosen, and why others are not; `unmet` says which constraint cannot hold."""

    names: Sequence[str]
    ungrouped: Mapping[str, str] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    unmet: str = ""


def select(
    candidates: Sequence[Candidate],
    constraints: Sequence[SpreadConstraint],
    *,
    needed: int = 0,
    whole: bool = False,
) -> Selection:
    """Choose among *candidates*, which come in the workload's own order.

    *needed* replicas are to find room; 0 where room does not count. *whole*: each cluster chosen
    counts as one for `maxSkew`; otherwise it is the division that sees to it.
    """
    ungrouped = {
        one.name: what_it_spreads_by(constraint)
        for one in candidates
        if "" in one.groups
        for constraint, group in zip(reversed(constraints), reversed(one.groups), strict=True)
        if not group
    }
    able = [one for one in candidates if one.name not in ungrouped]
    for number, constraint in enumerate(constraints):
        there = len({one.groups[number] for one in able})
        if there < max(constraint.min_groups, 1):
            what = what_it_spreads_by(constraint)
            unmet = f"spread by {what} asks for {max(constraint.min_groups, 1)} groups, {there} fit"
            return Selection((), ungrouped, (), unmet)
    best = _best(Measure(able, constraints, needed, whole=whole), able)
    if best is None:
        return Selection((), ungrouped, (), "no choice of clusters meets all spread constraints")
    chosen = {one.name for one in best}
    return Selection(
        [one.name for one in able if one.name in chosen],
        ungrouped,
        [one.name for one in able if one.name not in chosen],
    )


def _best(measure: Measure, candidates: Sequence[Candidate]) -> Sequence[Candidate] | None:
    """Return the best choice; None where there is none."""
    best_first = sorted(candidates, key=lambda one: (-one.kept, -one.score, -one.capacity))
    steps = None if len(candidates) <= FEW else STEPS_OF_MANY
    found: Sequence[Candidate] | None = None
    worth: Worth = ()
    looks_max = max(3, WORK_MAX // len(candidates))
    for looked_at, (bound, chosen) in enumerate(group_choices(measure, best_first)):
        if looked_at >= looks_max or (found is not None and bound[:steps] <= worth[:steps]):
            break
        allowed = measure.within(best_first, chosen)
        taken = take(measure, allowed)
        if taken is not None and (found is None or measure.worth(taken) > worth):
            found, worth = taken, measure.worth(taken)
    return found
