"""The sockets of DNS: datagrams in batches, and streams with a bound on each of them (RFC 7766).

Answers are made at once and in the event loop. What is more than a question goes to `Handle`,
which may take its time; until it has ended its stream reads nothing more.
"""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import structlog

from services.traffic.core.dns.door import Door, Request
from services.traffic.core.dns.networks import packed
from shared.telemetry import metrics

Send = Callable[[bytes], Awaitable[None]]
Handle = Callable[[Request, Send], Awaitable[None]]

log = structlog.get_logger("hanse.dns")

# Between two batches everything else has its turn.
_BATCH = 64
_PACKET_MAX = 65_535
_RECEIVE_BUFFER = 4 * 1024 * 1024
_IDLE_SECONDS = 10.0
_STREAMS_MAX = 512
_STREAMS_OF_ONE_MAX = 64
_UNSENT_MAX = 256 * 1024
_REMEMBERED_MAX = 8_192


class Listener:
    """Serves one address, on UDP and TCP alike."""

    def __init__(self, door: Door, handle: Handle) -> None:
        self._door = door
        self._handle = handle
        self._addresses: dict[str, bytes] = {}
        self._streams: set[asyncio.Task[None]] = set()
        self._of_one: dict[str, int] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._datagrams = metrics.DNS_QUERIES.labels("udp")
        self._stream_queries = metrics.DNS_QUERIES.labels("tcp")

    @asynccontextmanager
    async def serve(self, host: str, port: int) -> AsyncIterator[int]:
        """Serve until left; yields the port, of any that is free for 0. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        stream, datagram = _bind(family, host, port)
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve_stream, sock=stream, limit=_PACKET_MAX + 2)
        loop.add_reader(datagram.fileno(), self._read_datagrams, datagram)
        try:
            yield int(datagram.getsockname()[1])
        finally:
            loop.remove_reader(datagram.fileno())
            datagram.close()
            server.close()
            for task in (*self._streams, *self._requests):
                task.cancel()
            await asyncio.gather(*self._streams, *self._requests, return_exceptions=True)

    def _read_datagrams(self, datagram: socket.socket) -> None:
        """What has arrived by now, up to a batch: the loop calls again while there is more."""
        answer = self._door.answer
        addresses = self._addresses
        for _ in range(_BATCH):
            try:
                packet, sender = datagram.recvfrom(_PACKET_MAX)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as err:
                # An answer before met nobody (ICMP); that says nothing of this socket.
                if err.errno not in (errno.ECONNREFUSED, errno.ECONNRESET):
                    log.warning("dns.receive-failed", error=str(err))
                continue
            self._datagrams.inc()
            address = addresses.get(sender[0])
            if address is None:
                address = self._address(sender[0])
            found = answer(packet, address, stream=False)
            if found.__class__ is bytes:
                # Whom it cannot be sent to asks again.
                with contextlib.suppress(OSError):
                    datagram.sendto(found, sender)
            elif isinstance(found, Request):
                self._begin(found, datagram, sender)

    def _address(self, text: str) -> bytes:
        if len(self._addresses) >= _REMEMBERED_MAX:
            self._addresses.clear()
        found = self._addresses[text] = packed(text)
        return found

    def _begin(self, request: Request, datagram: socket.socket, sender: tuple[str, int]) -> None:
        async def send(answer: bytes) -> None:
            with contextlib.suppress(OSError):
                datagram.sendto(answer, sender)

        if len(self._requests) < _STREAMS_MAX:
            task = asyncio.ensure_future(self._handle(request, send))
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)

    async def _serve_stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        peer = str(writer.get_extra_info("peername")[0])
        task = asyncio.current_task()
        assert task is not None
        if len(self._streams) >= _STREAMS_MAX or self._of_one.get(peer, 0) >= _STREAMS_OF_ONE_MAX:
            writer.close()
            return
        self._streams.add(task)
        self._of_one[peer] = self._of_one.get(peer, 0) + 1
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await self._answer_stream(reader, writer, self._address(peer))
        finally:
            self._streams.discard(task)
            self._of_one[peer] -= 1
            if not self._of_one[peer]:
                del self._of_one[peer]
            writer.close()

    async def _answer_stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: bytes
    ) -> None:
        async def send(answer: bytes) -> None:
            writer.write(struct.pack("!H", len(answer)) + answer)
            if writer.transport.get_write_buffer_size() > _UNSENT_MAX:
                async with asyncio.timeout(_IDLE_SECONDS):
                    await writer.drain()

        while True:
            async with asyncio.timeout(_IDLE_SECONDS):
                size = int.from_bytes(await reader.readexactly(2))
                packet = await reader.readexactly(size)
            self._stream_queries.inc()
            found = self._door.answer(packet, address, stream=True)
            if isinstance(found, Request):
                await self._handle(found, send)
            elif found is None:
                return
            else:
                await send(found)


def _bind(family: int, host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Both sockets on one port. Where any will do, that of the stream decides."""
    tries = 20
    for attempt in range(tries):
        stream = socket.socket(family, socket.SOCK_STREAM)
        datagram = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if family == socket.AF_INET6:
                # So that `0.0.0.0` and `::` can be served beside each other.
                for one in (stream, datagram):
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            datagram.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            stream.bind((host, port))
            datagram.bind((host, stream.getsockname()[1]))
        except OSError:
            stream.close()
            datagram.close()
            if port or attempt == tries - 1:
                raise
            continue
        for one in (stream, datagram):
            one.setblocking(False)
        return stream, datagram
    raise AssertionError("a try returns or raises")


@asynccontextmanager
async def listen(
    listener: Listener, hosts: Iterable[str], port: int
) -> AsyncIterator[list[tuple[str, int]]]:
    """Serve all of *hosts* on one port; yields where."""
    async with contextlib.AsyncExitStack() as stack:
        found: list[tuple[str, int]] = []
        for host in hosts:
            port = await stack.enter_async_context(listener.serve(host, port))
            found.append((host, port))
        yield found
