"""The bus within one process: for simulation and tests.

Proved equal to the one on JetStream by one contract suite (tests/contract/test_bus.py).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from shared.bus.boards import MARKER, board_stream, decode_board_key, encode_board_key, whole_ttl
from shared.bus.dead_letters import dead_letter
from shared.bus.endpoints import answer
from shared.bus.lifetimes import whole_seconds
from shared.bus.matching import matches_any
from shared.bus.memory_log import Handout, MemoryLog, MemoryPosition, MemoryWorker
from shared.bus.port import (
    Board,
    BoardEntry,
    CaughtUp,
    Delivery,
    Handler,
    Message,
    RequestError,
)
from shared.bus.topology import STREAMS, Consumer, Stream
from shared.errors import StoreUnavailable
from shared.telemetry.propagation import inject


class MemoryBus:
    """Implements `Bus`. Services of one test share one; *service* names who rejects."""

    def __init__(self, service: str = "memory", streams: Sequence[Stream] = STREAMS) -> None:
        self._service = service
        self._logs = {stream.name: MemoryLog(stream) for stream in streams}
        self._handlers: dict[str, list[Handler]] = {}
        self._turn = 0
        self._on_return: set[Callable[[], None]] = set()

    @property
    def connected(self) -> bool:
        return True

    def on_return(self, listener: Callable[[], None]) -> Callable[[], None]:
        self._on_return.add(listener)
        return lambda: self._on_return.discard(listener)

    def interrupt(self) -> None:
        """As if the connection had been lost and were back, and nothing was under way."""
        for listener in tuple(self._on_return):
            listener()

    async def publish(
        self, message: Message, *, expected: int | None = None, ttl: timedelta | None = None
    ) -> int:
        headers = dict(message.headers)
        inject(headers)
        for log in self._logs.values():
            if matches_any(log.stream.subjects, message.subject):
                sequence = log.append(Message(message.subject, message.body, headers), expected)
                if ttl is not None:
                    loop = asyncio.get_running_loop()
                    loop.call_later(whole_seconds(ttl), log.drop, sequence)
                return sequence
        raise StoreUnavailable(f"no stream takes {message.subject}")

    async def purge(self, stream: Stream, subject: str, *, up_to: int) -> None:
        self._log(stream).purge(subject, up_to)

    @asynccontextmanager
    async def follow(
        self, stream: Stream, filters: Sequence[str], *, recent: timedelta | None = None
    ) -> AsyncIterator[AsyncIterator[Message | CaughtUp]]:
        log = self._log(stream)
        follower = log.follow(filters, recent)
        try:
            yield follower
        finally:
            log.unfollow(follower)

    @asynccontextmanager
    async def consume(self, consumer: Consumer) -> AsyncIterator[AsyncIterator[Delivery]]:
        position = self._log(consumer.stream).position(consumer)
        worker = MemoryWorker()
        position.join(worker)
        try:
            yield self._deliveries(position, worker)
        finally:
            if worker in position.workers:
                position.leave(worker)

    async def _deliveries(
        self, position: MemoryPosition, worker: MemoryWorker
    ) -> AsyncIterator[Delivery]:
        while True:
            handout = await worker.queue.get()
            if not position.holds(handout):
                continue
            delivery = MemoryDelivery(self, position, handout)
            if position.is_exhausted(handout):
                await delivery.reject("every attempt ended without an answer")
                continue
            yield delivery

    async def last(self, stream: Stream, subject: str) -> Message | None:
        return self._log(stream).last(subject)

    async def forget_consumer(self, consumer: Consumer) -> None:
        self._log(consumer.stream).forget_position(consumer.name)

    async def set_aside(
        self, consumer: Consumer, message: Message, attempt: int, reason: str
    ) -> None:
        """Publish to the dead letters."""
        await self.publish(dead_letter(self._service, consumer, message, attempt, reason))

    async def request(self, subject: str, body: bytes, *, deadline: timedelta) -> bytes:
        handlers = self._handlers.get(subject)
        if not handlers:
            raise StoreUnavailable(f"nobody answers {subject}")
        self._turn += 1
        headers: dict[str, str] = {}
        inject(headers)
        handler = handlers[self._turn % len(handlers)]
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                return await answer(subject, handler, body, headers)
        except TimeoutError as err:
            raise StoreUnavailable(f"no answer from {subject} in time") from err
        except RequestError as err:
            # Over the wire only these three travel.
            raise RequestError(err.code, str(err), err.body) from None

    @asynccontextmanager
    async def serve(
        self,
        service: str,  # noqa: ARG002 - discovery is a matter of the network.
        version: str,  # noqa: ARG002
        endpoints: Mapping[str, Handler],
    ) -> AsyncIterator[None]:
        for subject, handler in endpoints.items():
            self._handlers.setdefault(subject, []).append(handler)
        try:
            yield
        finally:
            for subject, handler in endpoints.items():
                self._handlers[subject].remove(handler)

    def board(self, name: str) -> Board:
        return MemoryBoard(name, self._log(board_stream(name)))

    def _log(self, stream: Stream) -> MemoryLog:
        return self._logs[stream.name]


class MemoryDelivery:
    """Implements `Delivery`."""

    def __init__(self, bus: MemoryBus, position: MemoryPosition, handout: Handout) -> None:
        self._bus = bus
        self._position = position
        self._handout = handout

    @property
    def message(self) -> Message:
        return self._handout.message

    @property
    def attempt(self) -> int:
        return self._handout.attempt

    async def acknowledge(self) -> None:
        self._position.finish(self._handout)

    async def retry(self, after: timedelta) -> None:
        if self.attempt == self._position.consumer.attempts_max:
            await self.reject(f"gave up after {self.attempt} attempts")
            return
        self._position.give_back(self._handout, after)

    async def working(self) -> None:
        self._position.extend(self._handout)

    def forget_body(self) -> None:
        self._handout.message = replace(self._handout.message, body=b"")

    async def reject(self, reason: str, body: bytes | None = None) -> None:
        message = self.message if body is None else replace(self.message, body=body)
        await self._bus.set_aside(self._position.consumer, message, self.attempt, reason)
        self._position.finish(self._handout)


class MemoryBoard:
    """Implements `Board`; a value's time ends by a timer of the event loop."""

    def __init__(self, name: str, log: MemoryLog) -> None:
        self._name = name
        self._log = log

    async def put(
        self,
        key: str,
        value: bytes,
        *,
        ttl: timedelta | None = None,
        expected: int | None = None,
    ) -> int:
        subject = encode_board_key(self._name, key)
        sequence = self._log.append(Message(subject, value), expected)
        seconds = whole_ttl(self._log.stream, ttl)
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, self._expire, subject, sequence)
        return sequence

    def _expire(self, subject: str, sequence: int) -> None:
        last = self._log.last(subject)
        if last is not None and last.sequence == sequence:
            self._mark_gone(subject)

    def _mark_gone(self, subject: str) -> None:
        sequence = self._log.append(Message(subject, b"", {MARKER: "DEL"}), None)
        self._log.drop(sequence)

    async def get(self, key: str) -> bytes | None:
        found = self._log.last(encode_board_key(self._name, key))
        return None if found is None else found.body

    async def entry(self, key: str) -> BoardEntry:
        found = self._log.last(encode_board_key(self._name, key))
        # The marker of an end is dropped at once, so what is there is a value.
        return (
            BoardEntry(key, None) if found is None else BoardEntry(key, found.body, found.sequence)
        )

    async def delete(self, key: str) -> None:
        self._mark_gone(encode_board_key(self._name, key))

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[BoardEntry | CaughtUp]]:
        follower = self._log.follow(())
        try:
            yield self._entries(follower)
        finally:
            self._log.unfollow(follower)

    async def _entries(
        self, messages: AsyncIterator[Message | CaughtUp]
    ) -> AsyncIterator[BoardEntry | CaughtUp]:
        async for message in messages:
            if isinstance(message, CaughtUp):
                yield message
            else:
                gone = MARKER in message.headers
                key = decode_board_key(self._name, message.subject)
                yield (
                    BoardEntry(key, None)
                    if gone
                    else BoardEntry(key, message.body, message.sequence)
                )
