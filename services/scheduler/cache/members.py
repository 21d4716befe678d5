"""The members and the groups they are in, as the store has them; the snapshot of this moment."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import structlog

from services.scheduler.cache.reading import read_group
from services.scheduler.cache.signal_book import SignalBook
from services.scheduler.core.change.triggers import differ_in_room_only
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.groups import scopes_of
from services.scheduler.core.member import Member
from services.scheduler.core.signals.values import ClusterSignals
from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.maintenance import maintenance_at
from shared.api.matching import groups_of
from shared.api.meta import GROUP, read_json
from shared.apimachinery.manifest import ObjectKey
from shared.clock import Clock
from shared.errors import InvalidObject
from shared.store.port import Change, ChangeType, Mirror, Stored

log = structlog.get_logger("hanse.scheduler")

CLUSTERS = "clusters"
GROUPS = "clustergroups"

MemberChange = tuple[str, Member | None, Member | None]
"""A member's name, and what it was and is."""


class Members:
    """Parsed once, `Fleet` built once per change."""

    def __init__(
        self,
        mirror: Mirror,
        arriving: Callable[[], Mapping[tuple[str, str], frozenset[str]]],
        clock: Clock,
    ) -> None:
        self._mirror = mirror
        self._arriving = arriving
        self._groups: dict[str, ClusterGroup] = {}
        self._members: dict[str, Member] = {}
        self._fleet: Fleet | None = None
        self._clock = clock
        # When something about a member changes by itself.
        self._turns: dict[str, datetime] = {}
        self._changed_at = clock.now()
        # Apart from the members: what it tells changes often, and wakes nobody.
        self.signals = SignalBook()

    def fleet(self) -> Fleet:
        """Return the snapshot of this moment; the same one until a member changes."""
        if self._fleet is None:
            scopes = scopes_of(self._groups.values())
            self._fleet = Fleet(self._members.values(), self._arriving(), scopes)
        return self._fleet

    @property
    def rested(self) -> timedelta:
        """How long the clusters have been as they are, but for their room."""
        return self._clock.now() - self._changed_at

    def is_now(self, fleet: Fleet | None) -> bool:
        """Whether *fleet* is the snapshot of this moment."""
        return fleet is not None and fleet is self._fleet

    def forget_snapshot(self) -> None:
        """Build it anew when it is next asked for."""
        self._fleet = None

    def take_cluster(self, change: Change) -> MemberChange:
        name = change.stored.key.name
        before = self._members.get(name)
        after: Member | None = None
        if change.type is ChangeType.DELETED:
            self._members.pop(name, None)
            self.signals.note_cluster(name, None)
        else:
            after = self._members[name] = self._read(change.stored)
        self._note(before, after)
        return name, before, after

    def pass_time(self) -> Iterator[MemberChange]:
        """Look again at those whose maintenance begins or ends by now."""
        now = self._clock.now()
        due = [name for name, turn in self._turns.items() if turn <= now]
        for name in due:
            del self._turns[name]
        yield from self._read_again(due)

    def take_group(self, change: Change) -> tuple[frozenset[str], Iterable[MemberChange]]:
        """Return the namespaces that the change is about, and members that it changes."""
        name = change.stored.key.name
        before = self._groups.pop(name, None)
        after: ClusterGroup | None = None
        if change.type is not ChangeType.DELETED:
            after = read_group(change.stored) or before
        if after is not None:
            self._groups[name] = after
        if before is not None and after is not None and before.spec == after.spec:
            return frozenset(), ()
        self._fleet = None
        spoken = [one for one in (before, after) if one is not None]
        return frozenset(ns for one in spoken for ns in one.spec.namespaces), self._read_again(
            self._members
        )

    def _read_again(self, names: Iterable[str]) -> Iterator[MemberChange]:
        for name in list(names):
            before = self._members.get(name)
            stored = self._mirror.get(ObjectKey(GROUP, CLUSTERS, "", name))
            if stored is not None:
                after = self._members[name] = self._read(stored)
                self._note(before, after)
                yield name, before, after

    def _note(self, before: Member | None, after: Member | None) -> None:
        if before == after:
            return
        if before is None or after is None or not differ_in_room_only(before, after):
            self._changed_at = self._clock.now()
            self._fleet = None
        elif self._fleet is not None:
            self._fleet = self._fleet.with_rooms_of([after])

    def _read(self, stored: Stored) -> Member:
        try:
            cluster = read_json(stored.encoded, Cluster)
            maintenance = maintenance_at(cluster.spec.maintenance_windows, self._clock.now())
            if maintenance.changes_at is not None:
                self._turns[stored.key.name] = maintenance.changes_at
            groups = groups_of(cluster, self._groups.values())
            self.signals.note_cluster(stored.key.name, ClusterSignals.of(cluster))
            return Member.of(cluster, groups, maintenance.taints)
        except InvalidObject as err:
            log.warning("cluster.unreadable", cluster=stored.key.name, error=str(err))
            return Member.unreadable(stored.key.name)
