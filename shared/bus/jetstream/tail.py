"""Following a stream from its last messages on, without gap or repetition.

An own ordered consumer: the server pushes, nothing is acknowledged, and the reader counts. On a
gap, a silence or a new connection the consumer is thrown away and another one starts after the
last sequence seen. The snapshot is complete once it has passed the last sequence sampled *after*
its consumer was created; sampled before, most lists under concurrent writes are wrong. It is
sampled twice, since a key overwritten away during the first pass comes only with its newer message.

A server (2.15) that was asked for the last message of each subject makes a list of them, and falls
silent at one that was removed since, though there are more: it looks further when something new
comes. So streams that hold nothing but last messages are read from their beginning; of the others
whoever reads makes sure that what was silent had nothing more to say.

Such a consumer is replaced once the snapshot is there: whenever several messages are removed at
once, the server counts anew what each consumer has still to read, and for one with that list it
goes through all subjects.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.bus.jetstream.connection import RECONNECT_SECONDS, ApiError, Connection
from shared.bus.jetstream.pipe import STATUS
from shared.bus.jetstream.streams import nanoseconds
from shared.clock import SystemClock, format_micro_time
from shared.errors import StoreUnavailable, TerminalError

log = structlog.get_logger("hanse.bus")

HEARTBEAT = timedelta(seconds=1)
TICK_SECONDS = 1.0
SILENCE_TICKS_MAX = 4
_HEARTBEATS_OF_AN_END = 2
_NO_HEADERS: dict[str, str] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One message of the stream, in its place."""

    subject: str
    sequence: int
    body: bytes
    headers: dict[str, str]


class Tail:
    """One reader of *stream*. `run` for ever; what it finds goes to the three callbacks.

    `on_restart` says that a whole snapshot follows; `on_message` takes each message;
    `on_complete` takes the sequence up to which all has been handed out. A reader without
    room answers so in `has_room`; the server then stops sending until `resume`.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        filters: tuple[str, ...],
        *,
        on_restart: Callable[[], None],
        on_message: Callable[[Entry], None],
        on_complete: Callable[[int], None],
        absence_max: timedelta,
        keeps_last_only: bool = False,
        has_room: Callable[[], bool] = lambda: True,
        recent: timedelta | None = None,
    ) -> None:
        """*keeps_last_only*: as `Stream.keeps_last_only`."""
        self._connection = connection
        self._stream = stream
        self._filters = filters or (">",)
        self._on_restart = on_restart
        self._on_message = on_message
        self._on_complete = on_complete
        self._has_room = has_room
        # Begin with all that is no older, instead of the last message of each subject.
        self._recent = recent
        self._snapshot_policy = "all" if keeps_last_only else "last_per_subject"
        # Away for longer, delete markers may have expired: only a snapshot tells what is gone.
        self._absence_max = absence_max.total_seconds()
        self._last: int | None = None
        self._was_complete = False
        # Whether the snapshot begun last was handed out to its end; it may be resumed before.
        self._is_whole = False
        # Whether the consumer in use has such a list.
        self._is_listing = False
        self._epoch = 0
        self._consumer_sequence = 0
        self._heard_at = 0.0
        # Seconds of silence in which this process was awake to hear something.
        self._silent_ticks = 0
        self._broken = asyncio.Event()
        self._target: int | None = None
        # Since then. What they say of the stream's sequence lags behind, at times for long.
        self._heartbeats = 0
        self._arrived = asyncio.Event()
        # The flow control request not answered yet: the server waits for it.
        self._owed = ""
        self._resuming: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._subscription: Subscription | None = None
        self._name = ""

    async def run(self) -> None:
        """Follow until cancelled; raises what `on_message` raised: nobody could go on from there.

        Raises `StoreUnavailable` where the connection was closed for good.
        """
        stop = self._connection.on_reconnect(self._broken.set)
        try:
            while True:
                if self._connection.client.is_closed:
                    raise StoreUnavailable("the connection to NATS was closed")
                try:
                    await self._attach()
                    await self._watch_over()
                except (StoreUnavailable, nats.errors.Error) as err:
                    log.info("tail.waiting", stream=self._stream, reason=str(err))
                    await asyncio.sleep(RECONNECT_SECONDS)
                except TerminalError as err:
                    # At the start whoever opened it must know; later nobody waits for an answer.
                    if not self._was_complete:
                        raise
                    log.error("tail.refused", stream=self._stream, reason=str(err))  # noqa: TRY400
                    await asyncio.sleep(TICK_SECONDS)
                if self._failure is not None:
                    raise self._failure
                await self._detach()
        finally:
            stop()
            await asyncio.shield(self._detach())

    async def _attach(self) -> None:
        self._broken.clear()
        resume = await self._can_resume()
        if not resume:
            self._last = None
            self._is_whole = False
            self._on_restart()
        self._is_listing = self._start()["deliver_policy"] == "last_per_subject"
        self._epoch += 1
        self._consumer_sequence = 0
        self._owed = ""
        self._silent_ticks = 0
        inbox = self._connection.client.new_inbox()
        epoch = self._epoch

        def receive(message: Msg) -> None:
            if epoch == self._epoch:
                self._receive(message)

        self._subscription = await self._connection.client.subscribe_directly(inbox, receive)
        await self._create_consumer(inbox)
        target = await self._connection.last_sequence(self._stream)
        await self._catch_up()
        if not self._is_whole:
            target = await self._connection.last_sequence(self._stream)
            await self._catch_up()
        self._last = max(self._last or 0, target)
        self._heard_at = asyncio.get_running_loop().time()
        self._was_complete = self._is_whole = True
        self._on_complete(self._last)

    async def _can_resume(self) -> bool:
        if self._last is None:
            return False
        if await self._connection.last_sequence(self._stream) < self._last:
            log.warning("tail.stream_went_back", stream=self._stream)
            return False
        return asyncio.get_running_loop().time() - self._heard_at < self._absence_max

    async def _create_consumer(self, inbox: str) -> None:
        self._name = f"tail-{inbox.rsplit('.', 1)[1]}"
        config = {
            "name": self._name,
            "deliver_subject": inbox,
            "ack_policy": "none",
            "max_deliver": 1,
            "flow_control": True,
            "idle_heartbeat": nanoseconds(HEARTBEAT),
            "inactive_threshold": nanoseconds(10 * HEARTBEAT),
            "mem_storage": True,
            "num_replicas": 1,
            "filter_subjects": list(self._filters),
            **self._start(),
        }
        body = {"stream_name": self._stream, "config": config, "action": "create"}
        try:
            await self._connection.api(f"CONSUMER.CREATE.{self._stream}.{self._name}", body)
        except ApiError as err:
            if err.status == 400:
                raise TerminalError(f"{self._stream}: {err}", reason="BadConsumer") from err
            raise StoreUnavailable(f"cannot follow {self._stream}: {err}") from err

    def _start(self) -> dict[str, Any]:
        """Where the next consumer begins."""
        if self._last is not None:
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": self._last + 1}
        if self._recent is not None:
            begin = format_micro_time(SystemClock().now() - self._recent)
            return {"deliver_policy": "by_start_time", "opt_start_time": begin}
        return {"deliver_policy": self._snapshot_policy}

    async def _catch_up(self) -> None:
        """Wait until the last matching message of now has been handed out.

        That message may have been removed meanwhile. Heartbeats then say that there is no more:
        two of them, for one may have been sent before the message came, and arrive late. Where it
        is there all the same, they do not say the truth.
        """
        wanted = await self._connection.last_sequence(self._stream, self._filters)
        if wanted <= (self._last or 0):
            return
        await self._wait_for(wanted)
        if wanted <= (self._last or 0) or (self._recent is not None and self._last is None):
            # Of what is older than recent nothing comes.
            return
        left = await self._connection.last_sequence(self._stream, self._filters)
        if left > (self._last or 0):
            raise StoreUnavailable(f"{self._stream} fell silent during the snapshot")

    async def _wait_for(self, sequence: int) -> None:
        """Return once *sequence* was handed out, or heartbeats said that nothing more comes."""
        self._arrived.clear()
        self._target, self._heartbeats = sequence, 0
        try:
            while not self._arrived.is_set():
                with contextlib.suppress(TimeoutError):
                    # Not wait_for: before 3.12 it may swallow a cancellation.
                    async with asyncio.timeout(TICK_SECONDS):
                        await self._arrived.wait()
                self._silent_ticks += 1
                if self._broken.is_set() or self._is_silent():
                    raise StoreUnavailable(f"lost {self._stream} during the snapshot")
        finally:
            self._target = None

    async def _watch_over(self) -> None:
        """Return when this consumer is of no more use."""
        while not (self._broken.is_set() or self._connection.client.is_closed):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._broken.wait()
            self._silent_ticks += 1
            if self._is_silent():
                log.info("tail.silent", stream=self._stream)
                return
            if self._is_listing:
                # Who wanted no more than the snapshot has left by now.
                return

    def _is_silent(self) -> bool:
        # By ticks, not by the clock: a process that was busy for long heard nothing either.
        return self._silent_ticks > SILENCE_TICKS_MAX

    async def resume(self) -> None:
        """Let the server send again: there is room now."""
        owed, self._owed = self._owed, ""
        if owed and self._connection.connected:
            # Where it does not arrive, a heartbeat asks for it again.
            with contextlib.suppress(nats.errors.Error):
                await self._connection.client.publish(owed)

    async def _detach(self) -> None:
        # What still arrives from the old consumer belongs to no epoch.
        self._epoch += 1
        subscription, self._subscription = self._subscription, None
        client = self._connection.client
        if subscription is None or client.is_closed:
            return
        # Only a courtesy: the server forgets it by itself after a while.
        with contextlib.suppress(nats.errors.Error):
            await subscription.unsubscribe()
        await self._connection.tell(f"CONSUMER.DELETE.{self._stream}.{self._name}")

    def _receive(self, message: Msg) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._silent_ticks = 0
        headers = message.headers or _NO_HEADERS
        if not message.reply.startswith("$JS.ACK.") and STATUS in headers:
            self._receive_status(message.reply, headers)
            return
        tokens = message.reply.split(".")
        # Two more tokens, domain and account, before the stream's name where there is a domain.
        at = 5 if len(tokens) == 9 else 7
        sequence, consumer_sequence = int(tokens[at]), int(tokens[at + 1])
        if consumer_sequence != self._consumer_sequence + 1:
            self._gap()
            return
        self._consumer_sequence = consumer_sequence
        try:
            self._on_message(Entry(message.subject, sequence, message.data, headers))
        except Exception as err:  # noqa: BLE001 - raised again by `run`.
            # The client would log it and go on, past a change that was taken in half.
            self._failure = err
            self._gap()
            return
        self._last = sequence
        if self._target is not None and sequence >= self._target:
            self._arrived.set()

    def _receive_status(self, reply: str, headers: dict[str, str]) -> None:
        if headers[STATUS] != "100":
            # 409: the consumer was deleted or its leader moved.
            self._gap()
            return
        stalled = headers.get("Nats-Consumer-Stalled", "")
        if reply or stalled:
            # Everything before this has been handled.
            self._owed = reply or stalled
            if self._has_room():
                self._resuming = asyncio.create_task(self.resume())
            return
        if int(headers.get("Nats-Last-Consumer", "0")) != self._consumer_sequence:
            self._gap()
            return
        self._heartbeats += 1
        if self._heartbeats >= _HEARTBEATS_OF_AN_END:
            self._arrived.set()

    def _gap(self) -> None:
        self._epoch += 1
        self._broken.set()
        self._arrived.set()
