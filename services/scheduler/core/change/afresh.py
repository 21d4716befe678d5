"""Placing anew: where would it go if it were new, and how to get there and stay.

The shares it is to have are worked out once, as if nothing of it ran and what it takes were free,
and remembered as its goal until they are reached: judged by where it is on the way, each step
would come out otherwise.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from services.scheduler.core.change.moves import Standing, leave_out
from services.scheduler.core.claims import Candidates
from services.scheduler.core.decision import Decision, Rejection, RejectionCode, Scheduled
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.room import ask_of
from services.scheduler.core.workload import Workload
from shared.api.binding import TargetCluster

Decide = Callable[[Workload, Fleet, datetime], Decision]

_ELSEWHERE = Rejection(RejectionCode.NO_REPLICA_LEFT, "placed anew, it is elsewhere")


def place_afresh(workload: Workload, fleet: Fleet, now: datetime, decide: Decide) -> Workload:
    """Return *workload* with its new goal; as it is where it has no place or cannot move.

    What a Job has begun cannot be moved.
    """
    demand = workload.demand
    about = workload.circumstances
    assert about is not None, "somebody asked for it"
    if not workload.current or (demand is not None and demand.completions is not None):
        return workload
    whole = demand.count if demand is not None else 0
    if about.together is not None and sum(about.together.goal.values()) == whole:
        return replace(workload, circumstances=replace(about, goal=about.together.goal))
    as_new = replace(
        workload,
        current=(),
        evictions=(),
        reports=(),
        previous_replicas=None,
        affinity_name="",
        circumstances=replace(about, goal={}, own=_counted(workload.current, whole)),
    )
    found = decide(as_new, fleet, now)
    if not isinstance(found, Scheduled):
        return workload
    goal = _counted(found.clusters, whole)
    return replace(
        workload,
        circumstances=replace(about, goal=goal),
        affinity_name=found.affinity_name,
    )


def place_new(workload: Workload, fleet: Fleet) -> Workload:
    """Return *workload*, which runs nowhere, with the goal that it was given with others.

    Where that has no room any more it is placed as if it had come alone.
    """
    about, demand = workload.circumstances, workload.demand
    assert about is not None, "it came with others"
    assert about.together is not None, "it came with others"
    goal = about.together.goal
    if demand is not None and sum(goal.values()) == demand.count and not workload.current:
        rooms = fleet.room_for(ask_of(demand), workload.key.namespace)
        if all(_holds(rooms.get(name), share) for name, share in goal.items()):
            return replace(workload, circumstances=replace(about, goal=goal))
    return replace(workload, circumstances=replace(about, together=None))


def _holds(room: int | None, share: int) -> bool:
    return room is not None and room >= share


def _counted(clusters: Iterable[TargetCluster], whole: int) -> Mapping[str, int]:
    return {one.name: whole if one.replicas is None else one.replicas for one in clusters}


def goal_left(workload: Workload, decision: Decision) -> Mapping[str, int]:
    """Return the goal as far as *decision* has not reached it."""
    if not workload.goal or not workload.divided or not isinstance(decision, Scheduled):
        return {}
    there = {one.name: one.replicas for one in decision.clusters if one.replicas}
    reached = there == {name: share for name, share in workload.goal.items() if share}
    return {} if reached and not decision.evictions else dict(workload.goal)


def narrow_to_goal(
    workload: Workload, standing: Standing, candidates: Candidates, now: datetime
) -> tuple[Standing, Candidates]:
    """Have what is whole in each cluster leave those that are not of its goal."""
    feasible = [name for name in candidates.feasible if name in workload.goal]
    beside = {name: _ELSEWHERE for name in candidates.staying if name not in workload.goal}
    if not feasible and len(beside) == len(candidates.staying):
        return standing, candidates
    standing = leave_out(workload, standing, beside, now)
    return standing, Candidates(feasible, standing.staying)
