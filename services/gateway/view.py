"""A store of what is made of streams while somebody looks: how it is read and watched.

Revisions are this process's own: they begin at the time it started, so a client of an earlier
process, or of another one, is told to list again.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.gateway.attention import IDLE_SECONDS, Attention
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.clock import Clock
from shared.errors import RevisionAhead, RevisionExpired
from shared.store.mirror import ObjectMirror
from shared.store.port import Listing, Mirror, Revision, Scope, Stored, StoreLimits, Watch


class Made(Stored):
    """An object that becomes a manifest when somebody looks at it: most are never seen."""

    __slots__ = ()

    def __init__(self, key: ObjectKey, revision: Revision) -> None:
        # All that a `Stored` has is set by a `Stored`: what that gains, this has, too.
        super().__init__(key, revision, encoded=b"")
        self._encoded = None

    @property
    def manifest(self) -> Manifest:
        if self._manifest is not None or self._packing is not None:
            return super().manifest
        made = self._made()
        metadata = {**made["metadata"], "resourceVersion": str(self.revision)}
        self._manifest = {**made, "metadata": metadata}
        return self._manifest

    def _made(self) -> Manifest:
        """Return it without its revision."""
        raise NotImplementedError


class View:
    """The reading half of `ObjectStore`; whoever reads it waits until it is complete."""

    def __init__(
        self,
        clock: Clock,
        what: str,
        limits: StoreLimits | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """*what* it shows, in the plural."""
        self._attention = Attention(clock, what, idle_seconds)
        self._mirror = ObjectMirror(limits or StoreLimits())
        self._mirror.start_at(int(clock.now().timestamp() * 1_000))

    @property
    def mirror(self) -> Mirror:
        return self._mirror

    async def list(self, scope: Scope, *, not_older_than: Revision | None = None) -> Listing:
        await self._attention.look()
        self._require(not_older_than)
        return self._mirror.listing(scope)

    async def list_at(self, scope: Scope, revision: Revision) -> Listing:
        await self._attention.look()
        self._require(revision)
        return self._mirror.listing_at(scope, revision)

    @asynccontextmanager
    async def watch(self, scope: Scope, *, since: Revision) -> AsyncIterator[Watch]:
        await self._attention.look()
        if since > self._mirror.revision:
            raise RevisionExpired(f"revision {since} is of another process; list again")
        watch = self._mirror.open_watch(scope, since)
        try:
            with self._attention.reading():
                yield watch
        finally:
            self._mirror.close_watch(watch)

    def _require(self, revision: Revision | None) -> None:
        if revision is not None and revision > self._mirror.revision:
            raise RevisionAhead(revision, self._mirror.revision)
