"""The built-in kinds with versions that differ, served from a store that keeps one of them.

Autoscalers are stored as autoscaling/v2, Events as core/v1. All other versions of a kind differ in
name only (CustomResourceDefinitions without a webhook), which is the renderer's affair.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from shared.apimachinery.manifest import GroupResource, GroupVersionKind, Manifest, ObjectKey
from shared.apiserver.versions.autoscalers import to_v1, to_v2
from shared.apiserver.versions.event_versions import to_core, to_events
from shared.store.port import (
    EVERYTHING,
    Change,
    Listing,
    Mirror,
    ObjectStore,
    Revision,
    Scope,
    Stored,
    Watch,
)

Convert = Callable[[Manifest], Manifest]


@dataclass(frozen=True, slots=True)
class Conversion:
    """From a version that is served to the one that is stored, and back."""

    to_stored: Convert
    to_served: Convert
    stored_as: GroupResource | None = None
    """Where the stored version is another resource."""


_CONVERSIONS = {
    GroupVersionKind("autoscaling", "v1", "HorizontalPodAutoscaler"): Conversion(to_v2, to_v1),
    GroupVersionKind("events.k8s.io", "v1", "Event"): Conversion(
        to_core, to_events, GroupResource("", "events")
    ),
}


def conversion_of(kind: GroupVersionKind) -> Conversion | None:
    """None for a kind that is stored as it is served."""
    return _CONVERSIONS.get(kind)


class ConvertedStore:
    """Implements `ObjectStore`: one resource in another version than the stored one."""

    def __init__(self, store: ObjectStore, resource: GroupResource, conversion: Conversion) -> None:
        self._store = store
        self._resource = resource
        self._stored = conversion.stored_as or resource
        self._conversion = conversion
        self.mirror: Mirror = _ConvertedMirror(store.mirror, self)

    def served(self, stored: Stored) -> Stored:
        if stored.key.group_resource != self._stored:
            return stored
        manifest = self._conversion.to_served(stored.manifest)
        key = _moved(stored.key, self._resource)
        return Stored(key, stored.revision, manifest, stored.trace)

    def place(self, key: ObjectKey) -> ObjectKey:
        """Return the key under which the object is stored."""
        return _moved(key, self._stored) if key.group_resource == self._resource else key

    def scope(self, scope: Scope) -> Scope:
        """Return where the objects in *scope* are stored."""
        if (scope.group, scope.resource) != (self._resource.group, self._resource.resource):
            return scope
        return replace(scope, group=self._stored.group, resource=self._stored.resource)

    def _kept(self, key: ObjectKey, manifest: Manifest) -> Manifest:
        convert = self._conversion.to_stored
        return convert(manifest) if key.group_resource == self._resource else manifest

    async def get(self, key: ObjectKey, *, not_older_than: Revision | None = None) -> Stored | None:
        found = await self._store.get(self.place(key), not_older_than=not_older_than)
        return self.served(found) if found is not None else None

    async def list(self, scope: Scope, *, not_older_than: Revision | None = None) -> Listing:
        return self._converted(
            await self._store.list(self.scope(scope), not_older_than=not_older_than)
        )

    async def list_at(self, scope: Scope, revision: Revision) -> Listing:
        return self._converted(await self._store.list_at(self.scope(scope), revision))

    def _converted(self, listing: Listing) -> Listing:
        return replace(listing, items=tuple(self.served(one) for one in listing.items))

    async def create(self, key: ObjectKey, manifest: Manifest) -> Stored:
        kept = self._kept(key, manifest)
        return self.served(await self._store.create(self.place(key), kept))

    async def update(self, key: ObjectKey, manifest: Manifest, *, expected: Revision) -> Stored:
        kept = self._kept(key, manifest)
        return self.served(await self._store.update(self.place(key), kept, expected=expected))

    async def delete(self, key: ObjectKey, last: Manifest, *, expected: Revision) -> Stored:
        kept = self._kept(key, last)
        return self.served(await self._store.delete(self.place(key), kept, expected=expected))

    @asynccontextmanager
    async def watch(self, scope: Scope, *, since: Revision) -> AsyncIterator[Watch]:
        async with self._store.watch(self.scope(scope), since=since) as watch:
            yield _ConvertedWatch(watch, self.served)


def _moved(key: ObjectKey, resource: GroupResource) -> ObjectKey:
    return ObjectKey(resource.group, resource.resource, key.namespace, key.name)


class _ConvertedMirror:
    def __init__(self, mirror: Mirror, store: ConvertedStore) -> None:
        self._mirror = mirror
        self._store = store

    @property
    def revision(self) -> Revision:
        return self._mirror.revision

    def get(self, key: ObjectKey) -> Stored | None:
        found = self._mirror.get(self._store.place(key))
        return self._store.served(found) if found is not None else None

    def items(self, scope: Scope = EVERYTHING) -> Iterable[Stored]:
        return map(self._store.served, self._mirror.items(self._store.scope(scope)))

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        return self._mirror.on_change(listener)


class _ConvertedWatch:
    def __init__(self, watch: Watch, served: Callable[[Stored], Stored]) -> None:
        self._watch = watch
        self._served = served

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        return self._converted(await self._watch.__anext__())

    async def batch(self) -> Sequence[Change]:
        return [self._converted(change) for change in await self._watch.batch()]

    def _converted(self, change: Change) -> Change:
        before = change.previous
        return Change(
            change.type,
            self._served(change.stored),
            self._served(before) if before is not None else None,
        )

    @property
    def revision(self) -> Revision:
        return self._watch.revision
