"""A member of the fleet as decisions see it: what of a cluster matters, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.scheduler.core.room import Room, Taken, read_room
from shared.api.cluster import JOINED, READY, Cluster, Taint


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What of a cluster matters to a decision. Two equal ones give equal decisions.

    `serves` None: what it serves is not known. `room` None: that is not known. `readable`
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
    room: Room | None = None
    groups: frozenset[str] = frozenset()
    pulled: bool = False
    """A propagator beside it works for it; `fence_term` is that of its lease, 0 for none yet."""
    fence_term: int = 0
    fence_held: bool = False
    described: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        cluster: Cluster,
        groups: frozenset[str] = frozenset(),
        own_taints: tuple[Taint, ...] = (),
    ) -> "Member":
        """*own_taints* are those of this moment that stand nowhere."""
        conditions = {one.type: one.status for one in cluster.status.conditions}
        enablements = cluster.status.api_enablements
        fence = cluster.status.fence
        return cls(
            name=cluster.metadata.name,
            labels=cluster.metadata.labels,
            place={
                "provider": cluster.spec.provider,
                "region": cluster.spec.region,
                "zone": cluster.spec.zone,
            },
            taints=cluster.taints + own_taints,
            joined=conditions.get(JOINED) == "True",
            ready=conditions.get(READY) == "True",
            leaving=cluster.metadata.deletion_timestamp is not None
            or cluster.spec.leaving in ("Move", "Remove"),
            emptied=cluster.spec.leaving == "Remove",
            serves=frozenset(
                (served.group_version, resource.kind)
                for served in enablements
                for resource in served.resources
            )
            if enablements
            else None,
            room=read_room(cluster.status.capacity),
            groups=groups,
            pulled=cluster.spec.mode == "Pull",
            fence_term=fence.term if fence is not None else 0,
            fence_held=fence is not None and fence.held,
            described=_describe(cluster),
        )

    def without(self, taken: Sequence[Taken]) -> "Member":
        """Return it with the room that *taken* replicas leave."""
        if self.room is None or not taken:
            return self
        return replace(self, room=self.room.without(taken))

    @classmethod
    def unreadable(cls, name: str) -> "Member":
        return cls(name=name, joined=False, ready=False, readable=False)


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
