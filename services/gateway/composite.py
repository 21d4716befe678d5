"""One store made of two: some resources live elsewhere than in OBJECTS."""

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager

from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey
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


class CompositeStore:
    """Implements `ObjectStore`: *elsewhere* has *resources*, *main* has everything else.

    A scope that does not name one of *resources* means *main* alone: whoever empties a
    namespace must not meet what is only a view. Revisions of the two are not comparable.
    """

    def __init__(
        self, main: ObjectStore, elsewhere: ObjectStore, resources: Collection[GroupResource]
    ) -> None:
        self._main = main
        self._elsewhere = elsewhere
        self._resources = frozenset(resources)
        self._mirror = _CompositeMirror(main.mirror, elsewhere.mirror, self._resources)

    @property
    def mirror(self) -> Mirror:
        return self._mirror

    def _of_key(self, key: ObjectKey) -> ObjectStore:
        return self._elsewhere if key.group_resource in self._resources else self._main

    def _of_scope(self, scope: Scope) -> ObjectStore:
        return self._elsewhere if _is_elsewhere(scope, self._resources) else self._main

    async def get(self, key: ObjectKey, *, not_older_than: Revision | None = None) -> Stored | None:
        return await self._of_key(key).get(key, not_older_than=not_older_than)

    async def list(self, scope: Scope, *, not_older_than: Revision | None = None) -> Listing:
        return await self._of_scope(scope).list(scope, not_older_than=not_older_than)

    async def list_at(self, scope: Scope, revision: Revision) -> Listing:
        return await self._of_scope(scope).list_at(scope, revision)

    async def create(self, key: ObjectKey, manifest: Manifest) -> Stored:
        return await self._of_key(key).create(key, manifest)

    async def update(self, key: ObjectKey, manifest: Manifest, *, expected: Revision) -> Stored:
        return await self._of_key(key).update(key, manifest, expected=expected)

    async def delete(self, key: ObjectKey, last: Manifest, *, expected: Revision) -> Stored:
        return await self._of_key(key).delete(key, last, expected=expected)

    def watch(self, scope: Scope, *, since: Revision) -> AbstractAsyncContextManager[Watch]:
        return self._of_scope(scope).watch(scope, since=since)


class _CompositeMirror:
    """Objects of both; revision and changes of the main one."""

    def __init__(
        self, main: Mirror, elsewhere: Mirror, resources: frozenset[GroupResource]
    ) -> None:
        self._main = main
        self._elsewhere = elsewhere
        self._resources = resources

    @property
    def revision(self) -> Revision:
        return self._main.revision

    def get(self, key: ObjectKey) -> Stored | None:
        there = self._elsewhere if key.group_resource in self._resources else self._main
        return there.get(key)

    def items(self, scope: Scope = EVERYTHING) -> Iterable[Stored]:
        there = self._elsewhere if _is_elsewhere(scope, self._resources) else self._main
        return there.items(scope)

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        return self._main.on_change(listener)


def _is_elsewhere(scope: Scope, resources: frozenset[GroupResource]) -> bool:
    return GroupResource(scope.group or "", scope.resource or "") in resources
