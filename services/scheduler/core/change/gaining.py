"""Following scores: what has its place is placed anew where it would score so much more there.

Only where its policy asks for it, by so many points on average. What moves is let finish first.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from services.scheduler.core.change.afresh import Decide, place_afresh
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.scores import score_unit, scores_of
from services.scheduler.core.signals.origins import workloads_named
from services.scheduler.core.workload import Workload
from shared.api.policy import PropagationPolicy
from shared.api.scoring import WorkloadName


def place_better(workload: Workload, fleet: Fleet, now: datetime, decide: Decide) -> Workload:
    """Return *workload* with another goal where that gains enough, else as it is."""
    about = workload.circumstances
    if about is None or about.score_gain is None or not _rests(workload, fleet):
        return workload
    anew = place_afresh(workload, fleet, now, decide)
    there = {one.name: one.replicas or 1 for one in workload.current if one.replicas != 0}
    goal = {name: count if workload.divided else 1 for name, count in anew.goal.items() if count}
    if not goal or not there or goal == there:
        return workload
    scores = scores_of(workload, fleet)
    gain = (_average(goal, scores) - _average(there, scores)) / score_unit(workload)
    return anew if gain >= about.score_gain else workload


def _rests(workload: Workload, fleet: Fleet) -> bool:
    """Whether nothing of it moves or is missing."""
    if workload.goal or workload.evictions or any(one.since for one in workload.current):
        return False
    if not all(fleet.holds(one.name) for one in workload.current):
        return False
    placed = sum(one.replicas or 0 for one in workload.current)
    return not workload.divided or (workload.demand is not None and placed == workload.demand.count)


def _average(shares: Mapping[str, int], scores: Mapping[str, int]) -> float:
    total = sum(shares.values())
    return sum(count * scores.get(name, 0) for name, count in shares.items()) / total


def follows(policy: PropagationPolicy, signals: Collection[str]) -> bool:
    """Whether what *policy* places may move when one of *signals* changes."""
    spec = policy.spec
    if spec.reschedule_policy.reschedule_when.score_gain is None:
        return False
    return any(one.name in signals for one in spec.placement.scores)


def near_to(policy: PropagationPolicy) -> frozenset[WorkloadName]:
    """Name the workloads after which what *policy* places may move, to be near them."""
    if policy.spec.reschedule_policy.reschedule_when.score_gain is None:
        return frozenset()
    return frozenset(workloads_named(policy.spec.placement))
