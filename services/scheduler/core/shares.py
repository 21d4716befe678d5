"""The share each member should have: by fixed weights or by free room, within the limits.

Fixed weights are a rule that always holds: shares follow it, with inertia only in the rounding.
Room is an occasion: what runs stays where it is, growth goes where there is room, and shrinking
takes from all in proportion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from services.scheduler.core.decision import Rejection, RejectionCode
from services.scheduler.core.fleet import Fleet, requests_of
from services.scheduler.core.replicas import UNBOUNDED, Bounds, Division, divide
from services.scheduler.core.workload import Workload
from shared.api.policy import ReplicaLimit, ReplicaScheduling, WeightPreference

_encode = msgspec.json.Encoder().encode

_NO_WEIGHT = Rejection(RejectionCode.NO_WEIGHT, "the policy gives it no weight")
_UNKNOWN = Rejection(RejectionCode.CAPACITY_UNKNOWN, "its free capacity is not known yet")
_LIMIT = Rejection(RejectionCode.REPLICA_LIMIT, "the policy's limits allow it no replica")
_NONE_LEFT = Rejection(RejectionCode.NO_REPLICA_LEFT, "no replica was left for it")


@dataclass(frozen=True, slots=True)
class Candidates:
    """`feasible` may take more; `staying` have a share already, of so many replicas."""

    feasible: Sequence[str]
    staying: Mapping[str, int | None]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys((*self.feasible, *self.staying)))


@dataclass(frozen=True, slots=True)
class Shares:
    """Replicas by member (None: the whole, not a share) and why others of the feasible have none.

    `shortage` says in a sentence what is missing; the shares are then not to be used.
    """

    shares: Mapping[str, int | None]
    rejections: Mapping[str, Rejection]
    shortage: str = ""


def share_out(workload: Workload, fleet: Fleet, candidates: Candidates) -> Shares:
    """Work out the shares for the candidates, of which there is at least one."""
    if workload.demand is None or not workload.divided:
        return Shares(dict.fromkeys(candidates.names), {})
    rules = workload.placement.replica_scheduling
    assert rules is not None, "divided workloads have rules"
    preference = rules.weight_preference
    if preference is not None and preference.dynamic_weight:
        return _by_room(workload, fleet, candidates, _bounds(fleet, rules))
    return _by_weight(workload, fleet, candidates, rules)


def replica_bounds(workload: Workload, fleet: Fleet) -> Mapping[str, Bounds]:
    """Return the limits the placement sets; members it does not name have none."""
    rules = workload.placement.replica_scheduling
    return _bounds(fleet, rules) if rules is not None else {}


def _bounds(fleet: Fleet, rules: ReplicaScheduling) -> Mapping[str, Bounds]:
    limits = rules.replica_limits
    if not limits:
        return {}
    return fleet.remember(("bounds", _encode(limits)), lambda: _read_bounds(fleet, limits))


def _read_bounds(fleet: Fleet, limits: Sequence[ReplicaLimit]) -> dict[str, Bounds]:
    found: dict[str, Bounds] = {}
    for limit in limits:
        for name in fleet.covered_by(limit.target_cluster):
            # The first entry that covers a member counts.
            found.setdefault(name, Bounds(limit.min_replicas, limit.max_replicas))
    return found


def _weights(fleet: Fleet, preference: WeightPreference | None) -> Mapping[str, int]:
    """Weights above zero; the greatest of the entries that cover a member counts."""
    if preference is None or not preference.static_weight_list:
        return dict.fromkeys(fleet.members, 1)

    def read() -> dict[str, int]:
        found: dict[str, int] = {}
        for entry in preference.static_weight_list:
            if entry.weight > 0:
                for name in fleet.covered_by(entry.target_cluster):
                    found[name] = max(found.get(name, 0), entry.weight)
        return found

    return fleet.remember(("weights", _encode(preference)), read)


def _by_weight(
    workload: Workload, fleet: Fleet, candidates: Candidates, rules: ReplicaScheduling
) -> Shares:
    assert workload.demand is not None
    replicas = workload.demand.count
    all_weights = _weights(fleet, rules.weight_preference)
    weights, rejections = {}, {}
    for name in candidates.names:
        if name in all_weights:
            weights[name] = all_weights[name]
        else:
            rejections[name] = _NO_WEIGHT
    if not weights:
        return Shares({}, rejections, "the policy's static weights give no cluster a weight")
    bounds = _bounds(fleet, rules)
    if replicas == 0:
        return Shares(dict.fromkeys(weights, 0), rejections)
    division = divide(
        replicas,
        weights,
        bounds,
        tie_break=workload.order(list(weights)),
        near=_now(workload, candidates),
    )
    for name in weights:
        if name not in division.shares:
            allowed = bounds.get(name, UNBOUNDED).most != 0
            rejections[name] = _NONE_LEFT if allowed else _LIMIT
    return Shares(division.shares, rejections, _limits_shortage(replicas, division))


def _limits_shortage(replicas: int, division: Division) -> str:
    if not division.unplaced:
        return ""
    return (
        f"{division.unplaced} of {replicas} replicas have no place: the policy's minReplicas and "
        "maxReplicas leave none within the feasible clusters"
    )


def _now(workload: Workload, candidates: Candidates) -> dict[str, int]:
    """Shares as they are; what was whole in each member counts as all replicas there were."""
    whole = workload.previous_replicas or 0
    return {name: whole if share is None else share for name, share in candidates.staying.items()}


def _by_room(
    workload: Workload, fleet: Fleet, candidates: Candidates, bounds: Mapping[str, Bounds]
) -> Shares:
    demand = workload.demand
    assert demand is not None
    if demand.count == 0:
        return Shares(dict.fromkeys(candidates.names, 0), {})
    now = _now(workload, candidates)
    kept = _keep(demand.count, now, bounds, workload)
    shares: Mapping[str, int] = kept
    short = demand.count - sum(kept.values())
    rooms: Mapping[str, int | None] = {}
    if short > 0 or _breaks_a_least(kept, bounds):
        all_rooms = fleet.room_for(requests_of(demand.requests))
        rooms = {name: all_rooms[name] for name in candidates.feasible}
        division = _grow(demand.count, kept, rooms, bounds, workload)
        shares, short = division.shares, division.unplaced
    return Shares(
        shares,
        _rejections_by_room(workload, candidates, shares, rooms, bounds),
        _room_shortage(workload, short) if short > 0 else "",
    )


def _keep(
    replicas: int, now: Mapping[str, int], bounds: Mapping[str, Bounds], workload: Workload
) -> dict[str, int]:
    """Return what stays of the shares there are: cut to the limits, then in proportion."""
    kept = {}
    for name, share in now.items():
        most = bounds.get(name, UNBOUNDED).most
        kept[name] = share if most is None else min(share, most)
    kept = {name: share for name, share in kept.items() if share > 0}
    if sum(kept.values()) <= replicas:
        return kept
    lower = {
        name: Bounds(min(bounds.get(name, UNBOUNDED).least, share), share)
        for name, share in kept.items()
    }
    return divide(replicas, kept, lower, tie_break=workload.order(list(kept)), near=kept).shares


def _breaks_a_least(shares: Mapping[str, int], bounds: Mapping[str, Bounds]) -> bool:
    return any(share < bounds.get(name, UNBOUNDED).least for name, share in shares.items())


def _grow(
    replicas: int,
    kept: Mapping[str, int],
    rooms: Mapping[str, int | None],
    bounds: Mapping[str, Bounds],
    workload: Workload,
) -> Division:
    """Add what is missing by room; divide everything anew where the limits leave no other way."""
    order = workload.order([*rooms, *(name for name in kept if name not in rooms)])
    if not _breaks_a_least(kept, bounds):
        room = {name: free for name, free in rooms.items() if free}
        more = {}
        for name, free in room.items():
            bound, has = bounds.get(name, UNBOUNDED), kept.get(name, 0)
            most = free if bound.most is None else min(free, bound.most - has)
            more[name] = Bounds(0 if has else bound.least, most)
        added = divide(replicas - sum(kept.values()), room, more, tie_break=order)
        if not added.unplaced:
            names = [*kept, *(name for name in added.shares if name not in kept)]
            return Division({name: kept.get(name, 0) + added.shares.get(name, 0) for name in names})
    capacity = {name: kept.get(name, 0) + (rooms.get(name) or 0) for name in order}
    capacity = {name: total for name, total in capacity.items() if total > 0}
    limits = {}
    for name, total in capacity.items():
        bound = bounds.get(name, UNBOUNDED)
        most = total if bound.most is None else min(total, bound.most)
        limits[name] = Bounds(bound.least, most)
    return divide(replicas, capacity, limits, tie_break=order, near=kept)


def _rejections_by_room(
    workload: Workload,
    candidates: Candidates,
    shares: Mapping[str, int],
    rooms: Mapping[str, int | None],
    bounds: Mapping[str, Bounds],
) -> dict[str, Rejection]:
    no_room = Rejection(RejectionCode.NO_ROOM, f"no room for a replica{_asking(workload)}")
    found = {}
    for name in candidates.names:
        if shares.get(name):
            continue
        if bounds.get(name, UNBOUNDED).most == 0:
            found[name] = _LIMIT
        elif name not in rooms:
            found[name] = _NONE_LEFT
        elif rooms[name] is None:
            found[name] = _UNKNOWN
        else:
            found[name] = _NONE_LEFT if rooms[name] else no_room
    return found


def _room_shortage(workload: Workload, short: int) -> str:
    assert workload.demand is not None
    count = workload.demand.count
    return f"no room for {short} of {count} replicas{_asking(workload)}"


def _asking(workload: Workload) -> str:
    assert workload.demand is not None
    stated = [f"{name} {text}" for name, text in workload.demand.requests.items()]
    return f" asking for {', '.join(stated)} each" if stated else ""
