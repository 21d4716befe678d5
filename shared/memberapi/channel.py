"""One connection to a member: HTTP/1.1 (RFC 9112), one exchange at a time.

What the server sends is read by llhttp, through httptools; this module says what it means. An own
client, for what a general one does with each call (sessions, cookies, redirects, a stream for every
body) took more of a worker's time than all that it did for the object.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator
from typing import cast

import httptools

PIECE_BYTES = 64 * 1024
HEADER_BYTES_MAX = 64 * 1024
# Of a stream nobody reads from so much may wait here; then the server has to.
_AHEAD_BYTES_MAX = 256 * 1024
_GZIP = zlib.MAX_WBITS | 16


class ChannelClosed(ConnectionError):
    """The server closed the connection."""


class BadAnswer(ConnectionError):
    """What came is no HTTP, or none that was asked for."""


class AnswerTooLarge(Exception):
    """The body, as it is or unpacked, has more than `limit` bytes."""

    def __init__(self, limit: int, status: int) -> None:
        super().__init__(f"more than {limit} bytes")
        self.limit = limit
        self.status = status


class Answer:
    """What the server answers; `body` is there once the exchange is over, unless it is a stream."""

    __slots__ = ("body", "packed", "retry_after", "sized", "status")

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.retry_after: str | None = None
        # Compressed with gzip.
        self.packed = False
        # It says where it ends; otherwise it does with the connection.
        self.sized = False


class Channel(asyncio.Protocol):
    """Made by an event loop; `ask` or `listen`, and `abort` at the end."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.closed = False
        self.touched = False
        """Whether the server has said something to the last request."""
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._loop = asyncio.get_running_loop()
        # Of the exchange under way, if there is one.
        self._answer: Answer | None = None
        self._done: asyncio.Future[Answer] | None = None
        self._limit = 0
        self._header_bytes = 0
        self._body_bytes = 0
        self._parts: deque[bytes] = deque()
        self._streams = False
        self._arrived = asyncio.Event()
        self._over = False
        self._failure: Exception | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._paused = False
        # While somebody listens: how long it may be silent, since when it is, and who looks.
        self._silence_max = 0.0
        self._heard_at = 0.0
        self._watchdog: asyncio.TimerHandle | None = None

    async def ask(self, head: bytes, body: bytes | None, *, limit: int) -> Answer:
        """Send a request and return the whole answer, of *limit* bytes at most.

        Raises `ChannelClosed`, `BadAnswer`, `AnswerTooLarge`, OSError. After any error, or where
        the caller is cancelled, the connection is of no more use.
        """
        done = self._begin(limit, streams=False)
        try:
            if body is None or len(body) <= PIECE_BYTES:
                self._write(head if body is None else head + body)
            else:
                await self._write_in_pieces(head, body, done)
            return await done
        except BaseException:
            self.abort()
            raise

    async def listen(self, head: bytes, *, silence_max: float) -> Answer:
        """Send a request and return the answer without its body, which `chunks` hands out.

        Raises as `ask`; TimeoutError where nothing was heard for *silence_max* seconds.
        """
        self._silence_max, self._heard_at = silence_max, self._loop.time()
        done = self._begin(0, streams=True)
        self._watchdog = self._loop.call_later(silence_max, self._look_for_silence)
        try:
            self._write(head)
            return await done
        except BaseException:
            self.abort()
            raise

    async def chunks(self) -> AsyncIterator[bytes]:
        """What comes of the body, as it comes; raises as `listen`."""
        while True:
            while self._parts:
                chunk = self._parts.popleft()
                self._body_bytes -= len(chunk)
                yield chunk
            if self._over:
                return
            if self._failure is not None:
                raise self._failure
            if self._paused and self._transport is not None:
                self._paused = False
                self._transport.resume_reading()
            self._arrived.clear()
            await self._arrived.wait()

    def abort(self) -> None:
        """Close it at once: nobody waits for farewells."""
        self.closed = True
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self._transport is not None:
            self._transport.abort()

    # Sending.

    def _begin(self, limit: int, *, streams: bool) -> "asyncio.Future[Answer]":
        assert self._done is None, "one exchange at a time"
        self._limit, self._streams, self._over = limit, streams, False
        self._header_bytes = self._body_bytes = 0
        self._parts = deque()
        self.touched = False
        self._answer = Answer()
        self._done = self._loop.create_future()
        return self._done

    def _write(self, data: bytes) -> None:
        if self._transport is None or self.closed:
            raise ChannelClosed
        self._transport.write(data)

    async def _write_in_pieces(
        self, head: bytes, body: bytes, done: "asyncio.Future[Answer]"
    ) -> None:
        """What is large goes so that no other member's call waits for it."""
        self._write(head)
        for begin in range(0, len(body), PIECE_BYTES):
            if done.done():
                # Refused before it was read: what is left would be taken for another request.
                self.closed = True
                return
            self._write(body[begin : begin + PIECE_BYTES])
            await asyncio.sleep(0)
            await self._room.wait()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        answer = self._answer
        try:
            self._parser.feed_data(data)
            if answer is not None and not answer.status:
                self._header_bytes += len(data)
                if self._header_bytes > HEADER_BYTES_MAX:
                    self._fail(BadAnswer("its headers do not end"))
        except httptools.HttpParserCallbackError as err:
            # What a method below raised.
            cause = err.__context__
            self._fail(cause if isinstance(cause, Exception) else err)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as err:
            self._fail(BadAnswer(f"it does not speak HTTP: {err}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._room.set()
        answer, done = self._answer, self._done
        if answer is None or done is None:
            return
        if exc is None and answer.status and not answer.sized:
            # That is how such a body ends.
            self._finish()
            return
        self._fail(exc if isinstance(exc, OSError) else ChannelClosed())

    def _look_for_silence(self) -> None:
        due = self._heard_at + self._silence_max
        if due > self._loop.time():
            self._watchdog = self._loop.call_at(due, self._look_for_silence)
        else:
            self._fail(TimeoutError())

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._done is None:
            # Whoever answers without being asked may answer the next request with it.
            raise BadAnswer("it answers what was not asked")
        self.touched = True

    def on_header(self, name: bytes, value: bytes) -> None:
        answer = self._answer
        assert answer is not None
        key = name.lower()
        if key in (b"content-length", b"transfer-encoding"):
            answer.sized = True
        elif key == b"retry-after":
            answer.retry_after = value.decode("latin-1")
        elif key == b"content-encoding" and value.lower() != b"identity":
            if value.lower() != b"gzip":
                raise BadAnswer("it packs in a way that was not asked for")
            answer.packed = True

    def on_headers_complete(self) -> None:
        answer, done = self._answer, self._done
        assert answer is not None
        assert done is not None
        status = self._parser.get_status_code()
        if status < 200:
            return
        answer.status = status
        answer.sized = answer.sized or status in (204, 304)
        if self._streams and not done.done():
            done.set_result(answer)

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)
        self._body_bytes += len(body)
        if self._streams:
            self._arrived.set()
            ahead = self._body_bytes > _AHEAD_BYTES_MAX
            if ahead and not self._paused and self._transport is not None:
                self._paused = True
                self._transport.pause_reading()
        elif self._body_bytes > self._limit:
            assert self._answer is not None
            raise AnswerTooLarge(self._limit, self._answer.status)

    def on_message_complete(self) -> None:
        answer = self._answer
        assert answer is not None
        if not answer.status:
            # An interim answer: the real one follows.
            return
        if not self._parser.should_keep_alive():
            self.closed = True
        self._finish()

    # The end of an exchange.

    def _finish(self) -> None:
        answer, done = self._answer, self._done
        assert answer is not None
        assert done is not None
        self._over = True
        self._arrived.set()
        self._answer = self._done = None
        if self._streams or done.done():
            return
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        try:
            answer.body = _unpacked(body, self._limit, answer.status) if answer.packed else body
        except (BadAnswer, AnswerTooLarge) as err:
            done.set_exception(err)
            return
        done.set_result(answer)

    def _fail(self, err: Exception) -> None:
        done, self._answer, self._done = self._done, None, None
        self._failure = err
        self._arrived.set()
        if done is not None and not done.done():
            done.set_exception(err)
        self.abort()


def _unpacked(body: bytes, limit: int, status: int) -> bytes:
    unpacking = zlib.decompressobj(_GZIP)
    try:
        found = unpacking.decompress(body, limit + 1)
    except zlib.error as err:
        raise BadAnswer("what it packed cannot be unpacked") from err
    if len(found) > limit:
        raise AnswerTooLarge(limit, status)
    if not unpacking.eof:
        raise BadAnswer("what it packed has no end")
    return found
