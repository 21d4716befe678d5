"""A TCP proxy that fails on request: cut, reset, slow, or silent in one direction.

What a silent direction is sent is kept and goes on once it is heard again, as the packets that TCP
sends anew do. A slow one takes that long for each piece it is sent, so it is narrow as well.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

_PIECE_BYTES = 64 * 1024
# Closing sends a reset at once, and forgets what was not sent yet.
_LINGER_NOT = struct.pack("ii", 1, 0)


class Direction(Enum):
    FORTH = "forth"
    """From who connected to whom it wanted."""

    BACK = "back"


class Link:
    """Stands before the loopback port *target*; made by `open_link`."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.delay = 0.0
        """Seconds that each piece takes, in each direction."""
        self._target = target
        self._is_cut = False
        self._heard = {direction: asyncio.Event() for direction in Direction}
        self._conversations: set[asyncio.Task[None]] = set()
        self.heal()

    def cut(self) -> None:
        """Refuse whoever connects, and reset those who are."""
        self._is_cut = True
        self.reset()

    def reset(self) -> None:
        """Reset the connections there are; new ones are let through."""
        for conversation in tuple(self._conversations):
            conversation.cancel()

    def silence(self, *directions: Direction) -> None:
        """Let nothing through that goes in one of *directions* (both: without any)."""
        for direction in directions or Direction:
            self._heard[direction].clear()

    def heal(self) -> None:
        """End every fault. Connections that were reset stay so."""
        self._is_cut = False
        self.delay = 0.0
        for heard in self._heard.values():
            heard.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand on what one connection says, in both directions, until it ends or is ended."""
        conversation = asyncio.current_task()
        assert conversation is not None
        self._conversations.add(conversation)
        ends, end = [writer], _reset
        try:
            if not self._is_cut:
                there, onward = await asyncio.open_connection("127.0.0.1", self._target)
                ends.append(onward)
                await self._converse((reader, onward), (there, writer))
                end = asyncio.StreamWriter.close
        except (OSError, asyncio.CancelledError):
            # Nobody awaits this task: to cancel it is how a conversation is ended.
            pass
        finally:
            self._conversations.discard(conversation)
            for each in ends:
                end(each)

    async def _converse(
        self,
        forth: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        back: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Hand on until one of the two ends it."""
        pumps = [
            asyncio.create_task(self._pump(Direction.FORTH, *forth)),
            asyncio.create_task(self._pump(Direction.BACK, *back)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self, direction: Direction, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        heard = self._heard[direction]
        while piece := await source.read(_PIECE_BYTES):
            if self.delay:
                await asyncio.sleep(self.delay)
            await heard.wait()
            sink.write(piece)
            await sink.drain()
        # The end too is only heard where anything is.
        await heard.wait()


def _reset(end: asyncio.StreamWriter) -> None:
    plug = end.get_extra_info("socket")
    if plug is not None and not end.is_closing():
        with contextlib.suppress(OSError):
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    end.transport.abort()


@asynccontextmanager
async def open_link(target: int) -> AsyncIterator[Link]:
    """Listen on a free loopback port before *target*, where nobody need listen yet."""
    link = Link(target)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        link.reset()
        await server.wait_closed()
