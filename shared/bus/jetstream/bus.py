"""The whole bus on one connection."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import nats.errors

from shared.bus.boards import MARKER, board_stream, encode_board_key, is_gone, whole_ttl
from shared.bus.jetstream.background import stop
from shared.bus.jetstream.connection import ApiError, Connection
from shared.bus.jetstream.follow import follow_board, follow_log
from shared.bus.jetstream.service import ERROR, ERROR_CODE, serve
from shared.bus.jetstream.worker import PullWorker
from shared.bus.lifetimes import TTL, whole_seconds
from shared.bus.port import (
    Board,
    BoardEntry,
    CaughtUp,
    Delivery,
    Handler,
    Message,
    RequestError,
)
from shared.bus.topology import Consumer, Stream
from shared.errors import InvalidObject, StoreUnavailable
from shared.telemetry.propagation import inject


class JetStreamBus:
    """Implements `Bus`; *service* names whose dead letters it writes."""

    def __init__(self, connection: Connection, service: str) -> None:
        self._connection = connection
        self._service = service

    @property
    def connected(self) -> bool:
        return self._connection.connected

    def on_return(self, listener: Callable[[], None]) -> Callable[[], None]:
        return self._connection.on_reconnect(listener)

    async def publish(
        self, message: Message, *, expected: int | None = None, ttl: timedelta | None = None
    ) -> int:
        headers = message.headers
        if ttl is not None:
            headers = {**headers, TTL: str(whole_seconds(ttl))}
        return await self._connection.publish(
            message.subject, message.body, headers, expected=expected
        )

    async def purge(self, stream: Stream, subject: str, *, up_to: int) -> None:
        try:
            await self._connection.api(
                f"STREAM.PURGE.{stream.name}", {"filter": subject, "seq": up_to + 1}
            )
        except ApiError as err:
            raise StoreUnavailable(f"cannot purge {subject}: {err}") from err

    def follow(
        self, stream: Stream, filters: Sequence[str], *, recent: timedelta | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Message | CaughtUp]]:
        return follow_log(self._connection, stream, tuple(filters), recent)

    @asynccontextmanager
    async def consume(self, consumer: Consumer) -> AsyncIterator[AsyncIterator[Delivery]]:
        worker = PullWorker(self._connection, consumer, self._service)
        running = asyncio.create_task(worker.run(), name=f"consume-{consumer.name}")
        running.add_done_callback(worker.fail)
        try:
            yield worker
        finally:
            await stop(running)
            await worker.hand_back()

    async def last(self, stream: Stream, subject: str) -> Message | None:
        found = await self._connection.last_message(stream.name, subject)
        if found is None:
            return None
        return Message(subject, found.body, found.headers, int(found.headers["Nats-Sequence"]))

    async def forget_consumer(self, consumer: Consumer) -> None:
        try:
            await self._connection.api(f"CONSUMER.DELETE.{consumer.stream.name}.{consumer.name}")
        except ApiError as err:
            if err.status != 404:
                raise StoreUnavailable(f"cannot remove {consumer.name}: {err}") from err

    async def request(self, subject: str, body: bytes, *, deadline: timedelta) -> bytes:
        if not self.connected:
            raise StoreUnavailable("not connected to NATS")
        headers: dict[str, str] = {}
        inject(headers)
        task = asyncio.current_task()
        cancelled = task.cancelling() if task is not None else 0
        try:
            reply = await self._connection.client.request(
                subject, body, timeout=deadline.total_seconds(), headers=headers or None
            )
        except nats.errors.NoRespondersError as err:
            raise StoreUnavailable(f"nobody answers {subject}") from err
        except nats.errors.TimeoutError as err:
            raise StoreUnavailable(f"no answer from {subject} in time") from err
        except nats.errors.MaxPayloadError as err:
            raise InvalidObject(f"a request of {len(body)} bytes is too big") from err
        except nats.errors.Error as err:
            raise StoreUnavailable(f"cannot ask {subject}: {err}") from err
        if task is not None and task.cancelling() > cancelled:
            # The client waits with wait_for, which before 3.12 may swallow a cancellation.
            raise asyncio.CancelledError
        answered = reply.headers or {}
        if ERROR_CODE in answered:
            code = answered[ERROR_CODE]
            raise RequestError(
                int(code) if code.isdigit() else 500, answered.get(ERROR, ""), reply.data
            )
        return bytes(reply.data)

    def serve(
        self, service: str, version: str, endpoints: Mapping[str, Handler]
    ) -> AbstractAsyncContextManager[None]:
        return serve(self._connection.client, service, version, endpoints)

    def board(self, name: str) -> Board:
        return JetStreamBoard(self._connection, name)


class JetStreamBoard:
    """Implements `Board` on a bucket."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._stream = board_stream(name)

    async def put(
        self,
        key: str,
        value: bytes,
        *,
        ttl: timedelta | None = None,
        expected: int | None = None,
    ) -> int:
        seconds = whole_ttl(self._stream, ttl)
        headers = {} if seconds is None else {TTL: str(seconds)}
        return await self._connection.publish(
            encode_board_key(self._name, key), value, headers, expected=expected
        )

    async def get(self, key: str) -> bytes | None:
        return (await self.entry(key)).value

    async def entry(self, key: str) -> BoardEntry:
        found = await self._connection.last_message(
            self._stream.name, encode_board_key(self._name, key)
        )
        if found is None:
            return BoardEntry(key, None)
        value = None if is_gone(found.headers) else found.body
        return BoardEntry(key, value, int(found.headers["Nats-Sequence"]))

    async def delete(self, key: str) -> None:
        # The bucket keeps one message per key, so the marker takes the value's place.
        headers = {MARKER: "DEL"}
        if self._stream.message_ttl:
            headers[TTL] = "60"
        await self._connection.publish(encode_board_key(self._name, key), b"", headers)

    def follow(self) -> AbstractAsyncContextManager[AsyncIterator[BoardEntry | CaughtUp]]:
        return follow_board(self._connection, self._name, self._stream)


def open_bus(connection: Connection, service: str) -> JetStreamBus:
    """Return the bus on *connection*; its streams must exist (`ensure_topology`)."""
    return JetStreamBus(connection, service)
