"""Who gives way: as few as are needed, of the lowest priority, and only if that lets it in whole.

At the hub nobody knows on which node which replica runs. So a replica that leaves counts for as
many of the others as its own requests hold, and only where it may run on no node that they may
not: each one that leaves makes room for at least one of a higher priority, and what is placed,
weighed by priority, never becomes less.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.scheduler.core.affinity import reaches
from services.scheduler.core.claims import counts_room, room_for
from services.scheduler.core.decision import Scheduled
from services.scheduler.core.filters import filter_members
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.preemption.rank import Rank
from services.scheduler.core.room import NANO, PODS, Ask, NodeRoom, ask_of
from services.scheduler.core.schedule import schedule
from services.scheduler.core.workload import Workload
from shared.api.binding import ObjectReference, Preempting
from shared.clock import format_micro_time

TENANTS_MAX = 10
"""So many workloads give way to one at most."""
_TRIES_MAX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A workload that may have to give way: what a replica asks for, and how many run where."""

    resource: ObjectReference
    priority: int
    ask: Ask
    shares: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Displaced:
    """So many replicas of a tenant that give way in a cluster."""

    tenant: Tenant
    cluster: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Preemption:
    """The decision that it makes possible, on the fleet as it will be, and who gives way."""

    decision: Scheduled
    displaced: tuple[Displaced, ...]
    fleet: Fleet


@dataclass(frozen=True, slots=True)
class _Offer:
    """A tenant's share in a cluster: each replica that leaves holds *gain* of the newcomer."""

    tenant: Tenant
    cluster: str
    gain: int

    @property
    def share(self) -> int:
        return self.tenant.shares[self.cluster]


def may_preempt(workload: Workload, rank: Rank) -> bool:
    """Whether it is of those that others give way to: divided, and held up by room alone."""
    return (
        rank.preempts
        and workload.divided
        and workload.demand is not None
        and counts_room(workload.placement)
        and not workload.suspended
        and not workload.fenced
    )


def preempt(
    workload: Workload,
    rank: Rank,
    fleet: Fleet,
    tenants: Iterable[Tenant],
    now: datetime,
) -> Preemption | None:
    """Find out who has to give way for *workload* to be placed; None where that helps nothing.

    It has no place on *fleet* as it is. Equal priorities never give way.
    """
    assert workload.demand is not None, "what asks for room has replicas"
    rooms = room_for(workload, fleet)
    offers = _offers(workload, rank, fleet, tenants, rooms)
    missing = _missing(workload, fleet, rooms)
    for attempt in range(_TRIES_MAX):
        last = attempt == _TRIES_MAX - 1
        taken, is_all = _take(offers, None if last else missing << attempt)
        if not taken:
            return None
        supposed = _granting(workload, fleet, taken)
        found = schedule(workload, supposed, now)
        if isinstance(found, Scheduled):
            displaced = _needed(workload, taken, found, rooms)
            return Preemption(found, displaced, supposed) if displaced else None
        if is_all:
            return None
    return None


def _offers(
    workload: Workload,
    rank: Rank,
    fleet: Fleet,
    tenants: Iterable[Tenant],
    rooms: Mapping[str, int | None],
) -> list[_Offer]:
    """List what could leave: the lowest priority first, then what helps most."""
    assert workload.demand is not None
    ask = ask_of(workload.demand)
    open_to = {
        name
        for reach in reaches(workload.placement, workload.affinity_name)
        for name in filter_members(workload, fleet, reach)[0]
    }
    found = []
    for tenant in tenants:
        gain = _gain(tenant.ask, ask) if tenant.priority < rank.priority else 0
        if gain:
            found += [
                _Offer(tenant, name, gain)
                for name, share in tenant.shares.items()
                if share and name in open_to and rooms.get(name) is not None
            ]
    found.sort(
        key=lambda one: (one.tenant.priority, -one.gain, str(one.tenant.resource.key), one.cluster)
    )
    return found


def _gain(given: Ask, asked: Ask) -> int:
    """How many replicas fit where one leaves, wherever that was; 0 where that is not known."""
    selector, tolerated = set(asked.nodes.selector), set(asked.nodes.tolerations)
    if not selector <= set(given.nodes.selector):
        return 0
    if not set(given.nodes.tolerations) <= tolerated:
        return 0
    free = dict(given.requests)
    # Each of them is a pod, and so was what leaves.
    return min((free.get(name, 0) // amount for name, amount in asked.requests), default=1)


def _missing(workload: Workload, fleet: Fleet, rooms: Mapping[str, int | None]) -> int:
    assert workload.demand is not None
    there = {one.name: one.replicas or 0 for one in workload.current if fleet.holds(one.name)}
    free = sum(room for room in rooms.values() if room)
    return max(1, workload.demand.count - sum(there.values()) - free)


def _take(offers: Sequence[_Offer], wanted: int | None) -> tuple[list[Displaced], bool]:
    """Take offers in order until they hold *wanted* (None: all); and whether that was all."""
    taken: list[Displaced] = []
    tenants: set[str] = set()
    left = wanted
    for one in offers:
        name = str(one.tenant.resource.key)
        if name not in tenants and len(tenants) >= TENANTS_MAX:
            continue
        if left is not None and left <= 0:
            return taken, False
        tenants.add(name)
        count = one.share if left is None else min(one.share, -(-left // one.gain))
        taken.append(Displaced(one.tenant, one.cluster, count))
        left = None if left is None else left - count * one.gain
    return taken, left is None or left > 0


def _granting(workload: Workload, fleet: Fleet, taken: Iterable[Displaced]) -> Fleet:
    """Return the fleet with a place of its own for each replica that has room then."""
    assert workload.demand is not None
    ask = ask_of(workload.demand)
    places: dict[str, int] = {}
    for one in taken:
        more = one.replicas * _gain(one.tenant.ask, ask)
        places[one.cluster] = places.get(one.cluster, 0) + more
    changed = []
    for name, count in places.items():
        member = fleet.members[name]
        assert member.room is not None, "offers are of members whose room is known"
        node = NodeRoom(count, {**dict(ask.requests), PODS: NANO}, dict(ask.nodes.selector))
        room = replace(member.room, nodes=(*member.room.nodes, node))
        changed.append(replace(member, room=room))
    return fleet.with_rooms_of(changed)


def _needed(
    workload: Workload,
    taken: Iterable[Displaced],
    found: Scheduled,
    rooms: Mapping[str, int | None],
) -> tuple[Displaced, ...]:
    """Keep of those that might leave who is needed for the shares that were found."""
    assert workload.demand is not None
    ask = ask_of(workload.demand)
    before = {one.name: one.replicas or 0 for one in workload.current}
    lacking = {
        name: (share or 0) - before.get(name, 0) - (rooms.get(name) or 0)
        for name, share in found.desired.items()
    }
    kept = []
    for one in taken:
        lack = lacking.get(one.cluster, 0)
        if lack <= 0:
            continue
        gain = _gain(one.tenant.ask, ask)
        count = min(one.replicas, -(-lack // gain))
        kept.append(Displaced(one.tenant, one.cluster, count))
        lacking[one.cluster] = lack - count * gain
    return _spared(kept, ask, {name: -lack for name, lack in lacking.items()})


def _spared(kept: list[Displaced], ask: Ask, surplus: dict[str, int]) -> tuple[Displaced, ...]:
    """Spare who is not needed after all, the highest priority first."""
    found = []
    for one in reversed(kept):
        gain = _gain(one.tenant.ask, ask)
        spare = min(one.replicas, max(0, surplus[one.cluster]) // gain)
        surplus[one.cluster] -= spare * gain
        if spare < one.replicas:
            found.append(replace(one, replicas=one.replicas - spare))
    return tuple(reversed(found))


def displacing(found: Preemption, rank: Rank, now: datetime) -> Scheduled:
    """Return the decision with the record of who gives way, and why, since *now*."""
    since = format_micro_time(now)
    entries = tuple(
        Preempting(
            resource=one.tenant.resource,
            cluster=one.cluster,
            replicas=one.replicas,
            priority=one.tenant.priority,
            since=since,
        )
        for one in found.displaced
    )
    notes = tuple(
        f"{one.replicas} of {_named(one.tenant.resource)}"
        f" {'gives' if one.replicas == 1 else 'give'} way in {one.cluster}: priority"
        f" {one.tenant.priority} under {rank.priority}"
        for one in found.displaced
    )
    decision = found.decision
    return replace(
        decision,
        preempting=(*decision.preempting, *entries),
        notes=(*decision.notes, *notes),
    )


def _named(resource: ObjectReference) -> str:
    place = f"{resource.namespace}/" if resource.namespace else ""
    return f"{resource.kind} {place}{resource.name}"
