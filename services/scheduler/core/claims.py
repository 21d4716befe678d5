"""What every candidate may take, by the rules of the policy and by its room.

Weights are static, by a signal or, by available replicas, the room itself. Tiers are filled one
after the other: first come the clusters of a group before those that take its overflow, and within
them those of the higher `priority`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from services.scheduler.core.affinity import Reach
from services.scheduler.core.by_reason import ByReason
from services.scheduler.core.caps import capped
from services.scheduler.core.decision import Rejection, RejectionCode
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.replicas import UNBOUNDED, Bounds
from services.scheduler.core.roll import Roll
from services.scheduler.core.room import ask_of
from services.scheduler.core.signals.weighing import signal_of, signal_weights
from services.scheduler.core.stated import stated_weights, weights_among
from services.scheduler.core.workload import Workload
from shared.api.placement import Placement, ReplicaLimit

_encode = msgspec.json.Encoder().encode

LIMIT = Rejection(RejectionCode.REPLICA_LIMIT, "the policy's limits allow it no replica")
_LEAST = Rejection(RejectionCode.NO_ROOM, "no room for the policy's minReplicas")
_UNKNOWN = Rejection(RejectionCode.CAPACITY_UNKNOWN, "its free capacity is not known yet")


@dataclass(frozen=True, slots=True)
class Candidates:
    """`feasible` may take more; `staying` have a share already, of so many replicas.

    `able` is the set of the feasible by number, where that is known.
    """

    feasible: Sequence[str]
    staying: Mapping[str, int | None]
    able: int | None = None

    def mask(self, roll: Roll) -> int:
        """Return all of them by number."""
        able = roll.mask(self.feasible) if self.able is None else self.able
        return able | roll.mask(self.staying)

    @property
    def names(self) -> Sequence[str]:
        """The feasible in their order, then the others that have a share."""
        if not self.staying:
            return self.feasible
        return list(dict.fromkeys((*self.feasible, *self.staying)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The candidates of a divided workload.

    `weights` names them all. `now` are their shares as they are. `most`, where room counts, is
    what each can hold with what it has; it is missing for those whose room does not count. `tiers`
    is empty where there is only one. `dynamic`: the weights are the free room. `closed` are those
    where the namespace's quota leaves nothing.
    """

    weights: Mapping[str, int]
    now: Mapping[str, int]
    bounds: Mapping[str, Bounds]
    most: Mapping[str, int] | None = None
    tiers: Mapping[str, int] = field(default_factory=dict)
    dynamic: bool = False
    closed: frozenset[str] = frozenset()
    rejections: Mapping[str, Rejection] = field(default_factory=dict)

    def bound(self, name: str) -> Bounds:
        """Return the limits of the policy and of the room together."""
        bound = self.bounds.get(name, UNBOUNDED) if self.bounds else UNBOUNDED
        room = self.most.get(name) if self.most is not None else None
        if room is None or (bound.most is not None and bound.most <= room):
            return bound
        return Bounds(bound.least, room)

    def capacities(self, enough: int) -> dict[str, int]:
        """How many of *enough* replicas each can hold."""
        if self.most is None:
            found = dict.fromkeys(self.weights, enough)
        else:
            most = self.most
            found = {
                name: room if (room := most.get(name, enough)) < enough else enough
                for name in self.weights
            }
        for name, bound in self.bounds.items():
            if bound.most is not None and found.get(name, 0) > bound.most:
                found[name] = bound.most
        return found


def why_full(workload: Workload, claims: Claims, names: Iterable[str]) -> dict[str, Rejection]:
    """Say of those of *names* that can take nothing, whatever is divided, why."""
    text = f"the quota of namespace {workload.key.namespace} leaves no room there"
    quota = Rejection(RejectionCode.QUOTA, text)
    no_room = Rejection(RejectionCode.NO_ROOM, f"no room for a replica{asking(workload)}")
    bounds, most, found = claims.bounds, claims.most or {}, {}
    for name in names:
        if bounds and bounds.get(name, UNBOUNDED).most == 0:
            found[name] = why_limited(workload, name)
        elif most.get(name) == 0:
            found[name] = quota if name in claims.closed else no_room
    return found


def why_limited(workload: Workload, name: str) -> Rejection:
    """Say why the bounds of *name* leave it nothing."""
    cap = workload.caps.get(name)
    return cap.why if cap is not None and not cap.most else LIMIT


def asking(workload: Workload) -> str:
    """Say what a replica asks for: ` asking for cpu 1 each`."""
    assert workload.demand is not None, "divided workloads have a demand"
    stated = [f"{name} {text}" for name, text in workload.demand.requests.items()]
    asked = f" asking for {', '.join(stated)} each" if stated else ""
    selector = [f"{key}={value}" for key, value in workload.demand.nodes.selector]
    return f"{asked} on nodes with {', '.join(selector)}" if selector else asked


def by_room(placement: Placement) -> bool:
    """Whether clusters count for the room they have: but for static weights all divisions do."""
    rules = placement.replica_scheduling
    if rules is None or not placement.is_divided:
        return False
    preference = rules.weight_preference
    dynamic = preference is not None and preference.dynamic_weight != ""
    return dynamic or rules.replica_division_preference == "Aggregated"


def counts_room(placement: Placement) -> bool:
    """Whether a decision asks how much room there is."""
    rules = placement.replica_scheduling
    ordered = rules is not None and any(one.priority for one in rules.replica_limits)
    return ordered or bool(placement.cluster_affinities) or by_room(placement)


def room_for(workload: Workload, fleet: Fleet) -> Mapping[str, int | None]:
    """How many replicas of a workload each member has room for; None where that is not known."""
    assert workload.demand is not None, "what asks for room has replicas"
    rooms = fleet.room_for(ask_of(workload.demand), workload.key.namespace)
    about = workload.circumstances
    if about is None or not about.own:
        return rooms
    own = {name: room + about.own.get(name, 0) for name, room in rooms.items() if room is not None}
    return {**rooms, **own}


def _closed(workload: Workload, fleet: Fleet) -> frozenset[str]:
    assert workload.demand is not None, "what asks for room has replicas"
    return fleet.closed_by_quota(ask_of(workload.demand), workload.key.namespace)


def claims_of(workload: Workload, fleet: Fleet, reach: Reach, candidates: Candidates) -> Claims:
    """Gather what the candidates of a divided workload may take."""
    rules, demand = workload.placement.replica_scheduling, workload.demand
    assert rules is not None, "divided workloads have rules"
    assert demand is not None, "divided workloads have a demand"
    bounds, priorities = bounds_of(workload, fleet), limits_of(workload.placement, fleet)[1]
    now = shares_now(workload, candidates)
    tiers = _tiers(fleet, reach, candidates.names, priorities)
    signal = signal_of(workload.placement)
    if signal or not by_room(workload.placement):
        bounds = _with_frozen(bounds, fleet, now, demand.count)
        stated = None if signal else stated_weights(fleet, rules.weight_preference)
        if stated is None:
            stated = signal_weights(workload, candidates.names)
        weights, rejections = weights_among(stated, bounds, candidates.names)
        # Only in order, or as far as there is room, does it matter when a cluster is full.
        ordered = tiers or reach.name or signal
        most = _most(_free(workload, fleet, candidates), now, weights) if ordered else None
        if most is not None and demand.count:
            rejections |= _drop_too_small(weights, most, now, bounds)
        return Claims(
            weights=weights,
            now=now,
            bounds=bounds,
            most=most,
            tiers=tiers,
            closed=_closed(workload, fleet) if most is not None else frozenset(),
            rejections=rejections,
        )
    free = _free(workload, fleet, candidates)
    unknown = [name for name, room in free.items() if room is None]
    out = [name for name in unknown if demand.count and not now.get(name)]
    rejections = dict.fromkeys(out, _UNKNOWN)
    weights = {name: room or 0 for name, room in free.items()}
    for name in out:
        del weights[name]
    held = {name: share + weights[name] for name, share in now.items() if name in weights}
    most = {**weights, **held}
    if demand.count:
        rejections |= _drop_too_small(weights, most, now, bounds)
    return Claims(
        weights=weights,
        now=now,
        bounds=bounds,
        most=most,
        tiers=tiers,
        dynamic=True,
        closed=_closed(workload, fleet),
        rejections=rejections,
    )


def _free(workload: Workload, fleet: Fleet, candidates: Candidates) -> dict[str, int | None]:
    """Return the room of every candidate; what is not feasible takes no more than it has."""
    rooms = room_for(workload, fleet)
    free = {name: rooms[name] for name in candidates.feasible}
    for name in candidates.staying:
        free.setdefault(name, 0)
    return free


def _with_frozen(
    bounds: Mapping[str, Bounds], fleet: Fleet, now: Mapping[str, int], count: int
) -> Mapping[str, Bounds]:
    """Have the shares of members that are not ready stay as they are, whatever their weights.

    More would not begin there, and less could not be seen to end. Who asks for fewer replicas than
    there are gets fewer, there too. Who asks for none has places only: those go by the policy's
    bounds, which a share of nothing must not stand for.
    """
    if not count:
        return bounds
    frozen = {}
    fewer = count < sum(now.values())
    for name, share in now.items():
        member = fleet.members.get(name)
        if member is None or member.ready:
            continue
        bound = bounds.get(name, UNBOUNDED)
        most = share if bound.most is None else min(share, bound.most)
        frozen[name] = Bounds(min(bound.least, most) if fewer else most, most)
    return {**bounds, **frozen} if frozen else bounds


def _drop_too_small(
    weights: dict[str, int],
    most: dict[str, int],
    now: Mapping[str, int],
    bounds: Mapping[str, Bounds],
) -> Mapping[str, Rejection]:
    """Let those that have no room for their least keep what they have, and others take none.

    With a part of it they would seem to have room for the rest until they report what they run.
    """
    small = []
    # A cluster that has any room has room for a least of one.
    for name in [name for name, bound in bounds.items() if bound.least > 1]:
        least = bounds[name].least
        if name not in weights or not 0 < most.get(name, least) < least:
            continue
        if now.get(name):
            most[name] = now[name]
        else:
            small.append(name)
            del weights[name]
    return dict.fromkeys(small, _LEAST)


def shares_now(workload: Workload, candidates: Candidates) -> dict[str, int]:
    """Shares as they are; what was whole in each member counts as all replicas there were."""
    whole = workload.previous_replicas or 0
    return {name: whole if share is None else share for name, share in candidates.staying.items()}


def limits_of(placement: Placement, fleet: Fleet) -> tuple[Mapping[str, Bounds], Mapping[str, int]]:
    """Return the bounds and the priorities the placement sets, for members that it names.

    Where all are of the same priority none is said.
    """
    rules = placement.replica_scheduling
    limits = rules.replica_limits if rules is not None else ()
    if not limits:
        return {}, {}
    return fleet.remember(("limits", _encode(limits)), lambda: _read_limits(fleet, limits))


def bounds_of(workload: Workload, fleet: Fleet) -> Mapping[str, Bounds]:
    """Return the bounds of the placement, and tighter ones where caps are."""
    bounds, _ = limits_of(workload.placement, fleet)
    return capped(bounds, caps) if (caps := workload.caps) else bounds


@dataclass(frozen=True, slots=True)
class Limited:
    """By number, whom limits give a least share; and whom they leave nothing, and why."""

    least: int
    closed: ByReason[Rejection]


def limited(workload: Workload, fleet: Fleet) -> Limited:
    """Return whom the bounds of a workload concern."""

    def work_out() -> Limited:
        bounds = bounds_of(workload, fleet)
        closed = {
            name: why_limited(workload, name) for name, bound in bounds.items() if bound.most == 0
        }
        least = fleet.roll.mask(name for name, bound in bounds.items() if bound.least)
        # A cap may be on a member that has left.
        there = {name: why for name, why in closed.items() if name in fleet.members}
        return Limited(least, ByReason.of(fleet.roll, there))

    if workload.caps:
        return work_out()
    rules = workload.placement.replica_scheduling
    limits = rules.replica_limits if rules is not None else ()
    return fleet.remember(("limited", _encode(limits)), work_out)


def _read_limits(
    fleet: Fleet, limits: Sequence[ReplicaLimit]
) -> tuple[dict[str, Bounds], dict[str, int]]:
    bounds: dict[str, Bounds] = {}
    priorities: dict[str, int] = {}
    for limit in limits:
        for name in fleet.covered_by(limit.target_cluster):
            # The first entry that covers a member counts.
            if name not in bounds:
                bounds[name] = Bounds(limit.min_replicas, limit.max_replicas)
                priorities[name] = limit.priority
    return bounds, priorities if any(priorities.values()) else {}


def _tiers(
    fleet: Fleet, reach: Reach, names: Sequence[str], priorities: Mapping[str, int]
) -> Mapping[str, int]:
    """Number the candidates' tiers from 0; {} where all are in the same."""
    if len(reach.tiers) == 1 and not priorities:
        return {}
    last = len(reach.tiers)
    covered = [fleet.covered_by(tier) for tier in reach.tiers]
    places = {}
    for name in names:
        tier = next((number for number, some in enumerate(covered) if name in some), last)
        places[name] = (tier, -priorities.get(name, 0))
    numbers = {place: number for number, place in enumerate(sorted(set(places.values())))}
    if len(numbers) == 1:
        return {}
    return {name: numbers[place] for name, place in places.items()}


def _most(
    free: Mapping[str, int | None], now: Mapping[str, int], weights: Mapping[str, int]
) -> dict[str, int]:
    """What each can hold; one whose room is not known holds whatever it is given."""
    return {name: now.get(name, 0) + room for name in weights if (room := free[name]) is not None}
