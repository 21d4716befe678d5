"""What a store of objects promises; `memory.py` and `jetstream.py` keep the promise.

A revision is one counter over the whole store: the sequence of the change that wrote it. It *is*
`metadata.resourceVersion`, so a stored manifest carries it and a written one need not.

Reading has two grades. `get` and `list` see every write acknowledged before the call began, by
anyone. `mirror` is this process's own copy: synchronous, free, and a moment behind.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
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
    labels_of,
    read_head,
    read_labels,
)

Revision = NewType("Revision", int)
_SIZE_UNKNOWN = 1_024


class Packing(Protocol):
    """How JSON is packed, and unpacked."""

    def pack(self, body: bytes) -> bytes: ...

    def unpack(self, packed: bytes) -> bytes: ...


class Stored:
    """One object as the store has it; `manifest` carries its resourceVersion. Do not change it.

    Held as JSON, as a manifest, or both: each is made from the other when it is asked for, and
    kept. A mirror of thousands that nobody looked at is therefore bytes, which cost a tenth of
    the memory of dicts and nothing at garbage collection. One at rest is packed besides, and
    whatever is made of it is not kept.

    `trace` is the W3C traceparent of the write, so that a reconciler can continue that trace.
    """

    __slots__ = ("_encoded", "_manifest", "_packing", "face", "key", "revision", "trace")

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
        self.face: tuple[str, bytes] | None = None
        """What a door shows of it, as JSON, and in which version: kept for the next reader."""

        self._manifest = manifest
        self._encoded = encoded
        self._packing: Packing | None = None

    def rest(self, packing: "Packing") -> None:
        """Keep it packed from now on."""
        if self._packing is None:
            self._encoded = packing.pack(self.encoded)
            self._packing, self._manifest = packing, None

    @property
    def manifest(self) -> Manifest:
        if self._manifest is not None:
            return self._manifest
        manifest = decode(self.encoded)
        if self._packing is None:
            self._manifest = manifest
        return manifest

    @property
    def encoded(self) -> bytes:
        """The manifest as JSON, encoded once however many readers there are."""
        if self._encoded is None:
            self._encoded = encode(self.manifest)
        if self._packing is not None:
            return self._packing.unpack(self._encoded)
        return self._encoded

    def glance(self) -> Manifest:
        """The manifest, not kept: for those who look at thousands once."""
        return decode(self.encoded) if self._manifest is None else self._manifest

    @property
    def labels(self) -> dict[str, str]:
        if self._manifest is None:
            return read_labels(self.encoded)
        return labels_of(self._manifest)

    @property
    def size(self) -> int:
        """About how many bytes it holds."""
        return len(self._encoded) if self._encoded is not None else _SIZE_UNKNOWN

    def head(self) -> Head:
        """What tells whether more than the status changed; does not keep the whole in memory."""
        if self._manifest is not None:
            return Head.of(self._manifest)
        return read_head(self.encoded)

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
    """Objects in order of their place and the revision at which all of them are true."""

    items: tuple[Stored, ...]
    revision: Revision


def place_of(stored: Stored) -> str:
    """Where an object stands in a list: by `namespace/name`, letter by letter, as in etcd."""
    _, _, namespace, name = stored.key
    return f"{namespace}/{name}" if namespace else name


class Watch(Protocol):
    """The changes of a scope after a revision, each once and in order.

    Iterating raises `RevisionExpired` when the reader fell too far behind to be served.
    """

    def __aiter__(self) -> AsyncIterator[Change]: ...

    async def __anext__(self) -> Change: ...

    async def batch(self) -> Sequence[Change]:
        """What there is by now, in order: one change at least."""
        ...

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

    async def get(self, key: ObjectKey, *, not_older_than: Revision | None = None) -> Stored | None:
        """As of now; where *not_older_than* is given, as of that revision at least.

        Raises `RevisionAhead` for one that no write has reached.
        """
        ...

    async def list(self, scope: Scope, *, not_older_than: Revision | None = None) -> Listing:
        """As new as `get` is."""
        ...

    async def list_at(self, scope: Scope, revision: Revision) -> Listing:
        """As it was at exactly *revision*; raises `RevisionAhead`, `RevisionExpired`."""
        ...

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

    history_bytes: int = 64 * 1024 * 1024
    """About how much all of them together may hold."""

    watch_backlog: int = 10_000
    """Changes a slow watcher may be behind before it is cut."""

    watch_backlog_bytes: int = 16 * 1024 * 1024
    """About how much those may hold."""

    deadline_seconds: float = 10.0
    """How long one call to the store may take."""

    unpacked_max: int | None = None
    """All objects but so many, which changed last, are packed; None: none are.

    Packed ones take a tenth to a third of the memory, and microseconds more at each look.
    """


UNWATCHED = StoreLimits(history=0, unpacked_max=4_096)
"""For a mirror that is read and followed, and that nobody watches from a revision on."""
