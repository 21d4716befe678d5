"""The object store on a JetStream bucket.

The stream's sequence is the revision; compare-and-set is the publisher's expectation about the
subject's last sequence; a delete is a marker that carries the last object and rolls up the
history before it, so that its own expiry cannot bring an older state back to light.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.jetstream.background import stop
from shared.bus.jetstream.connection import Connection
from shared.bus.jetstream.tail import Entry, Tail
from shared.bus.topology import DELETE_MARKER_TTL, OBJECTS, OBJECTS_HISTORY
from shared.errors import (
    AlreadyExists,
    RevisionAhead,
    RevisionExpired,
    StaleRevision,
    StoreUnavailable,
)
from shared.store.body import decode_stored, encode_body
from shared.store.keys import decode_subject, encode_subject, scope_filter
from shared.store.mirror import ObjectMirror
from shared.store.port import (
    EVERYTHING,
    Listing,
    Mirror,
    Revision,
    Scope,
    Stored,
    StoreLimits,
    Watch,
)
from shared.telemetry.propagation import TRACEPARENT, current_traceparent

log = structlog.get_logger("hanse.store")

OPERATION = "KV-Operation"
_MARKERS_MAX = 10_000
_CREATE_ATTEMPTS = 3


def delete_headers(marker_ttl: timedelta = DELETE_MARKER_TTL) -> dict[str, str]:
    """Headers of a delete marker; it takes the place of the whole history of its key."""
    seconds = str(int(marker_ttl.total_seconds()))
    return {OPERATION: "PURGE", "Nats-Rollup": "sub", "Nats-TTL": seconds}


class JetStreamStore:
    """Implements `ObjectStore`; made by `open_store`."""

    def __init__(
        self, connection: Connection, scopes: Sequence[Scope], limits: StoreLimits
    ) -> None:
        self._connection = connection
        self._scopes = tuple(scopes)
        self._limits = limits
        self._mirror = ObjectMirror(limits)
        self._sampler = _Sampler(connection, self.filters)
        # Revisions of recent delete markers: an update that expects one would revive the object.
        self._markers: dict[ObjectKey, int] = {}
        self._snapshot: dict[ObjectKey, Stored] | None = {}
        self._complete = asyncio.Event()

    @property
    def filters(self) -> tuple[str, ...]:
        """Subjects this store mirrors; none where it mirrors everything."""
        if any(scope == EVERYTHING for scope in self._scopes):
            return ()
        return tuple(dict.fromkeys(scope_filter(scope) for scope in self._scopes))

    @property
    def mirror(self) -> Mirror:
        return self._mirror

    # Reading.

    async def get(self, key: ObjectKey, *, not_older_than: Revision | None = None) -> Stored | None:
        if not_older_than is not None and self._mirrors(_scope_of(key)):
            await self._caught_up_to(not_older_than)
            mirrored = self._mirror.get(key)
            if mirrored is not None:
                return mirrored
        reply = await self._connection.last_message(OBJECTS.name, encode_subject(key))
        if reply is None or OPERATION in reply.headers:
            return None
        revision = Revision(int(reply.headers["Nats-Sequence"]))
        mirrored = self._mirror.get(key)
        if mirrored is not None and mirrored.revision == revision:
            return mirrored
        return decode_stored(key, revision, reply.body, reply.headers.get(TRACEPARENT))

    async def list(self, scope: Scope, *, not_older_than: Revision | None = None) -> Listing:
        if not self._mirrors(scope):
            # Asked for too seldom to be kept: read once.
            async with open_store(self._connection, (scope,), self._limits) as once:
                return await once.list(scope)
        if not_older_than is None:
            await self._reached(await self._sampler.sample())
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
        if since > self._mirror.revision:
            last = await self._connection.last_sequence(OBJECTS.name)
            if since > last:
                # The counter went back: this is another store than the one that was read.
                raise RevisionExpired(f"revision {since} does not exist yet; list again")
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

    async def _caught_up_to(self, revision: Revision) -> None:
        if revision <= self._mirror.revision:
            return
        last = await self._connection.last_sequence(OBJECTS.name)
        if revision > last:
            raise RevisionAhead(revision, last)
        # Of what this store does not mirror nothing arrives.
        await self._reached(min(revision, await self._sampler.sample()))

    async def _reached(self, revision: int) -> None:
        seconds = self._limits.deadline_seconds
        if self._connection.in_copies:
            # What feeds the mirror may have been at the node that is lost.
            seconds = max(seconds, self._connection.settings.patience.total_seconds())
        try:
            async with asyncio.timeout(seconds):
                await self._mirror.reached(revision)
        except TimeoutError as err:
            raise StoreUnavailable(f"revision {revision} has not arrived in time") from err

    # Writing.

    async def create(self, key: ObjectKey, manifest: Manifest) -> Stored:
        subject, body = encode_subject(key), encode_body(key, manifest)
        expected = self._markers.get(key, 0)
        for _ in range(_CREATE_ATTEMPTS):
            try:
                revision = await self._connection.publish(subject, body, expected=expected)
            except StaleRevision:
                last = await self._connection.last_message(OBJECTS.name, subject)
                if last is not None and OPERATION not in last.headers:
                    raise AlreadyExists(f"{key} exists") from None
                # Over a delete marker, or where one has expired meanwhile.
                expected = int(last.headers["Nats-Sequence"]) if last is not None else 0
                continue
            self._markers.pop(key, None)
            await self._tidy(subject, revision)
            return decode_stored(key, Revision(revision), body, current_traceparent())
        raise StaleRevision(f"{key} is being created and deleted by others")

    async def update(self, key: ObjectKey, manifest: Manifest, *, expected: Revision) -> Stored:
        subject, body = encode_subject(key), encode_body(key, manifest)
        revision = await self._write(key, subject, body, None, expected)
        return decode_stored(key, revision, body, current_traceparent())

    async def delete(self, key: ObjectKey, last: Manifest, *, expected: Revision) -> Stored:
        subject, body = encode_subject(key), encode_body(key, last)
        revision = await self._write(key, subject, body, delete_headers(), expected)
        self._remember_marker(key, revision)
        return decode_stored(key, revision, body, current_traceparent())

    async def _write(
        self,
        key: ObjectKey,
        subject: str,
        body: bytes,
        headers: dict[str, str] | None,
        expected: Revision,
    ) -> Revision:
        # 0 would mean "nothing is there", which is what `create` asks for.
        if expected < 1 or self._markers.get(key) == expected:
            raise StaleRevision(f"{key} holds no object at revision {expected}")
        try:
            revision = await self._connection.publish(subject, body, headers, expected=expected)
        except StaleRevision as err:
            raise StaleRevision(f"{key} is not at revision {expected}") from err
        await self._tidy(subject, revision)
        return Revision(revision)

    async def _tidy(self, subject: str, revision: int) -> None:
        """Purge old versions, at one write of so many as are kept: it need not be exact.

        A limit of the stream would do it without being asked, but not for good: see `rolled_up`.
        """
        if revision % OBJECTS_HISTORY == 0:
            body = {"filter": subject, "keep": OBJECTS_HISTORY}
            await self._connection.tell(f"STREAM.PURGE.{OBJECTS.name}", body)

    def _remember_marker(self, key: ObjectKey, revision: int) -> None:
        self._markers.pop(key, None)
        self._markers[key] = revision
        if len(self._markers) > _MARKERS_MAX:
            del self._markers[next(iter(self._markers))]

    # Feeding the mirror.

    def begin_snapshot(self) -> None:
        self._snapshot = {}

    def take(self, entry: Entry) -> None:
        try:
            key = decode_subject(entry.subject)
            deleted = OPERATION in entry.headers
            if deleted:
                self._remember_marker(key, entry.sequence)
                if self._snapshot is not None:
                    self._snapshot.pop(key, None)
                    return
            stored = decode_stored(
                key, Revision(entry.sequence), entry.body, entry.headers.get(TRACEPARENT)
            )
        except ValueError as err:
            # Someone else wrote into the bucket: no object of ours, and no reason to stop.
            log.warning("store.unreadable", subject=entry.subject, reason=str(err))
            if self._snapshot is None:
                self._mirror.advance(entry.sequence)
            return
        if self._snapshot is not None:
            self._mirror.settle(stored)
            self._snapshot[key] = stored
        elif deleted:
            self._mirror.remove(stored)
        else:
            self._mirror.put(stored)

    def complete(self, revision: int) -> None:
        """Everything up to *revision* has been taken."""
        if self._snapshot is None:
            self._mirror.advance(revision)
        else:
            fresh, self._snapshot = self._snapshot, None
            self._mirror.replace(fresh.values(), revision)
        self._complete.set()

    async def opened(self) -> None:
        """Wait for the first snapshot."""
        await self._complete.wait()


def _scope_of(key: ObjectKey) -> Scope:
    return Scope(key.group, key.resource, key.namespace)


class _Sampler:
    """The store's last revision, asked once for all who wait.

    A sample under way may be older than a write acknowledged just now, so who comes meanwhile
    shares the next one.
    """

    def __init__(self, connection: Connection, filters: tuple[str, ...]) -> None:
        self._connection = connection
        self._filters = filters
        self._running: asyncio.Task[int] | None = None
        self._next: asyncio.Task[int] | None = None

    async def sample(self) -> int:
        if self._next is None:
            self._next = asyncio.create_task(self._ask(self._running))
        return await asyncio.shield(self._next)

    async def _ask(self, before: asyncio.Task[int] | None) -> int:
        if before is not None:
            await asyncio.wait((before,))
        self._running, self._next = self._next, None
        return await self._connection.last_sequence(OBJECTS.name, self._filters)


@asynccontextmanager
async def open_store(
    connection: Connection,
    scopes: Sequence[Scope] = (EVERYTHING,),
    limits: StoreLimits | None = None,
) -> AsyncIterator[JetStreamStore]:
    """Open the store with a complete mirror of *scopes*; `get`, `list` and writes reach all else.

    A list beyond the mirror costs a whole reading of what is asked for.

    The bucket must exist (`ensure_topology`). Waits for NATS as long as it takes. A mirror that
    cannot be kept ends the block: whoever went on would go by what is no longer true.
    """
    store = JetStreamStore(connection, scopes, limits or StoreLimits())
    tail = Tail(
        connection,
        OBJECTS.name,
        store.filters,
        on_restart=store.begin_snapshot,
        on_message=store.take,
        on_complete=store.complete,
        absence_max=DELETE_MARKER_TTL / 2,
    )
    owner = asyncio.current_task()
    assert owner is not None
    running = asyncio.create_task(tail.run(), name="store-mirror")
    opened = asyncio.create_task(store.opened())

    def end_block(ended: asyncio.Task[None]) -> None:
        if not ended.cancelled() and not owner.done():
            owner.cancel()

    try:
        await asyncio.wait((running, opened), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        running.add_done_callback(end_block)
        yield store
    except asyncio.CancelledError:
        if running.done() and not running.cancelled():
            owner.uncancel()
            # Raises what ended it.
            await running
        raise
    finally:
        running.remove_done_callback(end_block)
        await stop(opened)
        await _end(running)


async def _end(running: asyncio.Task[None]) -> None:
    if not running.done():
        await stop(running)
