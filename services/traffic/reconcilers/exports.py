"""What all members export and import, folded into the catalogue as it changes.

Every process of traffic does so, wherever it runs; it needs ENDPOINTS, and of the store the members
and the exports of the hub. Nothing is concluded before all that was reported has been read.
"""

import contextlib
from collections.abc import Callable, Collection
from functools import partial

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.folding import Place, place_of
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.export_table import ExportTable
from services.traffic.reconcilers.guarding import Guard
from shared.api.cluster import Cluster
from shared.api.meta import GROUP, read
from shared.api.multicluster import SERVICE_EXPORTS
from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import ENDPOINTS
from shared.errors import InvalidObject
from shared.events import subjects
from shared.events.exports import decode_namespaces, decode_service, decode_slice
from shared.store.port import Change, ChangeType, Mirror, ObjectStore, Scope

_TASK = "exports"
CLUSTERS = Scope.of(GroupResource(GROUP, "clusters"))
HUB_EXPORTS = Scope.of(SERVICE_EXPORTS)

Wake = Callable[[ServiceName, bool], None]
"""Told whether endpoints changed, for which clients wait."""


async def confirmed_fleet(
    store: ObjectStore, known: Collection[str], held: Collection[str]
) -> set[str]:
    """Members now; of those that *held* something, one that left is confirmed with the store.

    For its orders are forgotten.
    """
    fleet = set(known)
    for cluster in set(held) - fleet:
        if await store.get(ObjectKey(GROUP, "clusters", "", cluster)) is not None:
            fleet.add(cluster)
    return fleet


class ExportFollower:
    """Keeps the table and the catalogue, and tells of every service that is concerned."""

    def __init__(
        self,
        bus: Bus,
        mirror: Mirror,
        table: ExportTable,
        catalogue: LiveCatalogue,
        guard: Guard,
    ) -> None:
        self._guard = guard
        self._bus = bus
        self._mirror = mirror
        self._table = table
        self._catalogue = catalogue
        self._listeners: list[Wake] = []

    def listen(self, listener: Wake) -> Callable[[], None]:
        """Call *listener* with each service to look at, all there are first."""
        self._listeners.append(listener)
        for name in self.known():
            listener(name, False)
        return lambda: self._listeners.remove(listener)

    def known(self) -> set[ServiceName]:
        """Services that somebody exports, or imports still."""
        exports = self._mirror.items(HUB_EXPORTS)
        hub = {ServiceName(one.key.namespace, one.key.name) for one in exports}
        return hub | self._table.reports.keys()

    async def run(self) -> None:
        """Until cancelled."""
        stop = self._mirror.on_change(self._on_change)
        try:
            for stored in list(self._mirror.items(CLUSTERS)):
                with self._guard.taking(_TASK, stored.key):
                    self._note_cluster(stored.key.name, stored.manifest)
            async with self._bus.follow(ENDPOINTS, [f"{subjects.ENDPOINTS}.>"]) as messages:
                async for message in messages:
                    if isinstance(message, CaughtUp):
                        self._catch_up(message)
                        continue
                    subject = message.subject
                    with self._guard.taking(_TASK, subject, partial(self._told_of, subject)):
                        self._take(message)
        finally:
            stop()

    def _catch_up(self, caught_up: CaughtUp) -> None:
        if caught_up.shown is not None:
            for name in self._table.forget_beside(caught_up.shown):
                self._concern(name)
        first = not self._catalogue.synced.is_set()
        self._catalogue.synced.set()
        if first:
            for name in self.known():
                self._concern(name)

    def _take(self, message: Message) -> None:
        cluster, place, slice_ = subjects.parse_endpoints(message.subject)
        if place is None:
            self._take_namespaces(cluster, message.body)
            return
        name = ServiceName(*place)
        if self._is_news(name, cluster, slice_, message.body):
            self._concern(name)

    def _is_news(self, name: ServiceName, cluster: str, slice_: str, body: bytes) -> bool:
        """Take in what is said of a service or a slice; whether that concerns anybody."""
        table = self._table
        if slice_:
            if not body:
                return table.drop_slice(name, cluster, slice_)
            return table.take_slice(name, cluster, decode_slice(body))
        if not body:
            return table.drop(name, cluster)
        table.take(name, cluster, decode_service(body))
        return True

    def _told_of(self, subject: str, why: str) -> None:
        """What was known before stands; whoever writes tells of it."""
        with contextlib.suppress(ValueError):
            cluster, place, _ = subjects.parse_endpoints(subject)
            if place is not None:
                self._note_unread(ServiceName(*place), cluster, why)
                self._wake(ServiceName(*place), pressing=False)

    def _note_unread(self, name: ServiceName, cluster: str, why: str) -> None:
        self._table.unread.setdefault(name, {})[cluster] = why

    def _take_namespaces(self, cluster: str, body: bytes) -> None:
        before = self._table.namespaces.get(cluster)
        if not body:
            self._table.namespaces.pop(cluster, None)
            self._table.names.pop(cluster, None)
            self._table.reach.pop(cluster, None)
            return
        report = decode_namespaces(body)
        after = frozenset(report.namespaces)
        self._table.namespaces[cluster] = after
        told = (self._table.names.get(cluster), self._table.reach.get(cluster))
        spoken = told != (report.names, report.reach)
        self._table.names[cluster] = report.names
        self._table.reach[cluster] = report.reach
        moved = after if before is None else after ^ before
        concerned = self.known() if spoken else set()
        self._concern_all(
            lambda name: before is None or name.namespace in moved or name in concerned
        )

    def _on_change(self, change: Change) -> None:
        key = change.stored.key
        with self._guard.taking(_TASK, key):
            if HUB_EXPORTS.covers(key):
                self._concern(ServiceName(key.namespace, key.name))
            elif CLUSTERS.covers(key):
                gone = change.type is ChangeType.DELETED
                self._note_cluster(key.name, None if gone else change.stored.manifest)

    def _note_cluster(self, cluster: str, manifest: Manifest | None) -> None:
        before = self._table.fleet.get(cluster)
        after = _place(manifest) if manifest is not None else None
        if after is None:
            self._table.fleet.pop(cluster, None)
        else:
            self._table.fleet[cluster] = after
        if before is None or after is None or _imports(before) != _imports(after):
            self._concern_all(lambda _name: True)
        elif before != after:
            for name in self._table.services_of(cluster):
                self._concern(name)

    def _concern_all(self, which: Callable[[ServiceName], bool]) -> None:
        for name in self.known():
            if which(name):
                self._concern(name)

    def _concern(self, name: ServiceName) -> None:
        self._table.touch(name)
        if not self._catalogue.synced.is_set():
            return
        before = self._catalogue.get(name)
        pressing = False
        with self._guard.taking(_TASK, name, partial(self._note_unread, name, "")):
            after = self._table.fold(name).service
            if after is None:
                self._catalogue.remove(name)
            else:
                self._catalogue.put(after)
            pressing = before is None or after is None or before.exporters != after.exporters
        self._wake(name, pressing=pressing)

    def _wake(self, name: ServiceName, *, pressing: bool) -> None:
        for listener in tuple(self._listeners):
            listener(name, pressing)


def _imports(place: Place) -> tuple[str, bool]:
    """What of a member decides which imports it gets, of services that it never spoke of, too."""
    return place.services_api, place.leaving


def _place(manifest: Manifest) -> Place:
    try:
        return place_of(read(manifest, Cluster))
    except InvalidObject:
        return Place()
