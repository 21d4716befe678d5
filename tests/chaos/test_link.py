"""What a link does to those who talk through it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.chaos.link import Direction, Link, open_link

HELLO = b"hello\n"
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    async with echo() as port, open_link(port) as found:
        yield found


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that says again what it is told, line by line."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(line)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def connected(link: Link) -> AsyncIterator[Ends]:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(ends: Ends) -> bytes:
    reader, writer = ends
    writer.write(HELLO)
    return await reader.readline()


async def is_reset(ends: Ends) -> bool:
    try:
        return await ask(ends) == b""
    except ConnectionError:
        return True


async def test_what_is_said_is_handed_on_in_both_directions(link: Link) -> None:
    async with connected(link) as ends:
        assert await ask(ends) == HELLO


async def test_all_that_was_said_before_the_end_arrives(link: Link) -> None:
    async with connected(link) as (reader, writer):
        body = HELLO * 100_000
        writer.write(body)
        assert await reader.readexactly(len(body)) == body


async def test_a_cut_resets_who_is_connected_and_refuses_who_comes(link: Link) -> None:
    async with connected(link) as before:
        assert await ask(before) == HELLO
        link.cut()
        assert await is_reset(before)
    async with connected(link) as meanwhile:
        assert await is_reset(meanwhile)
    link.heal()
    async with connected(link) as after:
        assert await ask(after) == HELLO


async def test_a_reset_lets_those_through_who_come_after_it(link: Link) -> None:
    async with connected(link) as before:
        assert await ask(before) == HELLO
        link.reset()
        assert await is_reset(before)
    async with connected(link) as after:
        assert await ask(after) == HELLO


@pytest.mark.parametrize("direction", [*Direction])
async def test_what_is_said_in_a_silent_direction_arrives_when_it_is_heard_again(
    link: Link, direction: Direction
) -> None:
    async with connected(link) as (reader, writer):
        link.silence(direction)
        writer.write(HELLO)
        answer = asyncio.create_task(reader.readline())
        await asyncio.sleep(0.05)
        assert not answer.done()
        link.heal()
        assert await answer == HELLO
