"""The best of the ways there are to place a set of workloads: as they are, one by one, or together.

A solver only proposes. What it says is held against every rule and against the nodes of every
cluster, as a decision would be, and is taken where it is better than what the scheduler does by
itself: so a solver that is late, wrong or not there costs nothing but what it would have saved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.scheduler.core.circumstances import Circumstances
from services.scheduler.core.decision import Scheduled
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.planning import after_growth
from services.scheduler.core.room import ask_of
from services.scheduler.core.schedule import schedule
from services.scheduler.core.together.mending import greatest_first, mend
from services.scheduler.core.together.problem import Placing, Problem, Shares, Spread
from services.scheduler.core.workload import Workload
from shared.apimachinery.manifest import ObjectKey

_GAIN_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Chosen:
    """`goals` are the shares of all that take part, also of who stays; empty where there are none.

    `value` is what they are worth together, `alone` what placing them one by one would be.
    """

    goals: Placing
    value: float
    alone: float
    note: str = ""


def choose_together(problem: Problem, proposed: Placing | None, now: datetime) -> Chosen:
    """Take what is proposed where it holds and is better than what there is without it."""
    staying = {part.key: part.now for part in problem.parts}
    alone = one_by_one(problem, now)
    best = min(
        (one for one in (staying, alone) if one is not None and _is_whole(problem, one)),
        key=problem.value,
        default=None,
    )
    limit = problem.value(best) if best is not None else float("inf")
    mended = mend(problem, proposed) if proposed is not None else None
    if mended is not None and problem.value(mended) < limit - _GAIN_LEAST:
        best = mended if holds(problem, mended, now) else best
    if best is None:
        return Chosen({}, 0.0, 0.0)
    value = problem.value(best)
    single = problem.value(alone) if alone is not None else value
    how = "left as they are" if best is staying else "placed one by one"
    note = _note(problem, "placed together" if best is mended else how, value, single)
    return Chosen(best, value, single, note)


def _note(problem: Problem, how: str, value: float, alone: float) -> str:
    if problem.objective == "Packing":
        clusters = "1 cluster" if round(value) == 1 else f"{value:.0f} clusters"
        what = f"into {clusters}, {alone:.0f} one by one"
    else:
        what = f"at {value:.4f} an hour in all, {alone:.4f} one by one"
    count = len(problem.parts)
    return f"{how}, {'1 workload' if count == 1 else f'{count} workloads'} {what}"


def one_by_one(problem: Problem, now: datetime) -> Placing | None:
    """Place each anew, in the order of keys, with the room that those before it leave.

    None where one of them finds no place.
    """
    fleet, found = problem.fleet, dict[ObjectKey, Shares]()
    for part in sorted(problem.parts, key=lambda one: str(one.key)):
        about = part.workload.circumstances or Circumstances()
        about = replace(about, goal={}, own=part.now)
        as_new = replace(
            part.workload, current=(), reports=(), previous_replicas=None, circumstances=about
        )
        decision = schedule(as_new, fleet, now)
        if not isinstance(decision, Scheduled):
            return None
        shares = {one.name: one.replicas for one in decision.clusters if one.replicas}
        found[part.key] = shares
        fleet = after_growth(fleet, part.workload, part.now, shares)
    return found


def _is_whole(problem: Problem, placing: Placing) -> bool:
    return all(sum(placing[part.key].values()) == part.count for part in problem.parts)


def holds(problem: Problem, placing: Placing, now: datetime) -> bool:
    """Whether every workload would go to its shares by its own decision, and finds nodes there."""
    fleet = problem.fleet
    for part in greatest_first(problem):
        shares = {name: share for name, share in placing.get(part.key, {}).items() if share}
        if not _finds_room(fleet, part.workload, part.now, shares):
            return False
        if not _keeps_rules(part.spreads, shares):
            return False
        decision = schedule(with_goal(part.workload, shares), problem.fleet, now)
        grown = {one.name for one in decision.clusters} | {
            one.cluster for one in decision.evictions
        }
        if not isinstance(decision, Scheduled) or not shares.keys() <= grown:
            return False
        if sum(shares.values()) != part.count or any(
            not part.least.get(name, 0) <= shares.get(name, 0) <= part.most.get(name, 0)
            for name in {*shares, *part.least}
        ):
            return False
        fleet = after_growth(fleet, part.workload, part.now, shares)
    return True


def with_goal(workload: Workload, shares: Shares) -> Workload:
    """Return *workload* on its way to *shares*."""
    about = workload.circumstances or Circumstances()
    return replace(workload, circumstances=replace(about, goal=dict(shares), afresh=False))


def _keeps_rules(spreads: Sequence[Spread], shares: Shares) -> bool:
    for spread in spreads:
        used = sum(any(name in shares for name in group) for group in spread.groups)
        if not spread.least <= used <= spread.most:
            return False
    return True


def _growth(before: Shares, after: Shares) -> Mapping[str, int]:
    return {
        name: share - before.get(name, 0)
        for name, share in after.items()
        if share > before.get(name, 0)
    }


def _finds_room(fleet: Fleet, workload: Workload, before: Shares, after: Shares) -> bool:
    assert workload.demand is not None, "who takes part has replicas"
    ask, namespace = ask_of(workload.demand), workload.key.namespace
    for name, more in _growth(before, after).items():
        member = fleet.members.get(name)
        if member is None or member.room is None or member.room.holds(ask, namespace) < more:
            return False
    return True
