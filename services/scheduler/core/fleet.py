"""The fleet as one decision sees it: an immutable snapshot of every member.

Built once per change of a cluster, not per decision; what decisions of the same kind share (who an
affinity covers, how much room a request finds) is worked out once and remembered with it.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar, cast

import msgspec

from services.scheduler.core.affinity import covers
from services.scheduler.core.member import Member
from services.scheduler.core.roll import Roll
from services.scheduler.core.room import Ask
from services.scheduler.core.rooms import Rooms
from shared.api.cluster import Cluster
from shared.api.placement import PlacementAffinity
from shared.apimachinery.taints import NO_EXECUTE

# Far more than a federation has sorts of policies and of requests at a time.
_REMEMBERED_MAX = 4_096

Remembered = TypeVar("Remembered")

_encode = msgspec.json.Encoder().encode


class Fleet:
    """All members by name, in order of their names.

    `arriving` names the kinds (group, kind) that a CustomResourceDefinition under way will bring,
    and the members it is placed on: they will serve the kind although they do not yet. `scopes`
    names the groups that a namespace is bound to.
    """

    def __init__(
        self,
        members: Iterable[Member],
        arriving: Mapping[tuple[str, str], frozenset[str]] | None = None,
        scopes: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self.members: Mapping[str, Member] = {
            member.name: member for member in sorted(members, key=lambda one: one.name)
        }
        self.arriving: Mapping[tuple[str, str], frozenset[str]] = arriving or {}
        self.scopes: Mapping[str, frozenset[str]] = scopes or {}
        # What does not depend on free room; shared with snapshots that differ in room only.
        self._remembered: dict[Hashable, Any] = {}
        self._rooms = Rooms(self.members)
        self._roll: Roll | None = None

    def holds(self, name: str) -> bool:
        """Whether what is on the member of that name counts."""
        member = self.members.get(name)
        return member is not None and not member.emptied

    @classmethod
    def of(cls, clusters: Iterable[Cluster]) -> "Fleet":
        return cls(Member.of(cluster) for cluster in clusters)

    def with_rooms_of(self, changed: Iterable[Member]) -> "Fleet":
        """Return the snapshot after a change of some members' rooms and of nothing else.

        What was worked out without regard to room stays known: room changes all the time.
        """
        after = {member.name: member for member in changed}
        found = Fleet(())
        found.members = {**self.members, **after}
        found.arriving, found.scopes = self.arriving, self.scopes
        # Another instance of this class: its parts are ours to share.
        found._remembered, found._roll = self._remembered, self.roll
        found._rooms = self._rooms.after(found.members, after.values())
        return found

    @property
    def lineage(self) -> object:
        """The same for all snapshots that came from one by changes of room."""
        return self._remembered

    def remember(self, key: Hashable, work_out: Callable[[], Remembered]) -> Remembered:
        """Work something out once; *key* must name all it depends on beside members' rooms."""
        try:
            return cast("Remembered", self._remembered[key])
        except KeyError:
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            return cast("Remembered", self._remembered.setdefault(key, work_out()))

    @property
    def roll(self) -> Roll:
        """All members by number."""
        if self._roll is None:
            self._roll = Roll(self.members)
        return self._roll

    @property
    def names(self) -> frozenset[str]:
        return self.remember("names", lambda: frozenset(self.members))

    @property
    def quiet(self) -> frozenset[str]:
        """Name the members that nothing has to leave for what they are."""
        return self.remember(
            "quiet",
            lambda: frozenset(
                member.name
                for member in self.members.values()
                if member.readable
                and not (member.leaving or member.emptied)
                and not any(taint.effect == NO_EXECUTE for taint in member.taints)
            ),
        )

    def covered_by(self, affinity: PlacementAffinity | None) -> frozenset[str]:
        """Names of the members *affinity* covers; raises `InvalidObject`."""
        if affinity is None:
            return self.names
        return self.remember(
            ("covered", _encode(affinity)),
            lambda: frozenset(
                member.name
                for member in self.members.values()
                if member.readable and covers(affinity, member)
            ),
        )

    def covered_by_any(self, affinities: tuple[PlacementAffinity | None, ...]) -> frozenset[str]:
        """Names of the members that one of *affinities* covers."""
        if len(affinities) == 1:
            return self.covered_by(affinities[0])
        return frozenset().union(*(self.covered_by(one) for one in affinities))

    def room_for(self, ask: Ask, namespace: str = "") -> Mapping[str, int | None]:
        """How many such replicas fit in each member; None where that is not known.

        Shared, so never change it. *namespace* is that whose quotas count.
        """
        return self._rooms.answer(ask, namespace)

    def closed_by_quota(self, ask: Ask, namespace: str) -> frozenset[str]:
        """Name the members where the namespace's quota alone leaves no room for a replica."""
        return self._rooms.closed(ask, namespace)
