"""What quotas allow one workload, and decisions that keep to it.

Who has more than that already keeps it, and gets no more. A limit of several clusters is kept by
caps on each of them, drawn where the decision without them would go beyond it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from services.scheduler.core.caps import Cap, Caps, tighter, told
from services.scheduler.core.decision import (
    Decision,
    Scheduled,
    Unschedulable,
)
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.quota.allowed import Allowance
from services.scheduler.core.quota.ledger import Entry, Ledger, there
from services.scheduler.core.quota.limits import Limit
from services.scheduler.core.replicas import Bounds, divide
from services.scheduler.core.workload import Workload
from shared.api.binding import TargetCluster
from shared.interpreter.quota import Nanos, replicas_left

Decide = Callable[[Workload, Fleet, datetime], Decision]
_ROUNDS_MAX = 16
_LOOK_AGAIN = timedelta(minutes=1)


def allowances_of(
    limits: Iterable[Limit], ledger: Ledger, own: Entry | None, each: Nanos
) -> tuple[Allowance, ...]:
    """Return what *limits* leave to a workload of which a replica takes *each*.

    *own* is what it has by now, which is not taken from it.
    """
    found = []
    for limit in limits:
        left = replicas_left(limit.hard, ledger.used(limit, without=own), each)
        if left is not None:
            has = there(limit, own.shares) if own is not None else 0
            found.append(Allowance(limit.name, limit.clusters, max(left, has)))
    return tuple(found)


def decide_within(
    workload: Workload,
    allowances: tuple[Allowance, ...],
    fleet: Fleet,
    now: datetime,
    decide: Decide,
) -> Decision:
    """Decide by *decide*, and give no group of clusters more than *allowances* has for it."""
    if workload.demand is None or not workload.demand.count:
        return decide(workload, fleet, now)
    refused = _refusal(workload, allowances, fleet)
    if refused is not None:
        return refused
    caps: Caps = {}
    for _ in range(_ROUNDS_MAX):
        found = decide(workload.under(caps) if caps else workload, fleet, now)
        more = _beyond(workload, allowances, found)
        if not more:
            return _told(workload, found, caps)
        caps = tighter(more, caps)
    return _kept(workload, fleet, "quotas and the policy's rules cannot be met together")


def _refusal(
    workload: Workload, allowances: tuple[Allowance, ...], fleet: Fleet
) -> Unschedulable | None:
    """Refuse what can be given nowhere: all replicas, or the first copy."""
    assert workload.demand is not None
    count = workload.demand.count
    for one in allowances:
        if one.clusters is None and one.most < count:
            message = f"{one.name} leaves {one.most} of {count} replicas"
            return _kept(workload, fleet, message)
    return None


def _kept(workload: Workload, fleet: Fleet, message: str) -> Unschedulable:
    return Unschedulable(
        reason="QuotaExceeded",
        message=message,
        affinity_name=workload.affinity_name,
        clusters=tuple(one for one in workload.current if fleet.holds(one.name)),
        evictions=tuple(one for one in workload.evictions if fleet.holds(one.cluster)),
        failures=workload.failures,
        wake_after=_LOOK_AGAIN,
    )


def _beyond(workload: Workload, allowances: Iterable[Allowance], found: Decision) -> Caps:
    """Return caps on clusters where *found* goes beyond an allowance."""
    assert workload.demand is not None
    whole = workload.demand.count
    shares = _wanted(found, whole)
    before = _counted(workload.current, whole)
    caps: dict[str, Cap] = {}
    for one in allowances:
        inside = {name: share for name, share in shares.items() if one.covers(name)}
        if sum(inside.values()) <= one.most:
            continue
        there_before = {name: min(before.get(name, 0), share) for name, share in inside.items()}
        if workload.divided:
            kept = _divided(workload, one.most, inside, there_before)
        else:
            kept = _copies(workload, one.most, whole, inside, there_before)
        caps |= {name: Cap(kept.get(name, 0), one.why) for name in _fewer(inside, kept)}
    return caps


def _fewer(inside: Mapping[str, int], kept: Mapping[str, int]) -> list[str]:
    return [name for name, share in inside.items() if kept.get(name, 0) < share]


def _divided(
    workload: Workload, most: int, inside: Mapping[str, int], there_before: Mapping[str, int]
) -> Mapping[str, int]:
    """Share out what is allowed as the decision would have, leaving what is there."""
    bounds = {name: Bounds(there_before[name], share) for name, share in inside.items()}
    order = workload.order(list(inside))
    return divide(most, inside, bounds, tie_break=order, near=there_before).shares


def _copies(
    workload: Workload,
    most: int,
    whole: int,
    inside: Mapping[str, int],
    there_before: Mapping[str, int],
) -> Mapping[str, int]:
    """Leave copies where they are, then the first in the workload's own order."""
    order = workload.order(list(inside))
    first = sorted(order, key=lambda name: not there_before[name])
    return dict.fromkeys(first[: most // whole], whole)


def _wanted(found: Decision, whole: int) -> Mapping[str, int]:
    """Return the shares that it leads to: on the way there what leaves is there beside them."""
    if isinstance(found, Unschedulable) or not found.desired:
        return _counted(found.clusters, whole)
    return {name: whole if share is None else share for name, share in found.desired.items()}


def _counted(clusters: Iterable[TargetCluster], whole: int) -> Mapping[str, int]:
    return {one.name: whole if one.replicas is None else one.replicas for one in clusters}


def _told(workload: Workload, found: Decision, caps: Caps) -> Decision:
    if not caps:
        return found
    soon = min(found.wake_after or _LOOK_AGAIN, _LOOK_AGAIN)
    if isinstance(found, Scheduled):
        notes = told(caps) if workload.divided else ()
        return replace(found, wake_after=soon, notes=(*found.notes, *notes))
    names = ", ".join(dict.fromkeys(cap.why.message for cap in caps.values()))
    return replace(
        found, reason="QuotaExceeded", message=f"{names}; {found.message}", wake_after=soon
    )
