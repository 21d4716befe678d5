"""DNS over real sockets on loopback, and other people's programs to ask it with."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import dns.tsig
import pytest

from services.traffic.core.dns.answering import Answering
from services.traffic.core.dns.door import Door, Served
from services.traffic.dns.listening import Listener, listen
from services.traffic.dns.requests import Requests
from shared.clock import SystemClock

KEY = dns.tsig.Key("hanse-transfer", "c2VjcmV0IG9mIHRoZSB0ZXN0", "hmac-sha256")


def needs(program: str) -> pytest.MarkDecorator:
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    return pytest.mark.skipif(found is None, reason=f"{program} is not installed")


@asynccontextmanager
async def server(
    served: Mapping[bytes, Served], hosts: Sequence[str] = ("127.0.0.1",)
) -> AsyncIterator[int]:
    """A server of *served*, which may change while it runs; yields its port."""
    clock = SystemClock()
    door = Door(
        served,
        Answering(draw=random.Random(7).random),  # noqa: S311
        cluster_of=lambda _address: "",
        monotonic=clock.monotonic,
    )
    requests = Requests(door, {KEY.name: KEY}, clock)
    async with listen(Listener(door, requests.handle), hosts, 0) as found:
        yield found[0][1]


async def run(*arguments: str) -> str:
    """What a program prints; it has to succeed."""
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def dig(port: int, *words: str) -> str:
    return await run("dig", "@127.0.0.1", "-p", str(port), "+tries=1", "+time=5", *words)
