"""What the bus promises; `memory.py` and `jetstream.py` keep the promise.

Four ways of meeting, each with its own guarantee:

* a *log* keeps the last message of every subject; readers follow it from a snapshot (`follow`)
  or share one durable position (`consume`);
* a *queue* (a stream consumed once) hands each message to one worker until it is acknowledged;
* a *board* keeps the last value per key and forgets it after a time;
* a *request* is answered by whoever serves that subject.

Subjects come from `shared/events/subjects.py`, streams and consumers from `topology.py`. The trace
context of the caller travels in the headers without being passed by hand.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from shared.bus.topology import Consumer, Stream


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """What lies on a stream. `sequence` is 0 until it has been stored."""

    subject: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    sequence: int = 0


class Delivery(Protocol):
    """A message handed to this worker and to nobody else until it is answered or expires."""

    @property
    def message(self) -> Message: ...

    @property
    def attempt(self) -> int:
        """1 for the first delivery."""
        ...

    async def acknowledge(self) -> None:
        """Only after the effect is durable."""
        ...

    async def retry(self, after: timedelta) -> None: ...

    async def working(self) -> None:
        """Ask for more time."""
        ...

    def forget_body(self) -> None:
        """Keep only what names the message: many may wait long, and are read again (`last`)."""
        ...

    async def reject(self, reason: str, body: bytes | None = None) -> None:
        """Set it aside for good: it goes to the dead letters with the reason.

        *body* is that of a message whose own was forgotten.
        """
        ...


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """In a followed log: everything stored when following began has been handed out.

    It comes again when the reader was away for so long that ends may have been missed: then all
    was handed out anew, and what is not on one of the subjects *shown* is gone.
    """

    sequence: int
    shown: frozenset[str] | None = None


class Publisher(Protocol):
    async def publish(
        self, message: Message, *, expected: int | None = None, ttl: timedelta | None = None
    ) -> int:
        """Store *message*, return its sequence.

        *expected*: the sequence that must be the subject's last (0: it has none), else
        `StaleRevision`. *ttl*, in whole seconds, on a stream with `message_ttl`: when it is over
        the subject holds nothing, and nobody is told.

        A `Nats-Msg-Id` header makes repeats within two minutes harmless.
        Many calls may be in flight at once (they are pipelined); order is kept per caller.
        Raises `StoreUnavailable`, `OutcomeUnknown`.
        """
        ...

    async def purge(self, stream: Stream, subject: str, *, up_to: int) -> None:
        """Forget the messages of *subject* up to and including sequence *up_to*."""
        ...


class LogReader(Protocol):
    def follow(
        self, stream: Stream, filters: Sequence[str], *, recent: timedelta | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Message | CaughtUp]]:
        """The last message of each subject, then `CaughtUp`, then every later one, in order.

        With *recent* it begins with every message that is no older, instead of the last ones.
        Survives lost connections without gap or repetition.
        """
        ...

    def consume(self, consumer: Consumer) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Work through *consumer*'s position, creating it where it does not exist.

        A consumer declared `exclusive` hands messages to one process at a time; the others wait.
        """
        ...

    async def last(self, stream: Stream, subject: str) -> Message | None:
        """Return the message that is the last word on *subject* now; None where there is none."""
        ...

    async def forget_consumer(self, consumer: Consumer) -> None:
        """Remove a durable position; absent is fine."""
        ...


class Board(Protocol):
    """The last value per key, each with a time to live."""

    async def put(
        self,
        key: str,
        value: bytes,
        *,
        ttl: timedelta | None = None,
        expected: int | None = None,
    ) -> int:
        """Put *value*, return its sequence.

        *expected*: the sequence of the entry that must lie there (0: none), else `StaleRevision`.
        """
        ...

    async def get(self, key: str) -> bytes | None: ...

    async def entry(self, key: str) -> "BoardEntry":
        """Return what lies under *key* now, as every acknowledged write left it."""
        ...

    async def delete(self, key: str) -> None: ...

    def follow(
        self,
    ) -> AbstractAsyncContextManager[AsyncIterator["BoardEntry | CaughtUp"]]:
        """All entries, `CaughtUp`, then changes; an expired or deleted key has value None."""
        ...


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """`sequence` is that of the value, or of the marker of its end; 0 where nothing lies there."""

    key: str
    value: bytes | None
    sequence: int = field(default=0, compare=False)


Handler = Callable[[bytes, Mapping[str, str]], Awaitable[bytes]]


class RequestError(Exception):
    """What a served request answers when it cannot do what was asked: code as in HTTP."""

    def __init__(self, code: int, message: str, body: bytes = b"") -> None:
        super().__init__(message)
        self.code = code
        self.body = body


class Requests(Protocol):
    async def request(self, subject: str, body: bytes, *, deadline: timedelta) -> bytes:
        """Raise `RequestError` as the server answered it, `StoreUnavailable` if nobody did."""
        ...

    def serve(
        self, service: str, version: str, endpoints: Mapping[str, Handler]
    ) -> AbstractAsyncContextManager[None]:
        """Offer a NATS micro service; *endpoints* maps a subject to its handler."""
        ...


class Bus(Publisher, LogReader, Requests, Protocol):
    """One connection to all of it."""

    def board(self, name: str) -> Board:
        """A board declared in `topology.py`."""
        ...

    @property
    def connected(self) -> bool: ...

    def on_return(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call *listener* after each return of the connection; returns the way to stop.

        What a lost connection had under way to `consume` is handed out again only after the
        consumer's `ack_wait`.
        """
        ...
