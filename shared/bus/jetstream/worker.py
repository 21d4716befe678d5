"""Working through a durable position: overlapped pulls, one pinned reader where it is exclusive.

A pull is asked for before the last one is used up, so the server never waits for this process.
The pin of an exclusive consumer lapses a while after the last *pull*, however long that pull
waits, so one is sent at least every half of that time, also by those who only stand by.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import msgspec
import nats.errors
import structlog
from nats.aio.msg import Msg

from shared.bus.dead_letters import dead_letter, exhausted
from shared.bus.jetstream.connection import RECONNECT_SECONDS, ApiError, Connection
from shared.bus.jetstream.pipe import DESCRIPTION, STATUS
from shared.bus.jetstream.streams import PIN_GROUP, PIN_SECONDS, ensure_consumer, nanoseconds
from shared.bus.port import Delivery, Message
from shared.bus.topology import Consumer
from shared.errors import StoreUnavailable

log = structlog.get_logger("hanse.bus")

BATCH = 100
PULL_SECONDS = 10.0
_PENDING_HEADER = "Nats-Pending-Messages"
_NO_HEADERS: dict[str, str] = {}


class PullWorker:
    """One process at *consumer*; iterate it while `run` runs."""

    def __init__(self, connection: Connection, consumer: Consumer, service: str) -> None:
        self._connection = connection
        self._consumer = consumer
        self._service = service
        self._queue: asyncio.Queue[JetStreamDelivery | BaseException] = asyncio.Queue()
        # With the moment until which the server waits for a word at least.
        self._unanswered: dict[JetStreamDelivery, float] = {}
        self._asked = 0
        self._pin: str | None = None
        self._wanted = asyncio.Event()
        self._missing = False
        self._inbox = connection.client.new_inbox()

    def fail(self, running: "asyncio.Task[None]") -> None:
        """Let the reader know that *running* (of `run`) ended."""
        error = None if running.cancelled() else running.exception()
        if error is not None:
            self._queue.put_nowait(error)

    async def run(self) -> None:
        """Pull until cancelled."""
        subscription = await self._connection.client.subscribe_directly(self._inbox, self._receive)
        stop = self._connection.on_reconnect(self._start_over)
        try:
            while True:
                try:
                    await ensure_consumer(self._connection, self._consumer)
                    await self._pull_while_there()
                except StoreUnavailable as err:
                    log.info("worker.waiting", consumer=self._consumer.name, reason=str(err))
                await asyncio.sleep(RECONNECT_SECONDS)
        finally:
            stop()
            if not self._connection.client.is_closed:
                await subscription.unsubscribe()

    async def _pull_while_there(self) -> None:
        self._missing = False
        self._start_over()
        # Half of the time in which a pin lapses; else just now and then, should one be lost.
        pause = PIN_SECONDS / 2 if self._consumer.exclusive else PULL_SECONDS / 2
        while not self._missing:
            self._wanted.clear()
            await self._pull(2 * pause)
            await self._keep()
            with contextlib.suppress(TimeoutError):
                # Not wait_for: before 3.12 it may swallow a cancellation.
                async with asyncio.timeout(pause):
                    await self._wanted.wait()

    async def _pull(self, expires_seconds: float) -> None:
        if not self._connection.connected:
            return
        pull: dict[str, object] = {
            "batch": BATCH,
            "expires": nanoseconds(timedelta(seconds=expires_seconds)),
        }
        if self._consumer.exclusive:
            pull["group"] = PIN_GROUP
            if self._pin is not None:
                pull["id"] = self._pin
        self._asked += BATCH
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._consumer.stream.name}.{self._consumer.name}"
        try:
            await self._connection.client.publish(
                subject, msgspec.json.encode(pull), reply=self._inbox
            )
        except nats.errors.Error as err:
            raise StoreUnavailable(f"cannot pull from {self._consumer.name}: {err}") from err

    async def _keep(self) -> None:
        """Ask for more time for what waits here, where the consumer says so."""
        if not self._consumer.kept or not self._connection.connected:
            return
        now = asyncio.get_running_loop().time()
        wait = self._consumer.ack_wait.total_seconds()
        for delivery, since in list(self._unanswered.items()):
            # The first come, or were answered for, first.
            if now - since < wait / 3:
                break
            if delivery in self._unanswered:
                del self._unanswered[delivery]
                self._unanswered[delivery] = now
                await delivery.working()

    def _start_over(self) -> None:
        self._asked = 0
        self._wanted.set()

    def _receive(self, message: Msg) -> None:
        headers = message.headers or _NO_HEADERS
        if not message.reply.startswith("$JS.ACK.") and STATUS in headers:
            self._receive_status(headers)
            return
        self._asked -= 1
        if self._asked <= BATCH // 2:
            self._wanted.set()
        self._pin = headers.get("Nats-Pin-Id", self._pin)
        tokens = message.reply.split(".")
        at = 4 if len(tokens) == 9 else 6
        found = Message(message.subject, message.data, headers, int(tokens[at + 1]))
        delivery = JetStreamDelivery(self, found, int(tokens[at]), message.reply)
        self._unanswered[delivery] = asyncio.get_running_loop().time()
        self._queue.put_nowait(delivery)

    def _receive_status(self, headers: dict[str, str]) -> None:
        status, text = headers[STATUS], headers.get(DESCRIPTION, "")
        self._asked -= int(headers.get(_PENDING_HEADER, "0"))
        if status == "423":
            # The pin went to another: stand by.
            self._pin = None
        elif status == "503" or (status == "409" and "eleted" in text):
            self._missing = True
            self._wanted.set()
        elif status == "409":
            log.info("worker.pull_refused", consumer=self._consumer.name, reason=text)

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        while True:
            delivery = await self._queue.get()
            if isinstance(delivery, BaseException):
                raise delivery
            if not exhausted(self._consumer, delivery.attempt):
                return delivery
            await delivery.reject("every attempt ended without an answer")

    async def answer(self, delivery: "JetStreamDelivery", body: bytes, *, final: bool) -> None:
        if final:
            self._unanswered.pop(delivery, None)
        try:
            await self._connection.client.publish(delivery.reply, body)
        except nats.errors.Error as err:
            raise StoreUnavailable(f"cannot answer for {delivery.message.subject}") from err

    def is_last(self, attempt: int) -> bool:
        return attempt == self._consumer.attempts_max

    async def set_aside(self, delivery: "JetStreamDelivery", reason: str) -> None:
        letter = dead_letter(
            self._service, self._consumer, delivery.message, delivery.attempt, reason
        )
        await self._connection.publish(letter.subject, letter.body, letter.headers)

    async def hand_back(self) -> None:
        """Let others have at once what this worker did not answer, and its place."""
        if not self._connection.connected:
            return
        with contextlib.suppress(StoreUnavailable, ApiError):
            for delivery in tuple(self._unanswered):
                await self.answer(delivery, b"-NAK", final=True)
            if self._pin is not None:
                stream, name = self._consumer.stream.name, self._consumer.name
                await self._connection.api(f"CONSUMER.UNPIN.{stream}.{name}", {"group": PIN_GROUP})


class JetStreamDelivery:
    """Implements `Delivery`."""

    __slots__ = ("_answered", "_worker", "attempt", "message", "reply")

    def __init__(self, worker: PullWorker, message: Message, attempt: int, reply: str) -> None:
        self.message = message
        self.attempt = attempt
        self.reply = reply
        self._worker = worker
        self._answered = False

    async def acknowledge(self) -> None:
        await self._answer(b"+ACK")

    async def retry(self, after: timedelta) -> None:
        if self._worker.is_last(self.attempt):
            await self.reject(f"gave up after {self.attempt} attempts")
            return
        delay = max(0, nanoseconds(after))
        await self._answer(b'-NAK {"delay": %d}' % delay if delay else b"-NAK")

    async def working(self) -> None:
        if not self._answered:
            await self._worker.answer(self, b"+WPI", final=False)

    def forget_body(self) -> None:
        self.message = replace(self.message, body=b"")

    async def reject(self, reason: str, body: bytes | None = None) -> None:
        if self._answered:
            return
        if body is not None:
            self.message = replace(self.message, body=body)
        # First the letter: dying in between leaves a repeat, which its id makes harmless.
        await self._worker.set_aside(self, reason)
        line = " ".join(reason.split())[:200]
        await self._answer(f"+TERM {line}".encode())

    async def _answer(self, body: bytes) -> None:
        if not self._answered:
            self._answered = True
            await self._worker.answer(self, body, final=True)
