"""The object store as one process has it over a line: a mirror that lags, calls that may fail.

The bucket itself is a `MemoryStore` that outlives every process. What is promised here is what
`shared/store/jetstream.py` promises, and no more.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.errors import OutcomeUnknown, RevisionAhead, RevisionExpired, StoreUnavailable
from shared.store.memory import MemoryStore
from shared.store.mirror import ObjectMirror
from shared.store.port import (
    EVERYTHING,
    UNWATCHED,
    Change,
    ChangeType,
    Listing,
    Mirror,
    Revision,
    Scope,
    Stored,
    StoreLimits,
    Watch,
)
from tests.simulation.wire import Effect, Line


class Bucket:
    """The shared state: what is stored, and the last revision of each kind."""

    def __init__(self) -> None:
        self.store = MemoryStore(StoreLimits(history=0))
        self._last: dict[tuple[str, str], Revision] = {}
        self.store.mirror.on_change(self._note)

    def _note(self, change: Change) -> None:
        key = change.stored.key
        self._last[key.group, key.resource] = change.stored.revision

    def last(self, scopes: Sequence[Scope]) -> Revision:
        if EVERYTHING in scopes:
            return self.store.mirror.revision
        return max(
            (
                self._last.get((scope.group or "", scope.resource or ""), Revision(0))
                for scope in scopes
            ),
            default=Revision(0),
        )


class RemoteStore:
    """Implements `ObjectStore` over *line*; open it before use."""

    def __init__(
        self,
        bucket: Bucket,
        line: Line,
        scopes: Sequence[Scope] = (EVERYTHING,),
        limits: StoreLimits = UNWATCHED,
    ) -> None:
        self._bucket = bucket
        self._line = line
        self._scopes = tuple(scopes)
        self._deadline = limits.deadline_seconds
        self._mirror = ObjectMirror(limits)
        self._behind = False
        self._following = False

    async def open(self) -> None:
        """Take the first snapshot, as long as that takes; then follow."""
        while True:
            try:
                await self._ask("open the store", self._snapshot)
            except StoreUnavailable:
                await asyncio.sleep(0.25)
            else:
                return

    async def _snapshot(self) -> None:
        central = self._bucket.store.mirror
        # Perhaps not for the first time: its answer may have been lost.
        self._mirror.replace(self._of_scope(), central.revision)
        if not self._following:
            self._following = True
            self._line.life.at_death(central.on_change(self._on_change))
            self._line.on_heal(self._catch_up)

    def _of_scope(self) -> list[Stored]:
        central = self._bucket.store.mirror
        found: dict[ObjectKey, Stored] = {}
        for scope in self._scopes:
            found.update((stored.key, stored) for stored in central.items(scope))
        return list(found.values())

    @property
    def mirror(self) -> Mirror:
        return self._mirror

    # Following.

    def _on_change(self, change: Change) -> None:
        if not any(scope.covers(change.stored.key) for scope in self._scopes):
            return
        if self._line.in_cut:
            self._behind = True
            return

        def take() -> None:
            # What a new snapshot has brought already.
            if change.stored.revision > self._mirror.revision:
                if change.type is ChangeType.DELETED:
                    self._mirror.remove(change.stored)
                else:
                    self._mirror.put(change.stored)

        self._line.hear(take)

    def _catch_up(self) -> None:
        """After a cut: what was overwritten meanwhile is never seen."""
        if not self._behind:
            return
        self._behind = False

        def take() -> None:
            self._mirror.replace(self._of_scope(), self._bucket.store.mirror.revision)

        self._line.hear(take)

    # Reading.

    async def get(self, key: ObjectKey, *, not_older_than: Revision | None = None) -> Stored | None:
        if not_older_than is not None and self._mirrors(_scope_of(key)):
            await self._caught_up_to(not_older_than)
            mirrored = self._mirror.get(key)
            if mirrored is not None:
                return mirrored
        found: Stored | None = await self._ask(f"get {key}", lambda: self._bucket.store.get(key))
        return found

    async def list(self, scope: Scope, *, not_older_than: Revision | None = None) -> Listing:
        if not self._mirrors(scope):
            listing: Listing = await self._ask(
                f"list {scope}", lambda: self._bucket.store.list(scope)
            )
            return listing
        if not_older_than is None:
            await self._reached(await self._sample())
        else:
            await self._caught_up_to(not_older_than)
        return self._mirror.listing(scope)

    async def list_at(self, scope: Scope, revision: Revision) -> Listing:
        if not self._mirrors(scope):
            raise RevisionExpired(f"of {scope} no changes are kept here")
        await self._caught_up_to(revision)
        return self._mirror.listing_at(scope, revision)

    @asynccontextmanager
    async def watch(self, scope: Scope, *, since: Revision) -> AsyncIterator[Watch]:
        assert self._mirrors(scope), f"the store was not opened for {scope}"
        watch = self._mirror.open_watch(scope, since)
        try:
            yield watch
        finally:
            self._mirror.close_watch(watch)

    def _mirrors(self, scope: Scope) -> bool:
        return any(
            mine.group in (None, scope.group)
            and mine.resource in (None, scope.resource)
            and mine.namespace in (None, scope.namespace)
            for mine in self._scopes
        )

    async def _sample(self) -> Revision:
        async def last() -> Revision:
            return self._bucket.last(self._scopes)

        found: Revision = await self._ask("sample the store", last)
        return found

    async def _caught_up_to(self, revision: Revision) -> None:
        if revision <= self._mirror.revision:
            return
        last = await self._sample()
        if revision > last:
            raise RevisionAhead(revision, last)
        await self._reached(min(revision, last))

    async def _reached(self, revision: int) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                await self._mirror.reached(revision)
        except TimeoutError as err:
            raise StoreUnavailable(f"revision {revision} has not arrived in time") from err

    # Writing.

    async def create(self, key: ObjectKey, manifest: Manifest) -> Stored:
        return await self._write(f"create {key}", lambda: self._bucket.store.create(key, manifest))

    async def update(self, key: ObjectKey, manifest: Manifest, *, expected: Revision) -> Stored:
        return await self._write(
            f"update {key}", lambda: self._bucket.store.update(key, manifest, expected=expected)
        )

    async def delete(self, key: ObjectKey, last: Manifest, *, expected: Revision) -> Stored:
        return await self._write(
            f"delete {key}", lambda: self._bucket.store.delete(key, last, expected=expected)
        )

    async def _ask(self, what: str, effect: Effect) -> Any:
        return await self._line.request(
            what, effect, unsent=StoreUnavailable, unknown=StoreUnavailable
        )

    async def _write(self, what: str, effect: Effect) -> Stored:
        stored: Stored = await self._line.request(
            what, effect, unsent=StoreUnavailable, unknown=OutcomeUnknown
        )
        return stored


def _scope_of(key: ObjectKey) -> Scope:
    return Scope(key.group, key.resource, key.namespace)
