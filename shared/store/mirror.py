"""A copy of the store's objects in this process, with the changes that lately led to it.

Both stores keep one. Objects are indexed by resource and namespace, so that reading a scope costs
what the scope holds. Changes are kept in a bounded log, so that a watch can resume; every watch
has a bounded backlog, so that a slow reader costs itself its watch and nobody anything else.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

from shared.apimachinery.manifest import GroupResource, ObjectKey
from shared.errors import RevisionExpired
from shared.store.packing import Rest
from shared.store.port import (
    EVERYTHING,
    Change,
    ChangeType,
    Listing,
    Revision,
    Scope,
    Stored,
    StoreLimits,
    place_of,
)

Listener = Callable[[Change], None]

_BATCH_MAX = 256


class ObjectMirror:
    """Objects by key, the log of changes, and those who follow it. Used from one event loop."""

    def __init__(self, limits: StoreLimits) -> None:
        self._limits = limits
        self._revision = Revision(0)
        # Every change after this revision is in the log.
        self._forgotten = Revision(0)
        self._objects: dict[GroupResource, dict[str, dict[str, Stored]]] = {}
        self._rest = None if limits.unpacked_max is None else Rest(limits.unpacked_max)
        self._log: deque[Change] = deque()
        self._log_bytes = 0
        self._listeners: dict[int, Listener] = {}
        # In order of coming, so that the same run wakes the same way.
        self._watches: dict[GroupResource | None, dict[MirrorWatch, None]] = {}
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._tickets = itertools.count()

    # Reading.

    @property
    def revision(self) -> Revision:
        return self._revision

    def get(self, key: ObjectKey) -> Stored | None:
        by_namespace = self._objects.get(key.group_resource)
        return by_namespace.get(key.namespace, {}).get(key.name) if by_namespace else None

    def items(self, scope: Scope = EVERYTHING) -> Iterable[Stored]:
        """A snapshot: writing while iterating is fine."""
        found: list[Stored] = []
        for namespaces in self._resources(scope):
            if scope.namespace is None:
                for names in namespaces.values():
                    found.extend(names.values())
            else:
                found.extend(namespaces.get(scope.namespace, {}).values())
        return found

    def listing(self, scope: Scope) -> Listing:
        return Listing(tuple(sorted(self.items(scope), key=place_of)), self._revision)

    def listing_at(self, scope: Scope, revision: Revision) -> Listing:
        """*scope* as it was at *revision*, not above this mirror's: what came later is undone."""
        self._require_held(revision)
        found = {item.key: item for item in self.items(scope)}
        for change in reversed(self._log):
            if change.stored.revision <= revision:
                break
            key = change.stored.key
            if not scope.covers(key):
                continue
            if change.previous is None:
                found.pop(key, None)
            else:
                found[key] = change.previous
        return Listing(tuple(sorted(found.values(), key=place_of)), revision)

    def _require_held(self, since: Revision) -> None:
        if since < self._forgotten:
            raise RevisionExpired(f"too old resource version: {since} ({self._forgotten})")

    def _resources(self, scope: Scope) -> Iterator[dict[str, dict[str, Stored]]]:
        if scope.group is not None and scope.resource is not None:
            found = self._objects.get(GroupResource(scope.group, scope.resource))
            if found:
                yield found
            return
        for name, namespaces in self._objects.items():
            if scope.group in (None, name.group) and scope.resource in (None, name.resource):
                yield namespaces

    # Following.

    def on_change(self, listener: Listener) -> Callable[[], None]:
        ticket = next(self._tickets)
        self._listeners[ticket] = listener

        def stop() -> None:
            self._listeners.pop(ticket, None)

        return stop

    def open_watch(self, scope: Scope, since: Revision) -> "MirrorWatch":
        """Changes of *scope* after *since*, a revision that exists; close it when done.

        *since* may be ahead of this mirror: what lies between is not handed out.
        """
        self._require_held(since)
        missed: list[Change] = []
        for change in reversed(self._log):
            if change.stored.revision <= since:
                break
            if scope.covers(change.stored.key):
                missed.append(change)
        missed.reverse()
        watch = MirrorWatch(self, scope, since, missed, self._limits)
        self._watches.setdefault(_indexed(scope), {})[watch] = None
        return watch

    def close_watch(self, watch: "MirrorWatch") -> None:
        index = _indexed(watch.scope)
        watches = self._watches.get(index)
        if watches is not None:
            watches.pop(watch, None)
            if not watches:
                del self._watches[index]

    async def reached(self, revision: int) -> None:
        """Wait until the mirror is complete up to *revision*. No deadline of its own."""
        if self._revision >= revision:
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (revision, next(self._tickets), future))
        await future

    # Writing: only for the store that owns the mirror.

    def put(self, stored: Stored) -> None:
        """Take a newer state of one object."""
        names = self._objects.setdefault(stored.key.group_resource, {}).setdefault(
            stored.key.namespace, {}
        )
        previous = names.get(stored.key.name)
        names[stored.key.name] = stored
        if self._rest is not None:
            self._rest.note(stored)
        kind = ChangeType.ADDED if previous is None else ChangeType.MODIFIED
        self._record(Change(kind, stored, previous))

    def remove(self, stored: Stored) -> None:
        """Take a delete; *stored* is the last state. Of an unknown object it is no change."""
        previous = self._drop(stored.key)
        if previous is None:
            self.advance(stored.revision)
        else:
            self._record(Change(ChangeType.DELETED, stored, previous))

    def advance(self, revision: int) -> None:
        """Say that nothing else happened up to *revision*."""
        if revision > self._revision:
            self._revision = Revision(revision)
        self._release()

    def load(self, stored: Stored) -> None:
        """Take a state of the first snapshot: no change, and no step of `revision`."""
        names = self._objects.setdefault(stored.key.group_resource, {}).setdefault(
            stored.key.namespace, {}
        )
        names[stored.key.name] = stored

    def settle(self, stored: Stored) -> None:
        """Have an object of the first snapshot at rest, before it is loaded: memory is short then.

        Whatever comes later settles by itself.
        """
        if self._rest is not None:
            self._rest.settle(stored)

    def start_at(self, revision: int) -> None:
        """End the first snapshot: complete up to *revision*, with no history before it."""
        self._revision = self._forgotten = Revision(revision)
        self._log.clear()
        self._log_bytes = 0
        self._release()

    def replace(self, objects: Iterable[Stored], revision: int) -> None:
        """Take a whole new state whose history is unknown: watches are cut, listeners told."""
        fresh = {stored.key: stored for stored in objects}
        for watches in list(self._watches.values()):
            for watch in list(watches):
                watch.cut()
        told: list[Change] = []
        for old in self.items():
            if old.key not in fresh:
                self._drop(old.key)
                gone = Stored(old.key, Revision(revision), old.manifest)
                told.append(Change(ChangeType.DELETED, gone, old))
        for stored in fresh.values():
            previous = self.get(stored.key)
            if previous is None or previous.revision != stored.revision:
                self.load(stored)
                kind = ChangeType.ADDED if previous is None else ChangeType.MODIFIED
                told.append(Change(kind, stored, previous))
        self.start_at(revision)
        for change in told:
            self._tell(change)

    def _drop(self, key: ObjectKey) -> Stored | None:
        namespaces = self._objects.get(key.group_resource)
        names = namespaces.get(key.namespace) if namespaces else None
        if namespaces is None or names is None:
            return None
        found = names.pop(key.name, None)
        if self._rest is not None:
            self._rest.forget(key)
        if not names:
            del namespaces[key.namespace]
            if not namespaces:
                del self._objects[key.group_resource]
        return found

    def _record(self, change: Change) -> None:
        self._revision = change.stored.revision
        self._log.append(change)
        self._log_bytes += change.stored.size
        limits = self._limits
        while len(self._log) > limits.history or self._log_bytes > limits.history_bytes:
            oldest = self._log.popleft().stored
            self._log_bytes -= oldest.size
            self._forgotten = oldest.revision
        for index in (change.stored.key.group_resource, None):
            # A copy: a watch that is cut leaves.
            for watch in tuple(self._watches.get(index, ())):
                watch.offer(change)
        self._tell(change)
        self._release()

    def _tell(self, change: Change) -> None:
        for listener in tuple(self._listeners.values()):
            listener(change)

    def _release(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._revision:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)


class MirrorWatch:
    """One reader's place in the changes of a mirror."""

    def __init__(
        self,
        mirror: ObjectMirror,
        scope: Scope,
        since: Revision,
        missed: Iterable[Change],
        limits: StoreLimits,
    ) -> None:
        self.scope = scope
        self._mirror = mirror
        self._since = since
        self._limits = limits
        self._queue = deque(missed)
        # What is missed is held by the log too.
        self._bytes = 0
        self._expired = False
        self._wake: asyncio.Future[None] | None = None

    def offer(self, change: Change) -> None:
        if change.stored.revision <= self._since or not self.scope.covers(change.stored.key):
            return
        size = change.stored.size
        limits = self._limits
        if len(self._queue) >= limits.watch_backlog or (
            self._bytes + size > limits.watch_backlog_bytes and self._queue
        ):
            self.cut()
            return
        self._bytes += size
        self._queue.append(change)
        self._notify()

    def cut(self) -> None:
        """End it: the reader is told to list again."""
        self._expired = True
        self._queue.clear()
        self._mirror.close_watch(self)
        self._notify()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        while not self._queue:
            if self._expired:
                raise RevisionExpired("the watch fell too far behind and was cut; list again")
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        return self._take()

    async def batch(self) -> Sequence[Change]:
        found = [await anext(self)]
        while self._queue and len(found) < _BATCH_MAX:
            found.append(self._take())
        return found

    def _take(self) -> Change:
        change = self._queue.popleft()
        self._bytes = max(0, self._bytes - change.stored.size) if self._queue else 0
        self._since = change.stored.revision
        return change

    @property
    def revision(self) -> Revision:
        """Up to here everything has been handed out."""
        if self._queue or self._expired:
            return self._since
        return max(self._since, self._mirror.revision)


def _indexed(scope: Scope) -> GroupResource | None:
    if scope.group is None or scope.resource is None:
        return None
    return GroupResource(scope.group, scope.resource)
