"""What a store of objects promises; `memory.py` and `jetstream.py` keep the promise.

A revision is one counter over the whole store: the sequence of the change that wrote it. It *is*
`metadata.resourceVersion`, so a stored manifest carries it and a written one need not.

Reading has two grades. `get` and `list` see every write acknowledged before the call began, by
anyone. `mirror` is this process's own copy: synchronous, free, and a moment behind.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, Protocol

from shared.apimachinery.manifest import (
    GroupResource,
    Head,
    Manifest,
    ObjectKey,
    decode,
    encode,
    read_head,
)

Revision = NewType("Revision", int)


class Stored:
    """One object as the store has it; `manifest` carries its resourceVersion. Do not change it.

    Held as JSON, as a manifest, or both: each is made from the other when it is asked for, and
    kept. A mirror of thousands that nobody looked at is therefore bytes, which cost a tenth of
    the memory of dicts and nothing at garbage collection.

    `trace` is the W3C traceparent of the write, so that a reconciler can continue that trace.
    """

    __slots__ = ("_encoded", "_manifest", "key", "revision", "trace")

    def __init__(
        self,
        key: ObjectKey,
        revision: Revision,
        manifest: Manifest | None = None,
        trace: str | None = None,
        *,
        encoded: bytes | None = None,
    ) -> None:
        assert manifest is not None or encoded is not None
        self.key = key
        self.revision = revision
        self.trace = trace
        self._manifest = manifest
        self._encoded = encoded

    @property
    def manifest(self) -> Manifest:
        if self._manifest is None:
            self._manifest = decode(self._encoded or b"")
        return self._manifest

    @property
    def encoded(self) -> bytes:
        """The manifest as JSON, encoded once however many readers there are."""
        if self._encoded is None:
            self._encoded = encode(self.manifest)
        return self._encoded

    def head(self) -> Head:
        """What tells whether more than the status changed; does not keep the whole in memory."""
        if self._encoded is None or self._manifest is not None:
            return Head.of(self.manifest)
        return read_head(self._encoded)

    def __repr__(self) -> str:
        return f"Stored({self.key}, {self.revision})"


class ChangeType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One step of one object. DELETED carries its last state, at the revision of the delete.

    `previous` is the state before, None for ADDED; selectors need it, since an object
    that stops matching is DELETED for whoever watches with that selector.
    """

    type: ChangeType
    stored: Stored
    previous: Stored | None = None

    @property
    def only_status(self) -> bool:
        """Whether it is known that the contents are as before: only status or bookkeeping moved.

        False where that cannot be told without comparing them.
        """
        if self.type is not ChangeType.MODIFIED or self.previous is None:
            return False
        return self.stored.head().same(self.previous.head())


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects: None is any. `namespace` "" means the cluster-scoped ones."""

    group: str | None = None
    resource: str | None = None
    namespace: str | None = None

    @classmethod
    def of(cls, resource: GroupResource, namespace: str | None = None) -> "Scope":
        return cls(resource.group, resource.resource, namespace)

    def covers(self, key: ObjectKey) -> bool:
        return (
            (self.group is None or self.group == key.group)
            and (self.resource is None or self.resource == key.resource)
            and (self.namespace is None or self.namespace == key.namespace)
        )


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """Objects in order of (namespace, name) and the revision at which all of them are true."""

    items: tuple[Stored, ...]
    revision: Revision


class Watch(Protocol):
    """The changes of a scope after a revision, each once and in order.

    Iterating raises `RevisionExpired` when the reader fell too far behind to be served.
    """

    def __aiter__(self) -> AsyncIterator[Change]: ...

    async def __anext__(self) -> Change: ...

    @property
    def revision(self) -> Revision:
        """Every change of the scope up to this revision has been handed out."""
        ...


class Mirror(Protocol):
    """A synchronous copy of the store's objects, complete up to `revision`."""

    @property
    def revision(self) -> Revision: ...

    def get(self, key: ObjectKey) -> Stored | None: ...

    def items(self, scope: Scope = EVERYTHING) -> Iterable[Stored]:
        """In no promised order."""
        ...

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call *listener* with every later change; returns the way to stop. It must not block."""
        ...


class ObjectStore(Protocol):
    """Writes are compare-and-set on one key; there is no transaction over several.

    Every method may raise `StoreUnavailable`; the writing ones also `OutcomeUnknown`.
    """

    @property
    def mirror(self) -> Mirror: ...

    async def get(self, key: ObjectKey) -> Stored | None: ...

    async def list(self, scope: Scope) -> Listing: ...

    async def create(self, key: ObjectKey, manifest: Manifest) -> Stored:
        """Raise `AlreadyExists` where the key holds an object."""
        ...

    async def update(self, key: ObjectKey, manifest: Manifest, *, expected: Revision) -> Stored:
        """Raise `StaleRevision` unless the key holds an object at *expected*."""
        ...

    async def delete(self, key: ObjectKey, last: Manifest, *, expected: Revision) -> Stored:
        """Leave a delete marker that carries *last*; raise `StaleRevision` as `update` does."""
        ...

    def watch(self, scope: Scope, *, since: Revision) -> AbstractAsyncContextManager[Watch]:
        """Changes after *since*; raises `RevisionExpired` if they are no longer held."""
        ...


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """How much a mirror may hold for its readers."""

    history: int = 20_000
    """Changes kept for watches that resume; an older revision is answered with RevisionExpired."""

    watch_backlog: int = 10_000
    """Changes a slow watcher may be behind before it is cut."""

    deadline_seconds: float = 10.0
    """How long one call to the store may take."""


UNWATCHED = StoreLimits(history=0)
"""For a mirror that is read and followed, and that nobody watches from a revision on."""
