"""Room for replicas: how many fit in nodes of each size and sort, and what some of them take.

Ten nodes with half a core free do not hold a pod of four cores: nodes are counted one by one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from shared.api.cluster import Capacity, Taint
from shared.apimachinery.quantity import parse_quantity
from shared.apimachinery.taints import untolerated
from shared.interpreter.demand import ANY_NODE, NodeChoice
from shared.interpreter.replicas import ReplicaDemand

NANO = 10**9
# What a kubelet accepts where its node does not say (`--max-pods`).
PODS_PER_NODE = 110
PODS = "pods"
EVERY_OTHER_LABEL = "*"
_KEEPS_AWAY = ("NoSchedule", "NoExecute")

Amounts = Mapping[str, int]
"""By resource, in nano-units."""

Requests = tuple[tuple[str, int], ...]
"""What one replica asks for, in nano-units and in order of the resource's name."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What one replica asks of a member; two equal ones find the same room."""

    requests: Requests = ()
    nodes: NodeChoice = ANY_NODE


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """So many nodes of one sort with this much free."""

    count: int
    free: Amounts
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """`unknown_labels` may be on any node; None: nothing is known of labels.

    `quotas` is what is left in a namespace, where that is limited.
    """

    nodes: tuple[NodeRoom, ...] = ()
    unknown_labels: frozenset[str] | None = None
    quotas: Mapping[str, Amounts] = field(default_factory=dict)

    def holds(self, ask: Ask, namespace: str = "") -> int:
        """How many such replicas of *namespace* fit beside what is there."""
        fitting = sum(
            one.count * _fitting(one.free, ask.requests)
            for one in _open_to(ask, self.nodes, self.unknown_labels)
        )
        quota = self.quotas.get(namespace)
        return fitting if quota is None else min(fitting, _within(quota, ask.requests))

    def open_to(self, ask: Ask) -> Sequence[NodeRoom]:
        """Return the nodes that such a replica may be bound to, full or not."""
        return _open_to(ask, self.nodes, self.unknown_labels)

    def nodes_for(self, ask: Ask) -> int:
        """How many these are."""
        return sum(one.count for one in self.open_to(ask))

    def left_by_quota(self, ask: Ask, namespace: str) -> int | None:
        """How many the namespace's quota allows; None where there is none."""
        quota = self.quotas.get(namespace)
        return None if quota is None else _within(quota, ask.requests)

    @property
    def nodes_count(self) -> int:
        return sum(one.count for one in self.nodes)

    def free(self, resource: str) -> int:
        """How much of *resource* all nodes together have left, in nano-units."""
        return sum(one.count * one.free.get(resource, 0) for one in self.nodes)

    def without(self, taken: Iterable["Taken"]) -> "Room":
        """Return what is left when *taken* replicas have found their places."""
        nodes, quotas = list(self.nodes), dict(self.quotas)
        for one in taken:
            chosen = {id(node) for node in _open_to(one.ask, nodes, self.unknown_labels)}
            nodes = [
                left
                for node in _seated(nodes, chosen, one.ask.requests, one.replicas)
                for left in node
            ]
            if one.namespace in quotas:
                quotas[one.namespace] = _less(quotas[one.namespace], one.ask.requests, one.replicas)
        return replace(self, nodes=tuple(nodes), quotas=quotas)


@dataclass(frozen=True, slots=True)
class Taken:
    """So many replicas of a namespace that will find their places."""

    ask: Ask
    namespace: str
    replicas: int


def read_room(capacity: Capacity | None) -> Room | None:
    """Read what a member reports; None where it reports nothing."""
    if capacity is None:
        return None
    labelled = bool(capacity.labels or capacity.labels_left_out) or any(
        one.labels for one in capacity.node_classes
    )
    return Room(
        nodes=tuple(
            NodeRoom(
                one.count,
                {name: _nanos(text) for name, text in one.free.items()},
                {**capacity.labels, **one.labels},
                one.taints,
            )
            for one in capacity.node_classes
            if one.count > 0
        ),
        unknown_labels=frozenset(capacity.labels_left_out) if labelled else None,
        quotas={
            one.namespace: {name: _nanos(text) for name, text in one.free.items()}
            for one in capacity.quotas
        },
    )


def ask_of(demand: ReplicaDemand) -> Ask:
    """Read what a replica asks for; raises ValueError for an unparsable quantity."""
    return _ask(tuple(demand.requests.items()), demand.nodes)


@lru_cache(maxsize=4_096)
def _ask(stated: tuple[tuple[str, str], ...], nodes: NodeChoice) -> Ask:
    nanos = ((name, int(parse_quantity(text).scaleb(9))) for name, text in stated)
    return Ask(tuple(sorted((name, amount) for name, amount in nanos if amount > 0)), nodes)


def _nanos(text: str) -> int:
    try:
        return max(0, int(parse_quantity(text).scaleb(9)))
    except ValueError:
        # What cannot be read offers nothing; health owns the field and reports the fault.
        return 0


def _open_to(
    ask: Ask, nodes: Sequence[NodeRoom], unknown_labels: frozenset[str] | None
) -> Sequence[NodeRoom]:
    """Return the nodes that the replica may be bound to, as far as can be known."""
    selector, tolerations = ask.nodes.selector, ask.nodes.tolerations
    if selector and unknown_labels is not None and EVERY_OTHER_LABEL not in unknown_labels:
        known = [pair for pair in selector if pair[0] not in unknown_labels]
        nodes = [one for one in nodes if all(one.labels.get(key) == at for key, at in known)]
    return [
        one
        for one in nodes
        if not one.taints or not untolerated(one.taints, tolerations, _KEEPS_AWAY)
    ]


def _fitting(free: Amounts, requests: Requests) -> int:
    fitting = free[PODS] // NANO if PODS in free else PODS_PER_NODE
    for name, amount in requests:
        fitting = min(fitting, free.get(name, 0) // amount)
    return fitting


def _within(quota: Amounts, requests: Requests) -> int:
    """How many replicas a quota allows; what it does not name is not limited."""
    asked = (*requests, (PODS, NANO))
    return min((quota[name] // amount for name, amount in asked if name in quota), default=2**31)


def _less(free: Amounts, requests: Requests, replicas: int) -> Amounts:
    asked = (*requests, (PODS, NANO))
    return {
        **free,
        **{name: max(0, free[name] - replicas * amount) for name, amount in asked if name in free},
    }


def _seated(
    nodes: Sequence[NodeRoom], chosen: set[int], requests: Requests, replicas: int
) -> list[list[NodeRoom]]:
    """Bind *replicas* to the emptiest of the *chosen* nodes, as Kubernetes does by default.

    Each node goes on in one part, or in two where not all of its sort take as many.
    """
    fits = [_fitting(one.free, requests) if id(one) in chosen else 0 for one in nodes]
    level = max(fits, default=0)
    taken = 0
    while level and taken < replicas:
        level -= 1
        taken += sum(one.count for one, fit in zip(nodes, fits, strict=True) if fit > level)
    # At the last level some nodes are spared.
    spared = max(0, taken - replicas)
    found = []
    for one, fit in zip(nodes, fits, strict=True):
        here = min(spared, one.count) if fit > level else 0
        spared -= here
        parts = ((one.count - here, max(0, fit - level)), (here, max(0, fit - level - 1)))
        found.append(
            [
                replace(one, count=count, free=_less(one.free, requests, each))
                if each
                else replace(one, count=count)
                for count, each in parts
                if count
            ]
        )
    return found
