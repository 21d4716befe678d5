"""Moving without losing: who must go and when, and what may be let go of already.

A share leaves a member only when what replaces it runs, unless the policy says otherwise, and
never when nothing can replace it. In between the total exceeds the wish by at most what moves.
All that is remembered between two decisions is in the binding: targets, evictions, replicas.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.scheduler.core.affinity import Reach
from services.scheduler.core.decision import Rejection, RejectionCode
from services.scheduler.core.division.portions import with_portions
from services.scheduler.core.fencing import awaited, ungrown, why_it_stays
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.replicas import UNBOUNDED, Bounds
from services.scheduler.core.running import count_missing, known_idle
from services.scheduler.core.state import carried, preserve
from services.scheduler.core.workload import Workload
from shared.api.binding import Eviction, TargetCluster
from shared.api.failover import PurgeMode, StatePreservation
from shared.apimachinery.taints import NO_EXECUTE, time_left
from shared.clock import format_micro_time, format_time, parse_time, span_of


@dataclass(frozen=True, slots=True)
class Standing:
    """Of those that hold it: who stays, who must go and why. Who left the fleet is in neither.

    `unstopped`: who stays only as it is not known to have stopped, and why.
    """

    staying: dict[str, int | None] = field(default_factory=dict)
    going: dict[str, Eviction] = field(default_factory=dict)
    wake_after: timedelta | None = None
    unstopped: dict[str, str] = field(default_factory=dict)


def judge_holders(workload: Workload, fleet: Fleet, reach: Reach, now: datetime) -> Standing:
    """A holder that cannot be judged stays; one that is unready stays while it is tolerated."""
    covered = fleet.covered_by_any(reach.tiers)
    scope = fleet.scopes.get(workload.scope)
    company = workload.company
    alone = company.elder_friends is None and not company.elder_foes
    if alone and scope is None and not workload.failing:
        shares = {target.name: target.replicas for target in workload.current}
        if shares.keys() <= fleet.quiet and shares.keys() <= covered:
            return Standing(staying=shares)
    standing = Standing()
    wake: timedelta | None = None
    for target in workload.current:
        member = fleet.members.get(target.name)
        if member is None or member.emptied:
            continue
        why: tuple[RejectionCode, str] | str | None = None
        left: timedelta | None = None
        if member.readable:
            why = _why_it_is_not_wanted(workload, member, scope, covered)
            if why is None and target.name in workload.failing:
                why = RejectionCode.APPLICATION_UNHEALTHY, workload.failing[target.name]
            if why is None:
                why, left = _why_it_is_not_borne(workload, target, member, now)
        if isinstance(why, str):
            standing.staying[target.name] = target.replicas
            standing.unstopped[target.name] = why
        elif why is None:
            standing.staying[target.name] = target.replicas
            if left is not None:
                wake = left if wake is None else min(wake, left)
        else:
            code, message = why
            standing.going[target.name] = _eviction(workload, target, code, message, now)
    return Standing(standing.staying, standing.going, wake, standing.unstopped)


def _eviction(
    workload: Workload, target: TargetCluster, code: str, message: str, now: datetime
) -> Eviction:
    preserved, lost = preserve(_state_rules(workload, code), _last_status(workload, target.name))
    return Eviction(
        cluster=target.name,
        replicas=target.replicas,
        completions=target.completions,
        ordinals_start=target.ordinals_start,
        reason=code,
        message=f"{message}; {lost}" if lost else message,
        # The member names it when it has stopped: of two within a second it must be clear which.
        since=format_micro_time(now) if workload.fenced else format_time(now),
        preserved=preserved,
        fence=target.fence,
    )


def _state_rules(workload: Workload, code: str) -> StatePreservation | None:
    if code == RejectionCode.TAINT_TOLERATION:
        return workload.failover.cluster.state_preservation
    application = workload.failover.application
    if code == RejectionCode.APPLICATION_UNHEALTHY and application is not None:
        return application.state_preservation
    return None


def _last_status(workload: Workload, cluster: str) -> Mapping[str, Any]:
    return next((one.status for one in workload.reports if one.cluster == cluster), {})


def leave_out(
    workload: Workload, standing: Standing, names: Mapping[str, Rejection], now: datetime
) -> Standing:
    """Have those of *names* that would stay go too, each for its reason."""
    if not any(name in names for name in standing.staying):
        return standing
    staying = {name: share for name, share in standing.staying.items() if name not in names}
    going = dict(standing.going)
    for target in workload.current:
        if target.name in standing.staying and target.name in names:
            why = names[target.name]
            going[target.name] = _eviction(workload, target, why.code, why.message, now)
    unstopped = {name: why for name, why in standing.unstopped.items() if name not in names}
    return Standing(staying, going, standing.wake_after, unstopped)


def _why_it_is_not_wanted(
    workload: Workload, member: Member, scope: frozenset[str] | None, covered: frozenset[str]
) -> tuple[RejectionCode, str] | None:
    if member.leaving:
        return RejectionCode.LEAVING, "it is leaving the federation"
    if scope is not None and not member.groups & scope:
        return RejectionCode.NAMESPACE_SCOPE, "it is in no group its namespace is bound to"
    if member.name not in covered:
        return RejectionCode.CLUSTER_AFFINITY, "the policy's cluster affinity no longer covers it"
    company = workload.company
    if company.elder_friends is not None and member.name not in company.elder_friends:
        message = "the workloads that this one is to be with are elsewhere"
        return RejectionCode.WORKLOAD_AFFINITY, message
    if member.name in company.elder_foes:
        message = "a workload that this one keeps away from is there"
        return RejectionCode.WORKLOAD_ANTI_AFFINITY, message
    return None


def _why_it_is_not_borne(
    workload: Workload, target: TargetCluster, member: Member, now: datetime
) -> tuple[tuple[RejectionCode, str] | str | None, timedelta | None]:
    """Why it must go now for a taint, or else when a toleration runs out (None: never).

    A text alone: why it stays although it should go.
    """
    unstopped = ""
    soonest: timedelta | None = None
    for taint in member.taints:
        if taint.effect != NO_EXECUTE:
            continue
        left = time_left(taint, workload.tolerations, now)
        if left is None:
            continue
        if left <= timedelta(0):
            why = why_it_stays(workload, target, member, taint.key)
            if why:
                unstopped = why
                continue
            message = f"its taint {taint.key}:{taint.effect} is not tolerated any longer"
            return (RejectionCode.TAINT_TOLERATION, message), None
        soonest = left if soonest is None else min(soonest, left)
    return unstopped or None, soonest


@dataclass(frozen=True, slots=True)
class Step:
    """What may be done now on the way to the desired shares; `wake_after`: to look again.

    `awaited`: who must be known to have stopped before anything begins elsewhere, and why not yet.
    """

    clusters: tuple[TargetCluster, ...]
    evictions: tuple[Eviction, ...]
    wake_after: timedelta | None = None
    awaited: Mapping[str, str] = field(default_factory=dict)


def step_towards(
    workload: Workload,
    fleet: Fleet,
    standing: Standing,
    desired: Mapping[str, int | None],
    *,
    bounds: Mapping[str, Bounds],
    now: datetime,
) -> Step:
    """Grow at once; shrink and leave as far as what grew is seen running."""
    if _is_arrived(workload, standing, desired):
        return Step(workload.current, ())
    missing, wake = count_missing(workload, desired, now)
    told = carried((*workload.evictions, *standing.going.values()))
    idle = known_idle(workload, now) if missing else set()
    held = _held_back(workload, standing, desired, bounds, missing=missing, idle=idle)
    leaving = _leaving(workload, fleet, standing, desired)
    waits = awaited(workload, fleet, leaving)
    evictions = tuple(
        one
        for one in leaving
        if one.cluster in waits
        or _stays_for_now(workload, one, fleet.members[one.cluster], now, substituted=not missing)
    )
    shares = ungrown(workload, desired) if waits else {**desired, **held}
    before = {target.name: target for target in workload.current}
    targets = []
    for name in sorted(shares):
        old, since = before.get(name), ""
        if held or evictions:
            grew = old is None or (old.replicas or 0) < (shares[name] or 0)
            since = format_micro_time(now) if grew or old is None else old.since
        preserved = old.preserved if old is not None else told
        targets.append(
            TargetCluster(name=name, replicas=shares[name], since=since, preserved=preserved)
        )
    clusters = with_portions(workload, targets, evictions)
    wakes = [wake if held or evictions else None, _grace_left(workload, evictions, now)]
    soonest = min((one for one in wakes if one is not None), default=None)
    return Step(clusters, evictions, soonest, waits)


def _is_arrived(workload: Workload, standing: Standing, desired: Mapping[str, int | None]) -> bool:
    """Whether all is where it is to be, and says nothing of a move, so that there is no step."""
    current = workload.current
    if workload.evictions or standing.going or len(current) != len(desired):
        return False
    names = [one.name for one in current]
    return (
        {one.name: one.replicas for one in current} == desired
        and names == sorted(names)
        and not any(
            one.since
            or one.fence
            or one.completions is not None
            or one.ordinals_start is not None
            or one.required
            for one in current
        )
        and not _has_portions(workload)
    )


def _has_portions(workload: Workload) -> bool:
    demand = workload.demand
    return demand is not None and not (demand.completions is None and demand.ordinals_start is None)


def _held_back(
    workload: Workload,
    standing: Standing,
    desired: Mapping[str, int | None],
    bounds: Mapping[str, Bounds],
    *,
    missing: int,
    idle: Collection[str],
) -> dict[str, int]:
    """Shares above the desired ones, kept for now in place of growth that does not run yet.

    Only what moves is held: the surge there was after the last decision and what grows in this
    one. A user who asks for fewer replicas gets fewer at once. Where it is *idle* nothing is lost
    with it, and what takes its place may never run either.
    """
    now = {name: share for name, share in standing.staying.items() if share is not None}
    placed = sum(target.replicas or 0 for target in workload.current)
    surge = max(0, placed - (workload.previous_replicas or 0)) if now else 0
    growth = sum(max(0, (share or 0) - now.get(name, 0)) for name, share in desired.items())
    budget = min(missing, surge + growth)
    excess: dict[str, int] = {}
    for name, share in now.items():
        target = desired.get(name, 0)
        if target is None:
            continue
        most = bounds.get(name, UNBOUNDED).most
        above = (share if most is None else min(share, most)) - target
        if above > 0 and name not in idle:
            excess[name] = above
    held: dict[str, int] = {}
    for name in sorted(excess, key=lambda one: (-excess[one], one)):
        if budget <= 0:
            break
        extra = min(excess[name], budget)
        held[name] = (desired.get(name) or 0) + extra
        budget -= extra
    return held


def _leaving(
    workload: Workload, fleet: Fleet, standing: Standing, desired: Mapping[str, int | None]
) -> tuple[Eviction, ...]:
    known = {one.cluster: one for one in workload.evictions if fleet.holds(one.cluster)}
    for name, eviction in standing.going.items():
        if eviction.replicas != 0:
            known.setdefault(name, eviction)
    return tuple(
        eviction
        for name, eviction in sorted(known.items())
        # A target again: its share is in the clusters, there is nothing to leave.
        if name not in desired
    )


def _stays_for_now(
    workload: Workload, eviction: Eviction, member: Member, now: datetime, *, substituted: bool
) -> bool:
    mode = _purge_mode(workload, eviction)
    if mode == "Never":
        return True
    if mode == "Directly":
        return False
    by_taint = eviction.reason == RejectionCode.TAINT_TOLERATION
    if by_taint and eviction.replicas is None and not member.ready:
        # Nothing replaces a whole copy, and nothing can be removed there now. An order to do
        # so would meet a member that is well again: its volume claims would be lost.
        return True
    left = _grace(workload, eviction, now)
    return not substituted and (left is None or left > timedelta(0))


def _purge_mode(workload: Workload, eviction: Eviction) -> PurgeMode:
    application = workload.failover.application
    if eviction.reason == RejectionCode.TAINT_TOLERATION:
        return workload.failover.cluster.purge_mode
    if eviction.reason == RejectionCode.APPLICATION_UNHEALTHY and application is not None:
        return application.purge_mode
    return "Gracefully"


def _grace(workload: Workload, eviction: Eviction, now: datetime) -> timedelta | None:
    """How long the policy waits for the substitute; None: as long as it takes."""
    application = workload.failover.application
    if eviction.reason != RejectionCode.APPLICATION_UNHEALTHY or application is None:
        return None
    seconds = application.grace_period_seconds
    if seconds is None:
        return None
    return parse_time(eviction.since) + span_of(seconds) - now


def _grace_left(
    workload: Workload, evictions: Iterable[Eviction], now: datetime
) -> timedelta | None:
    left = (_grace(workload, one, now) for one in evictions)
    return min((one for one in left if one is not None), default=None)
