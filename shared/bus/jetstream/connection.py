"""One connection to NATS: kept up for ever, its errors translated, its requests pipelined.

A write is refused with `StoreUnavailable` before it is sent, and counts as `OutcomeUnknown` once
it was: the client resends what it had buffered when the connection returns. Where NATS has several
copies, questions and writes that say what they expect wait for a node that leads (`elections`).
"""

import asyncio
import base64
import contextlib
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import nats
import nats.errors
import structlog

from shared.bus.jetstream.elections import NO_RESPONDERS, ask_leader
from shared.bus.jetstream.pipe import Pipe, Reply, Unanswered
from shared.bus.jetstream.quick_client import QuickClient
from shared.bus.settings import NatsSettings, read_credentials
from shared.bus.topology import MEBIBYTE, is_rolled_up
from shared.errors import InvalidObject, OutcomeUnknown, StaleRevision, StoreUnavailable
from shared.telemetry.propagation import inject

log = structlog.get_logger("hanse.bus")

EXPECTED = "Nats-Expected-Last-Subject-Sequence"
MESSAGE_ID = "Nats-Msg-Id"
ROLLUP = "Nats-Rollup"
RECONNECT_SECONDS = 0.25
_CLOSE_SECONDS_MAX = 2
_WRONG_LAST_SEQUENCE = (10071, 10164)
_TOO_BIG = 10054

Listener = Callable[[], None]


class ApiError(Exception):
    """JetStream said no; `code` is its `err_code`, `status` that of HTTP."""

    def __init__(self, status: int, code: int, description: str) -> None:
        super().__init__(f"{description} ({code})")
        self.status = status
        self.code = code


class _Error(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Acknowledgement(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


_decode_acknowledgement = msgspec.json.Decoder(_Acknowledgement).decode
_decode_answer = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class Connection:
    """What the bus and the store stand on; made by `connect`."""

    def __init__(self, client: QuickClient, settings: NatsSettings) -> None:
        self.client = client
        self.settings = settings
        self.pipe = Pipe(client, settings.deadline)
        self._on_reconnect: set[Listener] = set()
        # Nobody else's, so that a write that is sent again is known by its number.
        self._origin = secrets.token_hex(6)
        self._messages = 0

    @property
    def in_copies(self) -> bool:
        """Whether NATS is a cluster, which goes on without a node."""
        return self.settings.replicas > 1

    @property
    def connected(self) -> bool:
        return bool(self.client.is_connected)

    def on_reconnect(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* after every return of the connection; returns the way to stop."""
        self._on_reconnect.add(listener)
        return lambda: self._on_reconnect.discard(listener)

    def reconnected(self) -> None:
        for listener in tuple(self._on_reconnect):
            listener()

    async def publish(
        self,
        subject: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        expected: int | None = None,
    ) -> int:
        """Store a message on its stream; returns its sequence. Errors as `Publisher.publish`."""
        sent = dict(headers) if headers else {}
        inject(sent)
        # Where nothing is expected to be, there is nothing to remove.
        if expected != 0 and is_rolled_up(subject):
            sent[ROLLUP] = "sub"
        if expected is not None:
            sent[EXPECTED] = str(expected)
        try:
            if expected is None or not self.in_copies:
                # Without copies there is nobody to wait for. What expects nothing is not sent
                # twice: another to the same subject may have overtaken it.
                reply = await self.pipe.request(subject, body, sent or None)
            else:
                sent.setdefault(MESSAGE_ID, self._new_message_id())
                reply = await self._ask_leader(subject, body, sent)
        except Unanswered as err:
            raise OutcomeUnknown(f"write of {subject}: {err}") from err
        if reply.status == NO_RESPONDERS:
            raise StoreUnavailable(f"no stream takes {subject}")
        try:
            answer = _decode_acknowledgement(reply.body)
        except msgspec.DecodeError as err:
            raise OutcomeUnknown(f"write of {subject}: the answer makes no sense") from err
        if answer.error is not None:
            raise _write_error(subject, answer.error)
        return answer.seq

    def _new_message_id(self) -> str:
        self._messages += 1
        return f"{self._origin}-{self._messages}"

    async def _ask_leader(self, subject: str, body: bytes, headers: dict[str, str] | None) -> Reply:
        patience = self.settings.patience
        return await ask_leader(self.pipe, subject, body, headers, patience=patience)

    async def api(self, operation: str, body: Any = None) -> dict[str, Any]:
        """One call of the JetStream API; raises `ApiError`, `StoreUnavailable`."""
        reply = await self.ask(f"$JS.API.{operation}", b"" if body is None else _encode(body))
        if reply.status == NO_RESPONDERS:
            raise StoreUnavailable("JetStream does not answer")
        try:
            answer = _decode_answer(reply.body)
        except msgspec.DecodeError as err:
            raise StoreUnavailable("JetStream answered no JSON") from err
        if error := answer.get("error"):
            raise ApiError(
                error.get("code", 500), error.get("err_code", 0), error.get("description", "")
            )
        return answer

    async def tell(self, operation: str, body: Any = None) -> None:
        """One call of the JetStream API that may get lost; nobody waits for its answer."""
        if self.connected:
            with contextlib.suppress(nats.errors.Error):
                await self.client.publish(
                    f"$JS.API.{operation}", b"" if body is None else _encode(body)
                )

    async def ask(
        self, subject: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        """Send a request that changes nothing, or may be repeated; raises `StoreUnavailable`."""
        try:
            if self.in_copies:
                return await self._ask_leader(subject, body, headers)
            return await self.pipe.request(subject, body, headers)
        except Unanswered as err:
            raise StoreUnavailable(f"{subject}: {err}") from err

    async def last_message(self, stream: str, subject: str) -> Reply | None:
        """The last message of *subject* as every acknowledged write left it."""
        # Followers answer direct reads too, and may be behind: with copies ask the leader.
        if self.in_copies:
            return await self._last_from_leader(stream, subject)
        reply = await self.ask(f"$JS.API.DIRECT.GET.{stream}.{subject}")
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise StoreUnavailable(f"cannot read {subject}: status {reply.status}")
        return reply

    async def _last_from_leader(self, stream: str, subject: str) -> Reply | None:
        found = await self._last_of(stream, subject)
        if found is None:
            return None
        headers = read_headers(base64.b64decode(found.get("hdrs", "")))
        headers["Nats-Sequence"] = str(found["seq"])
        return Reply(base64.b64decode(found.get("data", "")), headers)

    async def last_sequence(self, stream: str, filters: tuple[str, ...] = ()) -> int:
        """The sequence of the last message (that matches one of *filters*); 0 for none."""
        if not filters:
            try:
                state = (await self.api(f"STREAM.INFO.{stream}"))["state"]
            except ApiError as err:
                raise StoreUnavailable(f"stream {stream}: {err}") from err
            return int(state["last_seq"])
        found = await asyncio.gather(*(self._last_of(stream, one) for one in filters))
        return max(int(message["seq"]) if message else 0 for message in found)

    async def _last_of(self, stream: str, subject: str) -> dict[str, Any] | None:
        try:
            answer = await self.api(f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
        except ApiError as err:
            if err.status == 404 and err.code == 10037:
                return None
            raise StoreUnavailable(f"stream {stream}: {err}") from err
        message: dict[str, Any] = answer["message"]
        return message


def read_headers(block: bytes) -> dict[str, str]:
    """Headers as they lie on a stream."""
    lines = block.decode(errors="replace").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _write_error(subject: str, error: _Error) -> Exception:
    if error.err_code in _WRONG_LAST_SEQUENCE:
        return StaleRevision(f"{subject} moved on: {error.description}")
    if error.err_code == _TOO_BIG:
        return InvalidObject(f"{subject}: {error.description}")
    return StoreUnavailable(f"{subject} was not stored: {error.description}")


@asynccontextmanager
async def connect(settings: NatsSettings, name: str) -> AsyncIterator[Connection]:
    """Connect as *name*; raises `StoreUnavailable` if NATS cannot be reached in time."""
    client = QuickClient()
    connection = Connection(client, settings)

    async def on_error(error: Exception) -> None:
        # Permission violations and dropped messages are heard only here.
        log.warning("nats.error", error=type(error).__name__, detail=str(error))

    async def on_disconnect() -> None:
        connection.pipe.fail_all("the connection was lost")
        if not client.is_closed:
            log.warning("nats.disconnected")

    async def on_reconnect() -> None:
        log.info("nats.reconnected")
        connection.reconnected()

    options: dict[str, Any] = {
        "servers": [part.strip() for part in settings.url.split(",")],
        "name": name,
        "error_cb": on_error,
        "disconnected_cb": on_disconnect,
        "reconnected_cb": on_reconnect,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": RECONNECT_SECONDS,
        "connect_timeout": 2,
        "ping_interval": settings.ping_interval.total_seconds(),
        "max_outstanding_pings": 2,
        "pending_size": 64 * MEBIBYTE,
    }
    if settings.ca_file is not None:
        options["tls"] = ssl.create_default_context(cafile=settings.ca_file)
    await _connect(client, options, settings)
    watching = asyncio.create_task(
        _close_if_given_up(client, settings.ping_interval), name="nats-watch"
    )
    try:
        await connection.pipe.start()
        yield connection
    finally:
        watching.cancel()
        # Not drain(): it waits its whole timeout once a status message was left unread.
        with contextlib.suppress(nats.errors.Error, TimeoutError, OSError):
            await connection.pipe.stop()
            if client.is_connected:
                await client.flush(timeout=_CLOSE_SECONDS_MAX)
        await client.close()


async def _close_if_given_up(client: QuickClient, every: timedelta) -> None:
    """Close a client that will never return, so that its process ends and is started anew."""
    while not client.is_closed:
        await asyncio.sleep(every.total_seconds())
        if client.is_given_up:
            log.error("nats.given_up")
            await client.close()


async def _connect(client: QuickClient, options: dict[str, Any], settings: NatsSettings) -> None:
    # The client's own retries never end at the first connection, whatever the reason.
    try:
        async with asyncio.timeout(settings.connect_deadline.total_seconds()):
            while True:
                try:
                    if settings.credentials_file is not None:
                        credentials = read_credentials(settings.credentials_file)
                        options["user"] = credentials.user
                        options["password"] = credentials.password
                    return await client.connect(**options, allow_reconnect=True)
                except (OSError, ValueError, nats.errors.Error) as err:
                    log.warning("nats.unreachable", error=type(err).__name__, detail=str(err))
                    await asyncio.sleep(RECONNECT_SECONDS)
    except TimeoutError as err:
        raise StoreUnavailable(f"NATS at {settings.url} cannot be reached") from err
