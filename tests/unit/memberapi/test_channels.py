"""What a server may do on the wire, well and badly, and what a call makes of it."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from shared.apimachinery.manifest import GroupVersionKind
from shared.errors import (
    InvalidObject,
    MemberRefused,
    MemberThrottled,
    MemberUnreachable,
    UnusableCredentials,
)
from shared.memberapi.channel import PIECE_BYTES
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import HttpMemberApi, MemberLimits, open_member
from shared.memberapi.port import ResourceType

CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
LIMIT = 100_000


class Server:
    """Answers each request with what *play* writes; counts connections and keeps the requests."""

    def __init__(self, play: Callable[["Server", Writer], Awaitable[None]]) -> None:
        self.play = play
        self.requests: list[bytes] = []
        self.connections = 0
        self.reads_bodies = True
        self.serving: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        self.serving.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                wanted = int(length or 0) if self.reads_bodies else 0
                self.requests.append(head + await reader.readexactly(wanted))
                await self.play(self, writer)
                await writer.drain()
                if not self.reads_bodies:
                    await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def served(
    play: Callable[[Server, Writer], Awaitable[None]], **limits: int
) -> AsyncIterator[tuple[Server, HttpMemberApi]]:
    server = Server(play)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    access = MemberCredentials(server=f"http://127.0.0.1:{port}/behind", token="t")
    bounds = MemberLimits(body_bytes_max=LIMIT, **limits)
    async with open_member(access, name="m1", limits=bounds) as api:
        yield server, api
    listening.close()
    await asyncio.gather(*filter(None, server.serving))


def saying(*answers: bytes) -> Callable[[Server, Writer], Awaitable[None]]:
    """Answer the first request with the first, and so on; the last again and again."""

    async def play(server: Server, writer: Writer) -> None:
        writer.write(answers[min(len(server.requests), len(answers)) - 1])

    return play


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join((*lines, b"", body))


async def read(api: HttpMemberApi, path: str = "/x") -> bytes:
    return await api.read(path, deadline_seconds=20)


async def test_a_connection_is_used_again_and_the_path_before_all_paths_is_kept() -> None:
    async with served(saying(answer(b"one"), answer(b"two"))) as (server, api):
        assert [await read(api), await read(api)] == [b"one", b"two"]
    assert server.connections == 1
    assert server.requests[0].startswith(b"GET /behind/x HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" + answer(b"all"),
        answer(gzip.compress(b"all"), b"Content-Encoding: gzip"),
        answer(b"all", b"content-encoding: identity"),
    ],
)
async def test_an_answer_may_come_in_chunks_packed_or_after_another(said: bytes) -> None:
    async with served(saying(said)) as (server, api):
        assert [await read(api), await read(api)] == [b"all", b"all"]
    assert server.connections == 1
    assert b"Accept-Encoding: gzip\r\n" in server.requests[0]


async def test_an_answer_that_does_not_say_where_it_ends_does_with_the_connection() -> None:
    async def play(_server: Server, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall")
        writer.close()

    async with served(play) as (server, api):
        assert [await read(api), await read(api)] == [b"all", b"all"]
    assert server.connections == 2


async def test_who_says_that_it_will_close_is_not_asked_there_again() -> None:
    async with served(saying(answer(b"all", b"Connection: close"))) as (server, api):
        assert [await read(api), await read(api)] == [b"all", b"all"]
    assert server.connections == 2


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nall!",
        b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * 400_000,
        answer(b"all", b"Content-Encoding: br"),
        answer(b"no gzip", b"Content-Encoding: gzip"),
        answer(gzip.compress(b"all" * 1000)[:-20], b"Content-Encoding: gzip"),
    ],
)
async def test_what_is_no_answer_makes_a_member_unreachable(said: bytes) -> None:
    async with served(saying(said, answer(b"all"))) as (_, api):
        with pytest.raises(MemberUnreachable):
            await read(api)
        assert await read(api) == b"all"


@pytest.mark.parametrize(
    "said",
    [
        answer(b"x" * (LIMIT + 1)),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LIMIT + 1),
        answer(gzip.compress(b"x" * (LIMIT + 1)), b"Content-Encoding: gzip"),
    ],
)
async def test_an_answer_is_bounded_as_it_comes_and_unpacked(said: bytes) -> None:
    async with served(saying(said, answer(b"all"))) as (_, api):
        with pytest.raises(MemberRefused) as refused:
            await read(api)
        assert refused.value.reason == "AnswerTooLarge"
        assert await read(api) == b"all"


async def test_what_was_not_asked_for_answers_nothing() -> None:
    async with served(saying(answer(b"one") + answer(b"evil"), answer(b"two"))) as (server, api):
        # The second came with the first: it may not be taken for what is asked next.
        with contextlib.suppress(MemberUnreachable):
            assert await read(api) == b"one"
        assert await read(api) == b"two"
    assert server.connections == 2


async def closing_when_idle(server: Server, writer: Writer) -> None:
    if server.connections == 1 and len(server.requests) == 2:
        writer.close()
    else:
        writer.write(answer(b"{}"))


async def test_what_changes_nothing_is_asked_again_where_an_idle_connection_was_closed() -> None:
    async with served(closing_when_idle) as (server, api):
        assert [await read(api), await read(api)] == [b"{}", b"{}"]
    assert (server.connections, len(server.requests)) == (2, 3)


async def test_a_write_is_not_repeated_by_itself() -> None:
    async with served(closing_when_idle) as (server, api):
        await read(api)
        with pytest.raises(MemberUnreachable, match="closed the connection"):
            await api.merge(CONFIG_MAPS, "shop", "a", {"data": {}})
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_a_call_that_is_given_up_takes_its_connection_along() -> None:
    asked = asyncio.Event()

    async def play(server: Server, writer: Writer) -> None:
        asked.set()
        if len(server.requests) > 1:
            writer.write(answer(b"two"))

    async with served(play) as (server, api):
        call = asyncio.create_task(read(api))
        await asked.wait()
        call.cancel()
        await asyncio.wait([call])
        assert await read(api) == b"two"
    assert server.connections == 2


async def test_a_large_body_may_be_refused_before_it_is_read() -> None:
    refusing = answer(b'{"message":"slow down"}', status=b"429 Too Many Requests")

    async with served(saying(refusing)) as (server, api):
        server.reads_bodies = False
        with pytest.raises(MemberThrottled, match="slow down"):
            await api.put("/x", b"x" * (PIECE_BYTES * 400))
        server.reads_bodies = True
        with pytest.raises(MemberThrottled, match="slow down"):
            await api.put("/x", b"x")
    assert server.connections == 2


async def test_a_large_body_arrives_whole() -> None:
    body = bytes(range(256)) * 12_000
    async with served(saying(answer(b"all"))) as (server, api):
        assert await api.put("/x", body) == b"all"
    assert server.requests[0].endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("path", ["/a b", "/a\r\nHost: b", "/\u00e9", "/a\x00"])
async def test_a_path_that_is_none_is_not_sent(path: str) -> None:
    async with served(saying(answer(b"all"))) as (server, api):
        with pytest.raises(InvalidObject):
            await read(api, path)
    assert not server.requests


@pytest.mark.parametrize(
    ("server", "token"),
    [("http://127.0.0.1", "a\r\nb"), ("ftp://a", ""), ("https://", ""), ("http://a:b", "")],
)
async def test_credentials_that_cannot_be_sent_are_unusable(server: str, token: str) -> None:
    with pytest.raises(UnusableCredentials):
        async with open_member(MemberCredentials(server=server, token=token), name="m1"):
            pass
