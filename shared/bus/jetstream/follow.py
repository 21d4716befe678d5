"""A log or a board as an iterator over a `Tail`."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Generic, TypeVar

from shared.bus.boards import decode_board_key, is_gone
from shared.bus.jetstream.background import stop
from shared.bus.jetstream.connection import Connection
from shared.bus.jetstream.streams import EXPIRY_MARKER
from shared.bus.jetstream.tail import Entry, Tail
from shared.bus.port import BoardEntry, CaughtUp, Message
from shared.bus.topology import DELETE_MARKER_TTL, ENDS_KEPT, Stream

Item = TypeVar("Item")

READ_AHEAD_MAX = 5_000
"""Messages a slow reader may have before the server is asked to wait."""


class ReadAhead(Generic[Item]):
    """What has arrived and was not read yet; an iterator that ends only with an error."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._wake = asyncio.Event()
        self.tail: Tail | None = None
        self.failure: BaseException | None = None

    def put(self, item: Item) -> None:
        self._items.append(item)
        self._wake.set()

    def has_room(self) -> bool:
        return len(self._items) < READ_AHEAD_MAX

    def fail(self, running: "asyncio.Task[None]") -> None:
        if not running.cancelled():
            self.failure = running.exception()
            self._wake.set()

    def __aiter__(self) -> AsyncIterator[Item]:
        return self

    async def __anext__(self) -> Item:
        while not self._items:
            if self.failure is not None:
                raise self.failure
            self._wake.clear()
            await self._wake.wait()
        item = self._items.popleft()
        if self.tail is not None and len(self._items) == READ_AHEAD_MAX // 2:
            await self.tail.resume()
        return item


@asynccontextmanager
async def follow_log(
    connection: Connection,
    stream: Stream,
    filters: tuple[str, ...],
    recent: timedelta | None = None,
) -> AsyncIterator[AsyncIterator[Message | CaughtUp]]:
    """Implement `LogReader.follow`."""
    found: ReadAhead[Message | CaughtUp] = ReadAhead()
    first, caught_up = True, False
    # Subjects of the snapshot under way, where it is not the first.
    shown: set[str] = set()

    def on_restart() -> None:
        nonlocal caught_up
        caught_up = False
        shown.clear()

    def on_message(entry: Entry) -> None:
        if not (first or caught_up):
            shown.add(entry.subject)
        found.put(Message(entry.subject, entry.body, entry.headers, entry.sequence))

    def on_complete(sequence: int) -> None:
        nonlocal caught_up, first
        if not caught_up:
            found.put(CaughtUp(sequence, None if first else frozenset(shown)))
            shown.clear()
            caught_up, first = True, False

    tail = Tail(
        connection,
        stream.name,
        filters,
        on_restart=on_restart,
        on_message=on_message,
        on_complete=on_complete,
        absence_max=(ENDS_KEPT if stream.message_ttl else DELETE_MARKER_TTL) / 2,
        keeps_last_only=stream.keeps_last_only,
        has_room=found.has_room,
        recent=recent,
    )
    async with _running(tail, found):
        yield found


@asynccontextmanager
async def follow_board(
    connection: Connection, name: str, stream: Stream
) -> AsyncIterator[AsyncIterator[BoardEntry | CaughtUp]]:
    """Implement `Board.follow`."""
    found: ReadAhead[BoardEntry | CaughtUp] = ReadAhead()
    known: set[str] = set()
    # Keys of the snapshot under way; None once it is complete.
    seen: set[str] | None = set()
    first = True

    def on_restart() -> None:
        nonlocal seen
        seen = set()

    def on_message(entry: Entry) -> None:
        key = decode_board_key(name, entry.subject)
        if seen is not None:
            seen.add(key)
        if not is_gone(entry.headers):
            known.add(key)
            found.put(BoardEntry(key, entry.body, entry.sequence))
        elif seen is None or key in known:
            known.discard(key)
            found.put(BoardEntry(key, None, entry.sequence))

    def on_complete(sequence: int) -> None:
        nonlocal seen, first
        if seen is not None:
            # What went while nobody listened, and whose marker went too.
            for key in known - seen:
                found.put(BoardEntry(key, None))
            known.intersection_update(seen)
        seen = None
        if first:
            first = False
            found.put(CaughtUp(sequence))

    tail = Tail(
        connection,
        stream.name,
        stream.subjects,
        on_restart=on_restart,
        on_message=on_message,
        on_complete=on_complete,
        absence_max=EXPIRY_MARKER / 2,
        keeps_last_only=stream.keeps_last_only,
        has_room=found.has_room,
    )
    async with _running(tail, found):
        yield found


@asynccontextmanager
async def _running(tail: Tail, found: ReadAhead[Item]) -> AsyncIterator[None]:
    found.tail = tail
    task = asyncio.create_task(tail.run(), name="follow")
    task.add_done_callback(found.fail)
    try:
        yield
    finally:
        await stop(task)
