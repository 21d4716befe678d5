"""An object store in this process's memory: for the simulator and for tests.

Proved equal to the JetStream store by one contract suite (tests/contract/test_object_store.py).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.errors import AlreadyExists, RevisionAhead, RevisionExpired, StaleRevision
from shared.store.body import decode_stored, encode_body
from shared.store.keys import encode_subject
from shared.store.mirror import ObjectMirror
from shared.store.port import Listing, Mirror, Revision, Scope, Stored, StoreLimits, Watch
from shared.telemetry.propagation import current_traceparent


class MemoryStore:
    """Implements `ObjectStore`; its mirror is the truth itself, so reading never waits."""

    def __init__(self, limits: StoreLimits | None = None) -> None:
        self._mirror = ObjectMirror(limits or StoreLimits())

    @property
    def mirror(self) -> Mirror:
        return self._mirror

    async def get(self, key: ObjectKey, *, not_older_than: Revision | None = None) -> Stored | None:
        self._require(not_older_than)
        return self._mirror.get(key)

    async def list(self, scope: Scope, *, not_older_than: Revision | None = None) -> Listing:
        self._require(not_older_than)
        return self._mirror.listing(scope)

    async def list_at(self, scope: Scope, revision: Revision) -> Listing:
        self._require(revision)
        return self._mirror.listing_at(scope, revision)

    def _require(self, revision: Revision | None) -> None:
        if revision is not None and revision > self._mirror.revision:
            raise RevisionAhead(revision, self._mirror.revision)

    async def create(self, key: ObjectKey, manifest: Manifest) -> Stored:
        stored = self._next(key, manifest)
        if self._mirror.get(key) is not None:
            raise AlreadyExists(f"{key} exists")
        self._mirror.put(stored)
        return stored

    async def update(self, key: ObjectKey, manifest: Manifest, *, expected: Revision) -> Stored:
        stored = self._next(key, manifest)
        self._expect(key, expected)
        self._mirror.put(stored)
        return stored

    async def delete(self, key: ObjectKey, last: Manifest, *, expected: Revision) -> Stored:
        stored = self._next(key, last)
        self._expect(key, expected)
        self._mirror.remove(stored)
        return stored

    @asynccontextmanager
    async def watch(self, scope: Scope, *, since: Revision) -> AsyncIterator[Watch]:
        if since > self._mirror.revision:
            # The counter went back: this is another store than the one that was read.
            raise RevisionExpired(f"revision {since} does not exist yet; list again")
        watch = self._mirror.open_watch(scope, since)
        try:
            yield watch
        finally:
            self._mirror.close_watch(watch)

    def _next(self, key: ObjectKey, manifest: Manifest) -> Stored:
        # Through bytes and back, so that nothing is shared with the caller.
        encode_subject(key)
        revision = Revision(self._mirror.revision + 1)
        return decode_stored(key, revision, encode_body(key, manifest), current_traceparent())

    def _expect(self, key: ObjectKey, expected: Revision) -> None:
        found = self._mirror.get(key)
        if found is None or found.revision != expected:
            at = "it is gone" if found is None else f"it is at {found.revision}"
            raise StaleRevision(f"{key} is not at revision {expected}: {at}")
