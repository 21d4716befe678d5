"""The bus as one process has it over a line: answers that get lost, deliveries that come twice.

The streams themselves are a `MemoryBus` that outlives every process. A reader who was cut off is
told the last message of each subject afterwards, as JetStream does; an exclusive reader who falls
silent loses its place after a while, and what it has in hand comes to others when its time is up.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

from shared.bus.boards import MARKER, board_stream, decode_board_key
from shared.bus.matching import matches_any
from shared.bus.memory import MemoryBus, MemoryDelivery
from shared.bus.memory_log import Handout, MemoryFollower, MemoryLog, MemoryPosition, MemoryWorker
from shared.bus.port import Board, BoardEntry, CaughtUp, Delivery, Handler, Message
from shared.bus.topology import Consumer, Stream
from shared.errors import OutcomeUnknown, StoreUnavailable
from tests.simulation.wire import DEAD, Effect, Line

PIN_SECONDS = 2.0


class RemoteBus:
    """Implements `Bus` over *line*."""

    def __init__(self, streams: MemoryBus, line: Line) -> None:
        self._streams = streams
        self._line = line

    @property
    def connected(self) -> bool:
        return self._line.whole

    def on_return(self, listener: Callable[[], None]) -> Callable[[], None]:
        return self._line.on_heal(listener)

    async def publish(
        self, message: Message, *, expected: int | None = None, ttl: timedelta | None = None
    ) -> int:
        sequence: int = await self._line.request(
            f"publish {message.subject}",
            lambda: self._streams.publish(message, expected=expected, ttl=ttl),
            unsent=StoreUnavailable,
            unknown=OutcomeUnknown,
        )
        return sequence

    async def purge(self, stream: Stream, subject: str, *, up_to: int) -> None:
        await self._ask(
            f"purge {subject}", lambda: self._streams.purge(stream, subject, up_to=up_to)
        )

    async def last(self, stream: Stream, subject: str) -> Message | None:
        found: Message | None = await self._ask(
            f"last {subject}", lambda: self._streams.last(stream, subject)
        )
        return found

    async def forget_consumer(self, consumer: Consumer) -> None:
        await self._ask(f"forget {consumer.name}", lambda: self._streams.forget_consumer(consumer))

    async def _ask(self, what: str, effect: Effect) -> Any:
        return await self._line.request(
            what, effect, unsent=StoreUnavailable, unknown=StoreUnavailable
        )

    @asynccontextmanager
    async def follow(
        self, stream: Stream, filters: Sequence[str], *, recent: timedelta | None = None
    ) -> AsyncIterator[AsyncIterator[Message | CaughtUp]]:
        follower = RemoteFollower(self._streams._log(stream), filters, self._line, recent)
        await self._attached(f"follow {stream.name}", follower)
        try:
            yield follower
        finally:
            follower.detach()

    async def _attached(self, what: str, follower: "RemoteFollower") -> None:
        while True:
            try:
                await self._ask(what, follower.attach)
            except StoreUnavailable:
                if self._line.life.dead:
                    raise
                await asyncio.sleep(0.25)
            else:
                return

    @asynccontextmanager
    async def consume(self, consumer: Consumer) -> AsyncIterator[AsyncIterator[Delivery]]:
        worker = RemoteWorker(self._streams, consumer, self._line)
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()

    async def request(
        self,
        subject: str,
        body: bytes,  # noqa: ARG002 - nobody asks in a simulation yet.
        *,
        deadline: timedelta,  # noqa: ARG002
    ) -> bytes:
        raise StoreUnavailable(f"nobody asks {subject} in a simulation")

    def serve(
        self, service: str, version: str, endpoints: Mapping[str, Handler]
    ) -> AbstractAsyncContextManager[None]:
        return self._streams.serve(service, version, endpoints)

    def board(self, name: str) -> Board:
        return RemoteBoard(self._streams, name, self)


class RemoteFollower(MemoryFollower):
    """Reads a log from its last messages on, however often the line is cut."""

    def __init__(
        self,
        log: MemoryLog,
        filters: Sequence[str],
        line: Line,
        recent: timedelta | None = None,
    ) -> None:
        super().__init__(filters)
        self._recent = recent
        self._log = log
        self._line = line
        self._missed: dict[str, Message] = {}
        self._heard = 0
        self._stop_listening: Callable[[], None] = lambda: None

    async def attach(self) -> None:
        """At the server: hand out what there is, then follow."""
        if self in self._log._followers:
            return
        for message in self._log.past(self._filters, self._recent):
            self._hear(message)
        self._hear(CaughtUp(self._log.sequence))
        self._log._followers[self] = None
        self._stop_listening = self._line.on_heal(self._catch_up)
        self._line.life.at_death(self.detach)

    def detach(self) -> None:
        self._log.unfollow(self)
        self._stop_listening()

    def offer(self, message: Message) -> None:
        if not matches_any(self._filters, message.subject):
            return
        if self._line.in_cut:
            self._missed.pop(message.subject, None)
            self._missed[message.subject] = message
        else:
            self._hear(message)

    def _catch_up(self) -> None:
        missed, self._missed = self._missed, {}
        for message in missed.values():
            if MARKER in message.headers or self._log.read(message.sequence) is not None:
                self._hear(message)

    def _hear(self, message: Message | CaughtUp) -> None:
        self._line.hear(lambda: self.queue.put_nowait(message))


class RemoteWorker(MemoryWorker):
    """One process at a durable position."""

    def __init__(self, streams: MemoryBus, consumer: Consumer, line: Line) -> None:
        super().__init__()
        self._streams = streams
        self._consumer = consumer
        self._line = line
        self._arrived: asyncio.Queue[MemoryDelivery] = asyncio.Queue()
        self._in_hand: set[Handout] = set()
        self._log = streams._log(consumer.stream)
        self.queue = _Outbox(self)  # type: ignore[assignment]
        self._loop = asyncio.get_running_loop()
        self._pulling: asyncio.TimerHandle | None = None
        self._silent: asyncio.TimerHandle | None = None

    @property
    def _position(self) -> MemoryPosition:
        return self._log.position(self._consumer)

    def start(self) -> None:
        self._line.life.at_death(self._fall_silent)
        self._pull()

    def stop(self) -> None:
        """A clean end gives everything back."""
        if self._pulling is not None:
            self._pulling.cancel()
        if self._line.whole:
            if self in self._position.workers:
                self._position.leave(self)
        else:
            self._fall_silent()

    def _pull(self) -> None:
        """Ask for more now and then: who does not loses its place."""
        if self._line.life.dead:
            return
        if self._line.out_cut:
            self._fall_silent()
        else:
            self._line.tell(self._ask)
        self._pulling = self._loop.call_later(PIN_SECONDS / 2, self._pull)

    def _ask(self) -> None:
        if self._line.life.dead:
            return
        if self._silent is not None:
            self._silent.cancel()
        position = self._position
        if self not in position.workers:
            position.join(self)
        self._silent = self._loop.call_later(PIN_SECONDS, self._lose_place)

    def _fall_silent(self) -> None:
        if self._pulling is not None and self._line.life.dead:
            self._pulling.cancel()
        if self._silent is None:
            self._silent = self._loop.call_later(PIN_SECONDS, self._lose_place)

    def _lose_place(self) -> None:
        self._silent = None
        position = self._log._positions.get(self._consumer.name)
        if position is not None and self in position.workers:
            # What it has in hand comes to others when the time for its answer is up.
            position.workers.remove(self)
            position._hand_out()

    def send(self, handout: Handout) -> None:
        position = self._position
        delivery = RemoteDelivery(self._streams, position, handout, self._line)

        if self._consumer.kept:
            self._expect(position, handout)

        def arrive() -> None:
            self._in_hand.add(handout)
            if position.is_exhausted(handout):
                self._loop.create_task(delivery.reject("every attempt ended without an answer"))
            else:
                self._arrived.put_nowait(delivery)

        chance, weather = self._line.chance, self._line.weather
        if self._line.in_cut or chance.random() < weather.lost:
            return
        times = 2 if chance.random() < weather.repeated else 1
        for _ in range(times):
            self._line.hear(arrive, ordered=chance.random() >= weather.repeated)

    def _expect(self, position: MemoryPosition, handout: Handout) -> None:
        """Hand it out again where this process does not say in time that it has it still."""

        def judge() -> None:
            if not position.holds(handout):
                return
            if handout in self._in_hand and self._line.whole:
                self._expect(position, handout)
            else:
                position.give_back(handout, timedelta(0))

        self._loop.call_later(self._consumer.ack_wait.total_seconds(), judge)

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        return await self._arrived.get()


class _Outbox:
    """Takes what the position hands out, and sends it."""

    def __init__(self, worker: RemoteWorker) -> None:
        self._worker = worker

    def put_nowait(self, handout: Handout) -> None:
        self._worker.send(handout)


class RemoteDelivery(MemoryDelivery):
    """Answers are sent, not confirmed."""

    def __init__(
        self, bus: MemoryBus, position: MemoryPosition, handout: Handout, line: Line
    ) -> None:
        super().__init__(bus, position, handout)
        self._line = line

    async def acknowledge(self) -> None:
        self._require_connection()
        self._line.tell(lambda: self._position.finish(self._handout))

    async def retry(self, after: timedelta) -> None:
        if self.attempt == self._position.consumer.attempts_max:
            await self.reject(f"gave up after {self.attempt} attempts")
            return
        self._require_connection()
        self._line.tell(lambda: self._position.give_back(self._handout, after))

    async def working(self) -> None:
        self._require_connection()
        self._line.tell(lambda: self._position.extend(self._handout))

    async def reject(self, reason: str) -> None:
        self._require_connection()
        await self._bus.set_aside(self._position.consumer, self.message, self.attempt, reason)
        self._line.tell(lambda: self._position.finish(self._handout))

    def _require_connection(self) -> None:
        if self._line.life.dead:
            raise StoreUnavailable(DEAD)


class RemoteBoard:
    """Implements `Board`."""

    def __init__(self, streams: MemoryBus, name: str, bus: RemoteBus) -> None:
        self._name = name
        self._board = streams.board(name)
        self._log = streams._log(board_stream(name))
        self._bus = bus

    async def put(
        self,
        key: str,
        value: bytes,
        *,
        ttl: timedelta | None = None,
        expected: int | None = None,
    ) -> int:
        sequence: int = await self._write(
            f"put {self._name} {key}",
            lambda: self._board.put(key, value, ttl=ttl, expected=expected),
        )
        return sequence

    async def entry(self, key: str) -> BoardEntry:
        found: BoardEntry = await self._bus._ask(
            f"get {self._name} {key}", lambda: self._board.entry(key)
        )
        return found

    async def get(self, key: str) -> bytes | None:
        found: bytes | None = await self._bus._ask(
            f"get {self._name} {key}", lambda: self._board.get(key)
        )
        return found

    async def delete(self, key: str) -> None:
        await self._write(f"delete {self._name} {key}", lambda: self._board.delete(key))

    async def _write(self, what: str, effect: Effect) -> Any:
        return await self._bus._line.request(
            what, effect, unsent=StoreUnavailable, unknown=OutcomeUnknown
        )

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[BoardEntry | CaughtUp]]:
        follower = RemoteFollower(self._log, (), self._bus._line)
        await self._bus._attached(f"follow {self._name}", follower)
        try:
            yield self._entries(follower)
        finally:
            follower.detach()

    async def _entries(
        self, messages: AsyncIterator[Message | CaughtUp]
    ) -> AsyncIterator[BoardEntry | CaughtUp]:
        async for message in messages:
            if isinstance(message, CaughtUp):
                yield message
            else:
                key = decode_board_key(self._name, message.subject)
                gone = MARKER in message.headers
                yield BoardEntry(
                    key, None if gone else message.body, 0 if gone else message.sequence
                )
