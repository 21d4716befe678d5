"""The pipeline: a workload and a fleet in, a decision out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.scheduler.core.affinity import Reach, reaches
from services.scheduler.core.by_reason import less, overlaid
from services.scheduler.core.caps import closed_to_copies
from services.scheduler.core.change.afresh import narrow_to_goal
from services.scheduler.core.change.application import (
    due_again,
    failures_after,
    find_failing,
    is_elsewhere,
    kept_away,
    still_known,
)
from services.scheduler.core.change.moves import Standing, judge_holders, leave_out, step_towards
from services.scheduler.core.choice.copies import narrow_copies
from services.scheduler.core.choice.selection import Chosen, choose
from services.scheduler.core.claims import Candidates, claims_of, limits_of
from services.scheduler.core.decision import (
    Decision,
    Rejection,
    RejectionCode,
    Scheduled,
    Unschedulable,
)
from services.scheduler.core.division.shares import Shares, share_out
from services.scheduler.core.division.staying import shares_of_goal, shares_that_stay
from services.scheduler.core.fencing import with_terms
from services.scheduler.core.filters import filter_members
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.opinions import NOBODY_ASKED, without_refused
from services.scheduler.core.special import decide_specially
from services.scheduler.core.telling.strangers import told_strangers
from services.scheduler.core.telling.unfit import told_unfit
from services.scheduler.core.workload import Workload
from shared.api.binding import Eviction

_SETTLING_MAX = 8


def schedule(workload: Workload, fleet: Fleet, now: datetime) -> Decision:
    """Place *workload* on *fleet*. "It does not fit" is an answer, not an error.

    Where it is not healthy it is left, if another place takes it, and stays where none does.
    Raises `InvalidObject` for a placement whose selectors are malformed.
    """
    if workload.suspended:
        return _suspended(workload, fleet)
    if workload.circumstances is not None:
        found = decide_specially(workload, fleet, now, _decide)
    else:
        found = _decide(workload, fleet, now)
    return told_strangers(workload, fleet, told_unfit(workload, fleet, found))


def _decide(workload: Workload, fleet: Fleet, now: datetime) -> Decision:
    """Decide by the policy and the fleet."""
    failing = find_failing(workload, now)
    wake = _sooner(failing.wake_after, due_again(workload, now))
    if failing.clusters:
        leaving = replace(workload, failing=failing.clusters)
        moved = _schedule(leaving, fleet, now)
        if isinstance(moved, Scheduled) and (
            is_elsewhere(workload, moved.clusters) or moved.stopping
        ):
            failures = failures_after(leaving, moved.clusters, now)
            soon = _sooner(moved.wake_after, due_again(replace(leaving, failures=failures), now))
            return replace(moved, failures=failures, wake_after=soon)
    found = _schedule(workload, fleet, now)
    failures = still_known(workload, now)
    if wake is None and failures == found.failures:
        return found
    return replace(found, failures=failures, wake_after=_sooner(found.wake_after, wake))


def _suspended(workload: Workload, fleet: Fleet) -> Unschedulable:
    """Keep it as it is, where its clusters are still of the fleet."""
    return Unschedulable(
        reason="Suspended",
        message="its policy suspends scheduling",
        affinity_name=workload.affinity_name,
        clusters=tuple(one for one in workload.current if fleet.holds(one.name)),
        evictions=tuple(one for one in workload.evictions if fleet.holds(one.cluster)),
        failures=workload.failures,
        ceilings=workload.circumstances.ceilings if workload.circumstances is not None else (),
        preempting=workload.circumstances.preempting if workload.circumstances is not None else (),
    )


def _schedule(workload: Workload, fleet: Fleet, now: datetime) -> Decision:
    """Place it as its clusters and the policy have it.

    Where the placement has ordered groups of clusters, the first one that holds everything is
    taken, beginning with the one it is in.
    """
    decision = _place_in_order(workload, fleet, now)
    if not workload.fenced:
        return decision
    return replace(decision, clusters=with_terms(workload, fleet, decision.clusters))


def _place_in_order(workload: Workload, fleet: Fleet, now: datetime) -> Decision:
    passed_over: dict[str, str] = {}
    first: Unschedulable | None = None
    for reach in reaches(workload.placement, workload.affinity_name):
        decision = _place(workload, fleet, reach, now)
        if isinstance(decision, Scheduled):
            decision = _settled(workload, fleet, reach, decision, now)
            return replace(decision, passed_over=passed_over) if passed_over else decision
        first = first or decision
        passed_over[reach.name] = decision.message
    assert first is not None, "there is always somewhere to try"
    if len(passed_over) > 1:
        tried = "; ".join(f"group {name}: {why}" for name, why in passed_over.items())
        return replace(first, message=f"no group of clusters holds it: {tried}")
    return first


def _settled(
    workload: Workload, fleet: Fleet, reach: Reach, decision: Scheduled, now: datetime
) -> Scheduled:
    """Decide again on the result, until that changes nothing.

    Where shares rest on those there are, what is held back for now counts as such the next time,
    and so does who stands for a group: to decide on its own result would move more.
    """
    demand = workload.demand
    if demand is None or not workload.divided:
        return decision
    for _ in range(_SETTLING_MAX):
        surge = sum(one.replicas or 0 for one in decision.clusters) > demand.count
        if not surge and not workload.placement.spread_constraints:
            return decision
        if _changes_nothing(workload, decision):
            return decision
        held = replace(
            workload,
            current=decision.clusters,
            evictions=decision.evictions,
            previous_replicas=demand.count,
        )
        again = _place(held, fleet, reach, now)
        if not isinstance(again, Scheduled) or again.clusters == decision.clusters:
            return decision
        decision = again
    return decision


def _changes_nothing(workload: Workload, decision: Scheduled) -> bool:
    """Whether to decide on the result would be to decide the same thing again."""
    return (
        decision.clusters == workload.current
        and decision.evictions == workload.evictions
        and workload.demand is not None
        and workload.demand.count == workload.previous_replicas
    )


def _place(workload: Workload, fleet: Fleet, reach: Reach, now: datetime) -> Decision:
    # 1. Judge those that hold it: who may stay, who must go.
    standing = judge_holders(workload, fleet, reach, now)

    # 2. Keep the members that may take it; remember why the others may not.
    feasible, ruled_out = filter_members(workload, fleet, reach)
    rejected: Mapping[str, Rejection] = ruled_out
    if away := kept_away(workload, now):
        feasible = tuple(name for name in feasible if name not in away)
        rejected = {**away, **rejected}
    if workload.opinions is not NOBODY_ASKED:
        feasible, rejected = without_refused(
            feasible, rejected, workload.opinions, standing.staying
        )
    if workload.caps and not workload.divided:
        feasible, rejected = _under_caps(workload, feasible, rejected)
    able = fleet.roll.everyone & ~ruled_out.mask if rejected is ruled_out else None
    candidates = Candidates(feasible, standing.staying, able)
    if workload.goal and not workload.divided:
        standing, candidates = narrow_to_goal(workload, standing, candidates, now)
    if reach.name and not workload.divided:
        candidates, unfit = narrow_copies(workload, fleet, reach, candidates)
        rejected = overlaid(rejected, unfit)
        standing = leave_out(workload, standing, unfit, now)
    if not candidates.feasible and not candidates.staying:
        return _unschedulable(workload, fleet, standing, _of_strangers(rejected, standing), "")

    # 3. Choose among them and divide the replicas, where all is not well as it is.
    shares = _shares_known(workload, fleet, reach, candidates) if workload.divided else None
    if shares is None:
        chosen, shares = _choose_and_divide(workload, fleet, reach, candidates)
        standing = leave_out(workload, standing, chosen.rejections, now)
    rejections = overlaid(_of_strangers(rejected, standing), shares.rejections)
    if shares.shortage:
        return _unschedulable(workload, fleet, standing, rejections, shares.shortage)

    # 4. Go there as fast as nothing is lost on the way.
    bounds, _ = limits_of(workload.placement, fleet)
    step = step_towards(workload, fleet, standing, shares.shares, bounds=bounds, now=now)
    return Scheduled(
        affinity_name=reach.name,
        clusters=step.clusters,
        desired=shares.shares,
        evictions=step.evictions,
        rejections=overlaid(rejections, _of_leavers(step.evictions)),
        wake_after=_sooner(standing.wake_after, step.wake_after),
        waiting={**standing.unstopped, **step.awaited},
        stopping=bool(step.awaited),
    )


def _under_caps(
    workload: Workload, feasible: Sequence[str], rejected: Mapping[str, Rejection]
) -> tuple[tuple[str, ...], Mapping[str, Rejection]]:
    whole = workload.demand.count if workload.demand is not None else 0
    closed = closed_to_copies(workload.caps, whole, (one.name for one in workload.current))
    if not closed:
        return tuple(feasible), rejected
    return tuple(name for name in feasible if name not in closed), {**closed, **rejected}


def _shares_known(
    workload: Workload, fleet: Fleet, reach: Reach, candidates: Candidates
) -> Shares | None:
    """Return the shares that need not be worked out: its goal, or those that stay."""
    goal = shares_of_goal(workload, fleet, candidates) if workload.goal else None
    return goal or shares_that_stay(workload, fleet, reach, candidates)


def _choose_and_divide(
    workload: Workload, fleet: Fleet, reach: Reach, candidates: Candidates
) -> tuple[Chosen, Shares]:
    """Take those with which the spread constraints hold, the best liked first; then divide."""
    claims = claims_of(workload, fleet, reach, candidates) if workload.divided else None
    chosen = choose(workload, fleet, candidates, claims)
    if chosen.unmet:
        # Who has a share keeps it: only of others is it said why they are not enough.
        why = {**chosen.rejections, **(claims.rejections if claims is not None else {})}
        rejections = {name: one for name, one in why.items() if name not in candidates.staying}
        return replace(chosen, rejections={}), Shares({}, rejections, chosen.unmet)
    if claims is None or chosen.claims is None:
        return chosen, Shares(dict.fromkeys(chosen.names), chosen.rejections)
    shares = share_out(workload, fleet, chosen.claims)
    rejections = {**chosen.rejections, **claims.rejections, **shares.rejections}
    return chosen, replace(shares, rejections=rejections)


def _sooner(first: timedelta | None, second: timedelta | None) -> timedelta | None:
    return min((one for one in (first, second) if one is not None), default=None)


def _of_strangers(rejected: Mapping[str, Rejection], standing: Standing) -> Mapping[str, Rejection]:
    """Leave out the reasons why a member that stays could not come, and tell why others go."""
    if not standing.staying and not standing.going:
        return rejected
    going = {
        name: Rejection(RejectionCode(eviction.reason), eviction.message)
        for name, eviction in standing.going.items()
    }
    return overlaid(less(rejected, standing.staying), going)


def _of_leavers(evictions: Iterable[Eviction]) -> Mapping[str, Rejection]:
    """Tell why a share leaves in the same words for as long as it does."""
    return {one.cluster: Rejection(RejectionCode(one.reason), one.message) for one in evictions}


def _unschedulable(
    workload: Workload,
    fleet: Fleet,
    standing: Standing,
    rejections: Mapping[str, Rejection],
    shortage: str,
) -> Unschedulable:
    """Keep everything but what was on members that are no longer of the fleet."""
    if not fleet.members:
        message = "no cluster has joined the federation"
    elif shortage:
        message = shortage
    else:
        message = f"none of {len(fleet.members)} clusters fits"
    evictions = tuple(one for one in workload.evictions if fleet.holds(one.cluster))
    return Unschedulable(
        reason="Unschedulable" if shortage else "NoClusterFit",
        message=message,
        affinity_name=workload.affinity_name,
        clusters=tuple(one for one in workload.current if fleet.holds(one.name)),
        evictions=evictions,
        rejections=overlaid(rejections, _of_leavers(evictions)),
        wake_after=standing.wake_after,
        waiting=standing.unstopped,
    )
