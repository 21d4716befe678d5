"""Connecting to a member that resets whoever comes."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
import uvloop

from shared.errors import MemberUnreachable
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import open_member

CALLS = 400
AT_ONCE = 8


@contextmanager
def resetting() -> Iterator[int]:
    """A server that resets every connection as soon as it is there; yields its port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(100)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


async def call_again_and_again(port: int) -> int:
    """Return how many calls found it unreachable; anything else that is raised is a defect."""
    # What is logged or waited upon is remembered too, and the socket with it.
    remembered: deque[Exception] = deque(maxlen=50)
    found = 0

    async def call() -> None:
        nonlocal found
        try:
            await member.read("/readyz", deadline_seconds=20.0)
        except MemberUnreachable as err:
            remembered.append(err)
            found += 1

    access = MemberCredentials(server=f"https://127.0.0.1:{port}", token="t", insecure=True)
    async with open_member(access, name="m1") as member:
        for _ in range(CALLS // AT_ONCE):
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(call())
    return found


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_connection_that_is_reset_as_it_is_made_harms_no_other(run: Callable[..., int]) -> None:
    with resetting() as port:
        assert run(call_again_and_again(port)) == CALLS
