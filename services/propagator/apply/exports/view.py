"""What is seen in one member of its exports: objects by place, and which services that concerns."""

from collections.abc import Callable, Iterator
from typing import Protocol

from services.propagator.core.export_intake import TakenSlice
from services.propagator.core.exported import ServiceObject, service_object, taken_of
from shared.apimachinery.manifest import GroupVersionKind
from shared.memberapi.port import MemberListing, ResourceType

Place = tuple[str, str]
"""Namespace and name of a service."""

SERVICES = ResourceType(GroupVersionKind("", "v1", "Service"), "services", namespaced=True)
SLICES = ResourceType(
    GroupVersionKind("discovery.k8s.io", "v1", "EndpointSlice"), "endpointslices", namespaced=True
)


class Part(Protocol):
    """Objects of one kind, as far as its watches show them; a sink of those."""

    def on_listing(self, kind: ResourceType, listing: MemberListing) -> None: ...

    def on_event(self, kind: ResourceType, event: str, live: ServiceObject) -> None: ...


class Table:
    """Objects of one kind by their place. *changed* is told of each that is another than before.

    One table may have several watches, of a namespace each: *within* says which a list is of.
    """

    def __init__(self, changed: Callable[[ServiceObject], None]) -> None:
        self._changed = changed
        self._objects: dict[Place, ServiceObject] = {}

    def get(self, place: Place) -> ServiceObject | None:
        return self._objects.get(place)

    def __iter__(self) -> Iterator[Place]:
        return iter(tuple(self._objects))

    def listed(self, listing: MemberListing, within: Callable[[str], bool]) -> None:
        """Take a list for all there is in namespaces that are *within*."""
        shown = {one.place: one for one in map(service_object, listing.items)}
        for place in self:
            if within(place[0]) and place not in shown:
                self._changed(self._objects.pop(place))
        for one in shown.values():
            self.put(one)

    def put(self, live: ServiceObject) -> None:
        self._objects[live.place] = live
        self._changed(live)

    def remove(self, live: ServiceObject) -> None:
        if self._objects.pop(live.place, None) is not None:
            self._changed(live)

    def forget(self, within: Callable[[str], bool]) -> None:
        """Nobody watches there any more."""
        for place in self:
            if within(place[0]):
                self._changed(self._objects.pop(place))


class NamespaceSink:
    """What one watch shows, of one namespace or of all, goes into *table*."""

    def __init__(self, table: Table, namespace: str = "") -> None:
        self._table = table
        self._namespace = namespace

    def on_listing(self, _kind: ResourceType, listing: MemberListing) -> None:
        self._table.listed(listing, self._within)

    def on_event(self, _kind: ResourceType, event: str, live: ServiceObject) -> None:
        if event == "DELETED":
            self._table.remove(live)
        else:
            self._table.put(live)

    def _within(self, namespace: str) -> bool:
        return not self._namespace or namespace == self._namespace


class SlicesByService:
    """Which slices there are of each service."""

    def __init__(self, changed: Callable[[Place], None]) -> None:
        self._changed = changed
        self._places: dict[Place, set[Place]] = {}
        self._owner: dict[Place, Place] = {}
        self._taken: dict[Place, tuple[ServiceObject, TakenSlice]] = {}
        self.table = Table(self._note)

    def of(self, service: Place) -> list[ServiceObject]:
        found = (self.table.get(place) for place in self._places.get(service, ()))
        return [one for one in found if one is not None]

    def taken(self, slice_: ServiceObject) -> TakenSlice:
        """What is taken in of it: read once, and the same object until it changes."""
        known = self._taken.get(slice_.place)
        if known is None or known[0] is not slice_:
            known = self._taken[slice_.place] = slice_, taken_of(slice_)
        return known[1]

    def _note(self, live: ServiceObject) -> None:
        place = live.place
        if self.table.get(place) is None:
            self._taken.pop(place, None)
        before = self._owner.pop(place, None)
        if before is not None:
            self._places[before].discard(place)
            if not self._places[before]:
                del self._places[before]
            self._changed(before)
        if self.table.get(place) is None or not live.slice_of:
            return
        owner = self._owner[place] = (live.metadata.namespace, live.slice_of)
        self._places.setdefault(owner, set()).add(place)
        if owner != before:
            self._changed(owner)
