"""Deciding where anything bears on a workload beside its policy and the fleet.

Everything here decides by the same function as for any other workload, with caps on clusters or a
goal to go to. What is to be known the next time is in the decision.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from services.scheduler.core.caps import tighter, told
from services.scheduler.core.change.afresh import goal_left, place_afresh, place_new
from services.scheduler.core.change.gaining import place_better
from services.scheduler.core.change.migration import (
    caps_of,
    ceilings_after,
    ceilings_now,
    due_again,
    find_stranded,
    still_known,
)
from services.scheduler.core.change.rescheduling import hold, hold_unplaced
from services.scheduler.core.circumstances import Circumstances
from services.scheduler.core.decision import Decision, Scheduled
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.preemption.yielding import caps_for, ceilings_for, give_way
from services.scheduler.core.quota.allowances import decide_within
from services.scheduler.core.quota.allowed import Allowance
from services.scheduler.core.workload import Workload
from shared.api.ceilings import Ceiling

Decide = Callable[[Workload, Fleet, datetime], Decision]


def decide_specially(workload: Workload, fleet: Fleet, now: datetime, decide: Decide) -> Decision:
    """Decide by *decide* as the circumstances of *workload* have it."""
    about = workload.circumstances
    assert about is not None, "asked only where there are any"
    if about.allowances:
        decide = _by_quotas(about.allowances, decide)
    better = place_better(workload, fleet, now, decide)
    if better is not workload and better.circumstances is not None:
        return _decide_within(better, better.circumstances, fleet, now, decide)
    found = _decide_within(workload, about, fleet, now, decide)
    if about.moves_when is None:
        return found
    if about.unplaced:
        return hold_unplaced(workload, fleet, found, about.moves_when)
    return hold(workload, fleet, found, about.moves_when)


def _by_quotas(allowances: tuple[Allowance, ...], decide: Decide) -> Decide:
    def within(workload: Workload, fleet: Fleet, now: datetime) -> Decision:
        return decide_within(workload, allowances, fleet, now, decide)

    return within


def _decide_within(
    workload: Workload, about: Circumstances, fleet: Fleet, now: datetime, decide: Decide
) -> Decision:
    counted = workload.demand is not None and sum(about.goal.values()) == workload.demand.count
    goal = about.goal if counted else {}
    caps = tighter(caps_for(workload, fleet), ceilings_now(workload, now))
    about = replace(about, goal=goal, caps=caps)
    workload = replace(workload, circumstances=about)
    if about.afresh:
        workload = place_afresh(workload, fleet, now, decide)
    elif about.together is not None:
        workload = place_new(workload, fleet)
    given = ceilings_for(workload, fleet, now)
    if about.migrate_after is None:
        return _decided(workload, given, decide(workload, fleet, now), now)
    stranded = find_stranded(workload, about.migrate_after, now)
    if stranded.keeps:
        ceilings = _joined(given, ceilings_after(workload, stranded.keeps, now))
        leaving = workload.under(caps_of(ceilings, now))
        moved = decide(leaving, fleet, now)
        if isinstance(moved, Scheduled):
            return _waking(_decided(leaving, ceilings, moved, now), stranded.wake_after)
    found = decide(workload, fleet, now)
    ceilings = _joined(given, still_known(about.ceilings, now))
    return _waking(_decided(workload, ceilings, found, now), stranded.wake_after)


def _joined(given: tuple[Ceiling, ...], stranded: tuple[Ceiling, ...]) -> tuple[Ceiling, ...]:
    """Put ceilings of both sorts together, in one order."""
    return tuple(sorted((*given, *stranded), key=lambda one: (one.cluster, one.reason)))


def _decided(
    workload: Workload, ceilings: tuple[Ceiling, ...], found: Decision, now: datetime
) -> Decision:
    """Say with a decision what it rests on, and what is to be known of it the next time."""
    about = workload.circumstances
    assert about is not None, "asked only where there are any"
    found = give_way(workload, found)
    notes = told(workload.caps) if workload.divided else ()
    if about.together is not None:
        notes = (*notes, about.together.note)
    found = replace(
        found,
        ceilings=ceilings,
        goal=goal_left(workload, found),
        preempting=about.preempting,
        notes=(*found.notes, *about.notes, *notes),
    )
    return _waking(found, due_again(ceilings, now))


def _waking(decision: Decision, after: timedelta | None) -> Decision:
    if after is None:
        return decision
    soonest = after if decision.wake_after is None else min(after, decision.wake_after)
    return replace(decision, wake_after=soonest)
