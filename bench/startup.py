"""How long every service takes from nothing to ready with many templates stored.

The templates are written through the gateway; then each service in turn is killed and started again
on them. The floor is an interpreter that imports the same libraries and ends. Then the same with
works in three members: everything is killed at once.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from bench import load
from bench.observer import DEPLOYMENTS
from bench.processes import memory_mebibytes
from bench.works import restart_with_works
from hanse.local.federation import SERVICES, Federation, FederationSettings, start_federation

DEADLINE = 120.0
WRITERS = 32
_IMPORTS = "import asyncio, aiohttp, msgspec, nats, opentelemetry.sdk.trace, structlog, uvloop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--templates", type=int, default=5_000, help="objects stored")
    parser.add_argument(
        "--works", type=int, default=3_000, metavar="N", help="works stored; 0 leaves that out"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    return uvloop.run(_run(arguments))


def rows(figures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    floor = f"{figures['floor_seconds']:.2f} s (imports alone)"
    lines = [
        (
            f"{service} ready, {figures['templates']} templates",
            f"{each['seconds']:.2f} s, {each['memory_mebibytes']} MiB",
            floor,
        )
        for service, each in figures["services"].items()
    ]
    if "works" in figures:
        seconds = figures["works_caught_up_seconds"]
        lines.append((f"all caught up, {figures['works']} works", f"{seconds:.2f} s", "-"))
        lines += [
            (f"memory of {name}", f"{size} MiB", "-")
            for name, size in figures["works_memory_mebibytes"].items()
        ]
    return lines


async def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="hanse-bench-") as folder:
        settings = FederationSettings(data_dir=Path(folder), clusters=0)
        async with start_federation(settings) as federation:
            await federation.hub.apply(load.namespace(load.NAMESPACE))
            await _fill(federation, arguments.templates)
            services = {}
            for service in SERVICES:
                services[service] = await _restart(federation, service)
    figures: dict[str, Any] = {
        "templates": arguments.templates,
        "services": services,
        "floor_seconds": await _floor(),
    }
    if arguments.works:
        # Ten minutes at most for 100,000 of them on two processors.
        deadline = DEADLINE + arguments.works / 200
        with tempfile.TemporaryDirectory(prefix="hanse-bench-") as folder:
            async with start_federation(FederationSettings(data_dir=Path(folder))) as federation:
                figures |= await restart_with_works(federation, arguments.works, deadline)
    return figures


async def _fill(federation: Federation, count: int) -> None:
    waiting = iter(load.encoded_deployments(count).items())

    async def write() -> None:
        for name, body in waiting:
            await federation.hub.api.apply(DEPLOYMENTS, load.NAMESPACE, name, body)

    await asyncio.gather(*(write() for _ in range(WRITERS)))


async def _restart(federation: Federation, service: str) -> dict[str, float]:
    """Kill *service* and time it until it says ready again."""
    child = federation.supervisor.child(service)
    child.hold()
    url = f"http://127.0.0.1:{federation.probes_port(service)}/readyz"
    async with aiohttp.ClientSession(trust_env=False) as session, asyncio.timeout(DEADLINE):
        while await _is_ready(session, url):
            await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        started = loop.time()
        child.release()
        while not await _is_ready(session, url):
            await asyncio.sleep(0.01)
        seconds = round(loop.time() - started, 3)
    assert child.pid is not None
    return {"seconds": seconds, "memory_mebibytes": memory_mebibytes(child.pid)}


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def _floor() -> float:
    """Start an interpreter that imports the libraries and ends."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _IMPORTS)
    await process.wait()
    return round(loop.time() - started, 3)
