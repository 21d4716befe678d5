"""Telling processes to stop in an orderly way, one after the other, and waiting for the next."""

import asyncio
import os
import signal

import aiohttp

from hanse.local.federation import Federation
from shared.bus.jetstream import connect
from shared.bus.topology import STREAMS
from shared.errors import RetryableError
from tests.chaos.wholeness import DEADLINE


async def readiness(federation: Federation, name: str) -> str:
    """What a process says of itself; empty where it does not answer."""
    url = f"http://127.0.0.1:{federation.probes_port(name)}/readyz?verbose"
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return await answer.text()
    except aiohttp.ClientError:
        return ""


async def until_ready(federation: Federation, name: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while not (await readiness(federation, name)).startswith("ok"):
            await asyncio.sleep(0.1)


async def restart(federation: Federation, name: str) -> None:
    """Stop *name*, and wait until it is ready again as another process."""
    child = federation.supervisor.child(name)
    pid = child.pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    async with asyncio.timeout(DEADLINE):
        while child.pid in (None, pid):
            await asyncio.sleep(0.05)
    await until_ready(federation, name)


async def restart_node(federation: Federation, name: str) -> None:
    """Stop a node of NATS, and wait until every stream has all its copies again."""
    pid = federation.supervisor.child(name).pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    async with asyncio.timeout(DEADLINE), connect(federation.nats, "restarting") as connection:
        # Before it is gone all copies are there.
        while federation.supervisor.child(name).pid in (None, pid):
            await asyncio.sleep(0.05)
        for stream in STREAMS:
            while True:
                try:
                    found = (await connection.api(f"STREAM.INFO.{stream.name}"))["cluster"]
                except RetryableError:
                    found = {}
                copies = found.get("replicas") or ()
                if len(copies) == 2 and all(one.get("current") for one in copies):
                    break
                await asyncio.sleep(0.1)
