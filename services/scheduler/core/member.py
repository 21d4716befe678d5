"""A member of the fleet as decisions see it: what of a cluster matters, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.api.cluster import JOINED, READY, Capacity, Cluster, Taint
from shared.apimachinery.quantity import parse_quantity

_NANO = 10**9
# What a kubelet accepts where its node does not say (`--max-pods`).
_PODS_PER_NODE = 110
PODS = "pods"

Requests = tuple[tuple[str, int], ...]
"""What one replica asks for, in nano-units and in order of the resource's name."""


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """So many nodes with this much free, in nano-units."""

    count: int
    free: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What of a cluster matters to a decision. Two equal ones give equal decisions.

    `serves` None: what it serves is not known. `nodes` None: its room is not known. `readable`
    False stands for a Cluster object that cannot be read: it takes nothing and keeps what it has.
    `groups` are the ClusterGroups it is in; `described` is what CEL expressions see of it.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    place: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    joined: bool = True
    ready: bool = True
    leaving: bool = False
    emptied: bool = False
    """Nothing of what is there is to be waited for: it counts as gone."""
    readable: bool = True
    serves: frozenset[tuple[str, str]] | None = None
    nodes: tuple[NodeRoom, ...] | None = None
    groups: frozenset[str] = frozenset()
    described: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, cluster: Cluster, groups: frozenset[str] = frozenset()) -> "Member":
        conditions = {one.type: one.status for one in cluster.status.conditions}
        enablements = cluster.status.api_enablements
        return cls(
            name=cluster.metadata.name,
            labels=cluster.metadata.labels,
            place={
                "provider": cluster.spec.provider,
                "region": cluster.spec.region,
                "zone": cluster.spec.zone,
            },
            taints=cluster.taints,
            joined=conditions.get(JOINED) == "True",
            ready=conditions.get(READY) == "True",
            leaving=cluster.metadata.deletion_timestamp is not None or bool(cluster.spec.leaving),
            emptied=cluster.spec.leaving == "Remove",
            serves=frozenset(
                (served.group_version, resource.kind)
                for served in enablements
                for resource in served.resources
            )
            if enablements
            else None,
            nodes=_nodes(cluster.status.capacity),
            groups=groups,
            described=_describe(cluster),
        )

    @classmethod
    def unreadable(cls, name: str) -> "Member":
        return cls(name=name, joined=False, ready=False, readable=False)

    def room_for(self, requests: Requests) -> int | None:
        """How many replicas fit beside what runs; None where the room is not known."""
        if self.nodes is None:
            return None
        return sum(node.count * _fitting(node.free, requests) for node in self.nodes)


def _describe(cluster: Cluster) -> Mapping[str, Any]:
    """Return the Cluster for CEL: every field of its spec, and of the rest what seldom changes."""
    metadata, spec, status = cluster.metadata, cluster.spec, cluster.status
    return {
        "metadata": {
            "name": metadata.name,
            "labels": metadata.labels,
            "annotations": metadata.annotations,
        },
        "spec": {
            "mode": spec.mode,
            "apiEndpoint": spec.api_endpoint,
            "provider": spec.provider,
            "region": spec.region,
            "zone": spec.zone,
            "taints": [
                {"key": one.key, "value": one.value, "effect": one.effect} for one in spec.taints
            ],
        },
        "status": {
            "id": status.id,
            "kubernetesVersion": status.kubernetes_version,
            "conditions": [{"type": one.type, "status": one.status} for one in status.conditions],
        },
    }


def _nodes(capacity: Capacity | None) -> tuple[NodeRoom, ...] | None:
    if capacity is None:
        return None
    return tuple(
        NodeRoom(one.count, {name: _nanos(text) for name, text in one.free.items()})
        for one in capacity.node_classes
        if one.count > 0
    )


def _nanos(text: str) -> int:
    try:
        return max(0, int(parse_quantity(text).scaleb(9)))
    except ValueError:
        # What cannot be read offers nothing; health owns the field and reports the fault.
        return 0


def _fitting(free: Mapping[str, int], requests: Requests) -> int:
    fitting = free[PODS] // _NANO if PODS in free else _PODS_PER_NODE
    for name, amount in requests:
        fitting = min(fitting, free.get(name, 0) // amount)
    return fitting


def requests_of(stated: Mapping[str, str]) -> Requests:
    """Read a replica's requests for `room_for`; raises ValueError for an unparsable quantity."""
    nanos = ((name, int(parse_quantity(text).scaleb(9))) for name, text in stated.items())
    return tuple(sorted((name, amount) for name, amount in nanos if amount > 0))
