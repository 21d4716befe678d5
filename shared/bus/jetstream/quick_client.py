"""The client of nats-py, sparing of work where every message passes.

By the same rules as the client's own ways, which took half of a busy process's time: headers are
written and read in one go, what is written close together is sent together, and a subscription
can be handed its messages as they arrive, with no queue and no task in between.
"""

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import nats.errors
from nats.aio import client as theirs
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import Header
from nats.protocol.command import hpub_cmd
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

# What a write to the socket costs is the same for one message and for fifty.
_GATHER_SECONDS = 0.001
_VERSION = "NATS/1.0"

Receiver = Callable[[Msg], None]


class QuickClient(Client):
    """As `Client`; the methods that begin with an underscore are the client's own hooks."""

    def __init__(self) -> None:
        super().__init__()
        self._flushed_at = 0.0
        self._flush_due: asyncio.TimerHandle | None = None
        self._receivers: dict[int, Receiver] = {}
        self._ps = QuickParser(self)

    async def subscribe_directly(self, subject: str, receive: Receiver) -> Subscription:
        """Call *receive* with each message as it arrives; it must not block.

        Nobody may send to *subject* before this returns: an inbox of our own.
        """
        subscription = await self.subscribe(subject, cb=_unused)
        self._receivers[subscription._id] = receive  # noqa: SLF001 - there is no other name for it.
        return subscription

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._receivers.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    async def take(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        """Hand a message to whoever subscribed to it."""
        receive = self._receivers.get(sid)
        if receive is None:
            await self._process_msg(sid, subject, reply, data, headers)
            return
        message = Msg(
            _client=self,
            subject=subject.decode(),
            reply=reply.decode(),
            data=data,
            headers=decode_headers(headers) if headers else None,
        )
        try:
            receive(message)
        except Exception as err:  # noqa: BLE001 - as the client does with its callbacks.
            await self._error_cb(err)

    def post(
        self, subject: str, payload: bytes, reply: str, headers: dict[str, Any] | None
    ) -> bool:
        """Send a message with all that is sent within a moment; whether it was taken.

        What is not goes through `publish`, which waits or says why not. A subject or header that
        is none is refused as there.
        """
        size = len(payload)
        flusher = self._flusher_task
        if not self.is_connected or flusher is None or flusher.done():
            return False
        if size > self._max_payload or self._pending_data_size + size > self._max_pending_size:
            return False
        # Before anything is counted: what is refused was not sent.
        theirs._validate_subject(subject)  # noqa: SLF001 - they may hold no commands.
        if reply:
            theirs._validate_subject(reply)  # noqa: SLF001
        block = encode_headers(headers) if headers else b""
        if block:
            start = f"HPUB {subject} {reply} {len(block)} {len(block) + size}\r\n"
        else:
            start = f"PUB {subject} {reply} {size}\r\n"
        command = b"".join((start.encode(), block, payload, b"\r\n"))
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += size
        self._pending.append(command)
        self._pending_data_size += len(command)
        if self._flush_due is None:
            since = asyncio.get_running_loop().time() - self._flushed_at
            if since >= _GATHER_SECONDS:
                self._flush_gathered()
            else:
                self._flush_later(_GATHER_SECONDS - since)
        return True

    async def _send_publish(
        self,
        subject: str,
        reply: str,
        payload: bytes,
        payload_size: int,
        headers: dict[str, Any] | None,
    ) -> None:
        if not headers or not subject:
            await super()._send_publish(subject, reply, payload, payload_size, headers)
            return
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += payload_size
        await self._send_command(hpub_cmd(subject, reply, encode_headers(headers), payload))
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    async def _flush_pending(self, force_flush: bool = False) -> Any:  # noqa: FBT001, FBT002 - theirs.
        """Write at once what comes alone, and once for all that follows within a moment."""
        loop = asyncio.get_running_loop()
        since = loop.time() - self._flushed_at
        if force_flush or since >= _GATHER_SECONDS:
            self._flushed_at = loop.time()
            return await super()._flush_pending(force_flush)
        if self._flush_due is None:
            self._flush_later(_GATHER_SECONDS - since)
        return None

    def _flush_later(self, seconds: float) -> None:
        self._flush_due = asyncio.get_running_loop().call_later(seconds, self._flush_gathered)

    def _flush_gathered(self) -> None:
        self._flush_due = None
        # Whoever finds the queue in use leaves the writing to the task at its end.
        served = self._flusher_task is not None and not self._flusher_task.done()
        if served and self._flush_queue is not None and self._flush_queue.empty():
            self._flushed_at = asyncio.get_running_loop().time()
            self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())

    @property
    def is_given_up(self) -> bool:
        """Whether it is not connected and nobody works on that: an error it did not expect."""
        task = self._reconnection_task
        away = self.is_reconnecting or self.is_connecting
        return away and (task is None or task.done())

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        return decode_headers(headers) or None if headers else None


class QuickParser(Parser):
    """As `Parser`: whole messages are taken in one go, and handed over without a task in between.

    All else that a server says is seldom, and left to the client's own.
    """

    def __init__(self, client: QuickClient) -> None:
        super().__init__(client)
        self._client = client
        self._resets = 0
        # Bytes that must be there before it goes on.
        self._wanted = 0

    def reset(self) -> None:
        super().reset()
        self._resets = getattr(self, "_resets", 0) + 1
        self._wanted = 0

    async def parse(self, data: bytes = b"") -> None:
        if self.state != AWAITING_CONTROL_LINE:
            await super().parse(data)
            return
        if self.buf:
            self.buf += data
            if len(self.buf) < self._wanted:
                return
            data = bytes(self.buf)
            self.buf = bytearray()
        self._wanted, resets = 0, self._resets
        begin, length = 0, len(data)
        while begin < length:
            end = data.find(b"\r\n", begin)
            if end < 0:
                break
            words = data[begin:end].split()
            if not words or words[0] not in (b"MSG", b"HMSG"):
                # Other lines end where they end.
                await super().parse(data[begin : end + 2])
                if self._resets != resets:
                    return
                begin = end + 2
                continue
            stop = end + 2 + int(words[-1])
            if stop + 2 > length:
                self._wanted = stop + 2 - begin
                break
            await self._hand_over(words, data, end + 2, stop)
            if self._resets != resets:
                # It belonged to a connection that is gone, and so does the rest.
                return
            begin = stop + 2
        self.buf = bytearray(memoryview(data)[begin:])

    async def _hand_over(self, words: list[bytes], data: bytes, begin: int, stop: int) -> None:
        """*words*: MSG subject sid [reply] size, or HMSG subject sid [reply] headers size."""
        has_headers = words[0] == b"HMSG"
        middle = begin + int(words[-2]) if has_headers else begin
        reply = words[3] if len(words) == 5 + has_headers else b""
        await self._client.take(
            int(words[2]), words[1], reply, data[middle:stop], data[begin:middle]
        )


def decode_headers(block: bytes) -> dict[str, str]:
    """Read the header block of a message (NATS ADR-4), with its status where there is one."""
    found: dict[str, str] = {}
    first, *lines = block.decode("utf-8", "replace").split("\r\n")
    if len(first) > len(_VERSION):
        status, _, description = first[len(_VERSION) :].strip().partition(" ")
        if status.isdigit():
            found[Header.STATUS.value] = status
        if description:
            found[Header.DESCRIPTION.value] = description
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and (key := _header_name_or_none(name)):
            found[key] = value.strip()
    return found


def encode_headers(headers: dict[str, Any]) -> bytes:
    """Return the header block of a message (NATS ADR-4); raises `BadHeaderError`."""
    lines = ["NATS/1.0"]
    for name, value in headers.items():
        text = value.strip()
        if "\r" in text or "\n" in text:
            text = text.translate(theirs._HEADER_VALUE_NEWLINES)  # noqa: SLF001
        lines.append(f"{_header_name(name)}: {text}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode()


@lru_cache(maxsize=1024)
def _header_name(name: str) -> str:
    key = name.strip()
    if not theirs._HEADER_KEY_RE.fullmatch(key):  # noqa: SLF001
        raise nats.errors.BadHeaderError(key)
    return key


@lru_cache(maxsize=1024)
def _header_name_or_none(name: str) -> str | None:
    """The name as it was sent, None for a line that has none: such a line is passed over."""
    key = name.strip()
    return key if key.isascii() and len(key.split(None, 1)) == 1 else None


async def _unused(_message: Msg) -> None:
    """Never called: the messages of that subscription do not come this way."""
