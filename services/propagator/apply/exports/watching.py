"""Which watches of a member run for the sake of its exports: as few as will do.

Services and slices are watched only in namespaces with an export, each by itself; where those are
many, all namespaces by one watch. Namespaces and derived Services are watched once anything is
imported anywhere.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable

from services.propagator.apply.exports.view import (
    SERVICES,
    SLICES,
    NamespaceSink,
    Part,
    Place,
    SlicesByService,
    Table,
)
from services.propagator.apply.watches import KindWatch
from services.propagator.core.exported import ServiceObject, addresses_of, read_service_object
from shared.api.multicluster import (
    EXPORT,
    EXPORTS,
    MANAGER,
    MULTICLUSTER_GROUP,
    SERVICE_MANAGED_BY,
    SERVICE_NAME_LABEL,
    SERVICES_VERSION,
    SLICE_MANAGED_BY,
    derived_service_name,
)
from shared.apimachinery.manifest import GroupVersionKind
from shared.memberapi.port import MemberApi, MemberListing, ResourceType

NAMESPACES_MAX = 8
"""Beyond so many namespaces with exports, all are watched at once."""

_ALL = ""
_LOOK_SECONDS = 0.5
# What was imported is no export; without that each change of it would be sent twice.
_OWN_SERVICES = f"{SERVICE_MANAGED_BY}!={MANAGER}"
_OWN_SLICES = f"{SLICE_MANAGED_BY}!={MANAGER}"
_NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
_EXPORTS = tuple(
    ResourceType(GroupVersionKind(MULTICLUSTER_GROUP, version, EXPORT), EXPORTS, namespaced=True)
    for version in (SERVICES_VERSION, "v1alpha1")
)

Watch = KindWatch[ServiceObject]


class ExportWatches:
    """Of one member; what they show is in the tables, and told as services that changed."""

    def __init__(
        self,
        cluster: str,
        api: MemberApi,
        group: asyncio.TaskGroup,
        *,
        changed: Callable[[Place], None],
        exports_changed: Callable[[Iterable[Place]], None],
        namespaces_changed: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._api = api
        self._group = group
        self._exports_changed = exports_changed
        self.exports = Table(self._on_export)
        self.services = Table(lambda live: changed(live.place))
        self.slices = SlicesByService(changed)
        self.derived = Table(self._on_derived)
        self.namespaces = Table(lambda _live: namespaces_changed())
        self._namespaces_changed = namespaces_changed
        self._changed = changed
        sink = _ExportSink(self.exports, exports_changed)
        self._own = [self._watch(kind, sink) for kind in _EXPORTS]
        self._scopes: dict[str, tuple[tuple[Watch, Watch], list[asyncio.Task[None]]]] = {}
        self._imports: tuple[Watch, Watch] | None = None

    async def run(self) -> None:
        """Watch the member's own exports, in the newest version that it serves, until cancelled."""
        newest, older = self._own
        self._group.create_task(newest.run(), name=f"exports-{self._cluster}")
        while not (newest.synced or newest.absent):
            await newest.answered.wait()
            await asyncio.sleep(_LOOK_SECONDS)
        if not newest.synced:
            self._group.create_task(older.run(), name=f"old-exports-{self._cluster}")
            await older.answered.wait()
            self._exports_changed(())
        await asyncio.Event().wait()

    @property
    def exports_known(self) -> bool:
        """Whether all exports of the member were listed, or it has no such thing."""
        newest, older = self._own
        return newest.synced or older.synced or (newest.absent and older.absent)

    def look_soon(self) -> None:
        """Try again now what was not served, or did not answer."""
        for watch in self._own:
            watch.look_soon()

    def watch_imports(self) -> None:
        """Something is imported: see which namespaces there are, and what addresses were given."""
        if self._imports is None:
            derived = self._watch(SERVICES, NamespaceSink(self.derived), SERVICE_NAME_LABEL)
            places = self._watch(_NAMESPACES, NamespaceSink(self.namespaces))
            self._imports = derived, places
            for watch in self._imports:
                self._group.create_task(watch.run(), name=f"imports-{self._cluster}")

    @property
    def imports_known(self) -> bool:
        return self._imports is not None and all(one.synced for one in self._imports)

    def adjust(self, namespaces: Collection[str]) -> None:
        """Watch Services and slices in *namespaces*, and nowhere else."""
        many = len(namespaces) > NAMESPACES_MAX
        wanted = {_ALL} if many else set(namespaces)
        for namespace in wanted - self._scopes.keys():
            watches = (
                self._watch(
                    SERVICES, NamespaceSink(self.services, namespace), _OWN_SERVICES, namespace
                ),
                self._watch(
                    SLICES, NamespaceSink(self.slices.table, namespace), _OWN_SLICES, namespace
                ),
            )
            name = f"exported-{self._cluster}-{namespace}"
            tasks = [self._group.create_task(one.run(), name=name) for one in watches]
            self._scopes[namespace] = watches, tasks
        for namespace in self._scopes.keys() - wanted:
            for task in self._scopes.pop(namespace)[1]:
                task.cancel()

            def unwatched(place: str) -> bool:
                return place not in namespaces

            self.services.forget(unwatched)
            self.slices.table.forget(unwatched)

    def is_watched(self, namespace: str) -> bool:
        return namespace in self._scopes or _ALL in self._scopes

    def is_known(self, namespace: str) -> bool:
        """Whether all Services and slices of *namespace* were listed."""
        found = self._scopes.get(namespace) or self._scopes.get(_ALL)
        return found is not None and all(one.synced for one in found[0])

    def _watch(
        self, kind: ResourceType, sink: Part, selector: str = "", namespace: str = ""
    ) -> Watch:
        return KindWatch(
            self._cluster,
            self._api,
            kind,
            sink,
            selector=selector,
            read=read_service_object,
            namespace=namespace,
        )

    def ips_of(self, place: Place) -> tuple[str, ...]:
        """The addresses by which the member's own clients reach an imported service."""
        namespace, name = place
        derived = self.derived.get((namespace, derived_service_name(namespace, name)))
        return addresses_of(derived) if derived is not None else ()

    @property
    def importing(self) -> set[str]:
        """Namespaces with something imported, whatever the hub has of it now."""
        found = ((place, self.derived.get(place)) for place in self.derived)
        return {
            place[0]
            for place, live in found
            if live is not None and place[1] == derived_service_name(*_imported(live))
        }

    def _on_derived(self, live: ServiceObject) -> None:
        # Others label Services of their own as derived, too: by the name it is known to be ours.
        imported = _imported(live)
        if live.metadata.name == derived_service_name(*imported):
            self._changed(imported)
            if self.derived.get(live.place) is None:
                self._namespaces_changed()

    def _on_export(self, live: ServiceObject) -> None:
        self._exports_changed((live.place,))
        self._changed(live.place)


class _ExportSink(NamespaceSink):
    def __init__(self, table: Table, changed: Callable[[Iterable[Place]], None]) -> None:
        super().__init__(table)
        self._listed = changed

    def on_listing(self, kind: ResourceType, listing: MemberListing) -> None:
        super().on_listing(kind, listing)
        self._listed(())


def _imported(derived: ServiceObject) -> Place:
    labels = derived.metadata.labels or {}
    return derived.metadata.namespace, labels.get(SERVICE_NAME_LABEL, "")
