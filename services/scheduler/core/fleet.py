"""The fleet as one decision sees it: an immutable snapshot of every member.

Built once per change of a cluster, not per decision; what decisions of the same kind share (who an
affinity covers, how much room a request finds) is worked out once and remembered with it.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import msgspec

from shared.api.cluster import JOINED, READY, Capacity, Cluster, Taint
from shared.api.matching import covers_place
from shared.api.selection import ClusterAffinity
from shared.apimachinery.quantity import parse_quantity

_NANO = 10**9
# What a kubelet accepts where its node does not say (`--max-pods`).
_PODS_PER_NODE = 110
PODS = "pods"
# Far more than a federation has sorts of policies and of requests at a time.
_REMEMBERED_MAX = 4_096

Remembered = TypeVar("Remembered")
Requests = tuple[tuple[str, int], ...]
"""What one replica asks for, in nano-units and in order of the resource's name."""

_encode = msgspec.json.Encoder().encode


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

    @classmethod
    def of(cls, cluster: Cluster) -> "Member":
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
        )

    @classmethod
    def unreadable(cls, name: str) -> "Member":
        return cls(name=name, joined=False, ready=False, readable=False)

    def room_for(self, requests: Requests) -> int | None:
        """How many replicas fit beside what runs; None where the room is not known."""
        if self.nodes is None:
            return None
        return sum(node.count * _fitting(node.free, requests) for node in self.nodes)


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


class Fleet:
    """All members by name, in order of their names.

    `arriving` names the kinds (group, kind) that a CustomResourceDefinition under way will bring,
    and the members it is placed on: they will serve the kind although they do not yet.
    """

    def __init__(
        self,
        members: Iterable[Member],
        arriving: Mapping[tuple[str, str], frozenset[str]] | None = None,
    ) -> None:
        self.members: Mapping[str, Member] = {
            member.name: member for member in sorted(members, key=lambda one: one.name)
        }
        self.arriving: Mapping[tuple[str, str], frozenset[str]] = arriving or {}
        # What does not depend on free room; shared with snapshots that differ in room only.
        self._remembered: dict[Hashable, Any] = {}
        # Room by member and by request; shared likewise for members that are the same.
        self._rooms: dict[str, dict[Requests, int | None]] = {name: {} for name in self.members}
        self._room: dict[Requests, Mapping[str, int | None]] = {}

    def holds(self, name: str) -> bool:
        """Whether what is on the member of that name counts."""
        member = self.members.get(name)
        return member is not None and not member.emptied

    @classmethod
    def of(cls, clusters: Iterable[Cluster]) -> "Fleet":
        return cls(Member.of(cluster) for cluster in clusters)

    def with_room_of(self, member: Member) -> "Fleet":
        """Return the snapshot after a change of one member's free room and nothing else.

        What was worked out without regard to room stays known: room changes all the time.
        """
        changed = Fleet(())
        changed.members = {**self.members, member.name: member}
        changed.arriving = self.arriving
        # Another instance of this class: its parts are ours to share.
        changed._remembered = self._remembered
        changed._rooms = {**self._rooms, member.name: {}}
        return changed

    def remember(self, key: Hashable, work_out: Callable[[], Remembered]) -> Remembered:
        """Work something out once; *key* must name all it depends on beside members' rooms."""
        try:
            return cast("Remembered", self._remembered[key])
        except KeyError:
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            return cast("Remembered", self._remembered.setdefault(key, work_out()))

    @property
    def names(self) -> frozenset[str]:
        return self.remember("names", lambda: frozenset(self.members))

    def covered_by(self, affinity: ClusterAffinity | None) -> frozenset[str]:
        """Names of the members *affinity* covers; raises `InvalidObject`."""
        if affinity is None:
            return self.names
        return self.remember(
            ("covered", _encode(affinity)),
            lambda: frozenset(
                member.name
                for member in self.members.values()
                if member.readable
                and covers_place(affinity, member.name, member.labels, member.place)
            ),
        )

    def room_for(self, requests: Requests) -> Mapping[str, int | None]:
        """How many such replicas fit in each member; None where that is not known."""
        found = self._room.get(requests)
        if found is None:
            found = {}
            for name, known in self._rooms.items():
                if requests not in known:
                    if len(known) >= _REMEMBERED_MAX:
                        known.clear()
                    known[requests] = self.members[name].room_for(requests)
                found[name] = known[requests]
            self._room[requests] = found
        return found
