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
from nats.protocol.command import hpub_cmd

# What a write to the socket costs is the same for one message and for fifty.
_GATHER_SECONDS = 0.001

Receiver = Callable[[Msg], None]


class QuickClient(Client):
    """As `Client`; the methods that begin with an underscore are the client's own hooks."""

    def __init__(self) -> None:
        super().__init__()
        self._flushed_at = 0.0
        self._flush_due: asyncio.TimerHandle | None = None
        self._receivers: dict[int, Receiver] = {}

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

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        receive = self._receivers.get(sid)
        if receive is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        found = await self._process_headers(headers) if headers else None
        try:
            receive(self._build_message(sid, subject, reply, data, found))
        except Exception as err:  # noqa: BLE001 - as the client does with its callbacks.
            await self._error_cb(err)

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
            self._flush_due = loop.call_later(_GATHER_SECONDS - since, self._flush_gathered)
        return None

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

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in raw.decode("utf-8", "replace").split("\r\n"):
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
