"""The API server alone: writes, reads, lists, watches, memory and cold start, beside their floors.

The floor over HTTP is a plain aiohttp handler that does the JSON work, behind the same TLS and
called by the same client; that of a write is the raw publish to JetStream; that of a cold start is
reading the same messages off the bucket.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp
import msgspec
import uvloop

from bench import load
from bench.api_requests import COLD, JSON, LIST, LISTED, PATH, applies, ask_for, creates, seconds_of
from bench.fan_out import Listeners, flood, listeners, steady
from bench.gateway import Program, Site, run_gateway, until_answers
from bench.processes import cpu_seconds, memory_mebibytes
from bench.rates import AT_ONCE, Ask, closed_loop, open_loop
from hanse.local.layout import free_port
from shared.apimachinery.manifest import Manifest, ObjectKey, decode
from shared.bus.jetstream import connect
from shared.bus.jetstream.connection import Connection
from shared.bus.jetstream.tail import Entry, Tail
from shared.bus.topology import OBJECTS
from shared.store.body import encode_body
from shared.store.keys import encode_subject

SEEDERS = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=2_000, help="of each kind")
    parser.add_argument("--objects", type=int, default=10_000, help="Deployments in the list")
    parser.add_argument("--cold-objects", type=int, default=50_000, help="at the cold start")
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each steady load")
    parser.add_argument("--writes-per-second", type=float, default=200.0, help="of the open loop")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    return uvloop.run(_run(arguments))


def rows(figures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Lines of the table: figure, measured, floor."""

    def rate(name: str) -> tuple[str, str, str]:
        both = [_shown(figures, f"{side}{name}") for side in ("", "floor_")]
        return name.replace("_", " "), both[0], both[1]

    steady_writes = figures["writes_per_second_asked"]
    lines = [rate(name) for name in ("create", "get", "apply")]
    lines += [
        (f"  CPU of the gateway per {name}", f"{figures[f'{name}_cpu_ms']:.2f} ms", "-")
        for name in ("create", "get", "apply")
    ]
    lines += [
        (f"write p50, p99 at {steady_writes:.0f}/s", *_pair(figures, "steady_write")),
        ("  raw publish at that rate", "-", _times(figures, "floor_publish_steady")),
        (f"list of {figures['objects']}", f"{figures['list_seconds']:.2f} s", "-"),
        ("  first after its objects changed", f"{figures['list_first_seconds']:.2f} s", "-"),
        ("  encoding alone", "-", f"{figures['floor_list_seconds']:.2f} s"),
        ("  compressed", f"{figures['list_gzip_seconds']:.2f} s", "-"),
        ("  as a table", f"{figures['list_table_seconds']:.2f} s", "-"),
        (f"event to {figures['watchers']} watchers p50, p99", *_pair(figures, "fan_out")),
        (
            "events delivered per second",
            f"{figures['flood_events_per_second']:.0f}",
            f"{figures['floor_flood_events_per_second']:.0f}",
        ),
        ("raw publish to JetStream per second", "-", f"{figures['floor_publish_per_second']:.0f}"),
        (
            f"cold start, {figures['cold_objects']} objects",
            f"{figures['cold_start_seconds']:.2f} s",
            f"{figures['floor_cold_start_seconds']:.2f} s",
        ),
    ]
    lines += [
        (f"memory, {when}", f"{size} MiB", "-")
        for when, size in figures["memory_mebibytes"].items()
    ]
    return lines


def _shown(figures: Mapping[str, Any], name: str) -> str:
    if f"{name}_per_second" not in figures:
        return "-"
    return f"{figures[f'{name}_per_second']:.0f}/s, {_times(figures, name)}"


def _pair(figures: Mapping[str, Any], name: str) -> tuple[str, str]:
    return _times(figures, name), _times(figures, f"floor_{name}")


def _times(figures: Mapping[str, Any], name: str) -> str:
    return f"{figures[f'{name}_p50_ms']:.1f} / {figures[f'{name}_p99_ms']:.1f} ms"


async def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "objects": arguments.objects,
        "cold_objects": arguments.cold_objects,
        "watchers": arguments.watchers,
        "writes_per_second_asked": arguments.writes_per_second,
    }
    memory: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="hanse-bench-") as name:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            site = await stack.enter_async_context(run_gateway(folder))
            session = await stack.enter_async_context(site.session())
            connection = await stack.enter_async_context(connect(site.nats, "bench"))
            memory["empty"] = memory_mebibytes(site.gateway.pid)
            figures |= await _requests(session, site.gateway.pid, arguments)
            figures |= await _steady_writes(session, arguments)
            figures |= await _fan_out(site, session, arguments)
            memory["after writes and watches"] = memory_mebibytes(site.gateway.pid)
            stored = await _stored(session)
            figures |= await _publishes(connection, stored, arguments)
            figures |= await _seed(connection, stored, LISTED, arguments.objects)
            figures |= await _lists(session)
            memory[f"after lists of {arguments.objects}"] = memory_mebibytes(site.gateway.pid)
            await _floors(site, session, figures, arguments)
            await _seed(connection, stored, COLD, arguments.cold_objects - arguments.objects)
            figures |= await _cold_start(site, connection)
            memory[f"cold, {arguments.cold_objects} objects"] = memory_mebibytes(site.gateway.pid)
    return {**figures, "memory_mebibytes": memory}


async def _requests(
    session: aiohttp.ClientSession, pid: int, arguments: argparse.Namespace
) -> dict[str, float]:
    """The gateway's own processor time is told too: it does not depend on who else is running."""
    namespace = msgspec.json.encode(load.namespace(load.NAMESPACE))
    await ask_for(session, "POST", "/api/v1/namespaces", namespace, headers=JSON)()
    count = arguments.requests
    loads = {
        "create": creates(session, "created", count),
        "get": [ask_for(session, "GET", f"{PATH}/created-{number:05d}") for number in range(count)],
        "apply": applies(session, count),
    }
    # Connections are opened and schemas read before the clock starts.
    await closed_loop(creates(session, "warm", 2 * AT_ONCE))
    figures: dict[str, float] = {}
    for name, asks in loads.items():
        before = cpu_seconds(pid)
        figures |= (await closed_loop(asks)).figures(name)
        figures[f"{name}_cpu_ms"] = round((cpu_seconds(pid) - before) / count * 1000, 3)
    return figures


async def _steady_writes(
    session: aiohttp.ClientSession, arguments: argparse.Namespace
) -> dict[str, float]:
    count = int(arguments.seconds * arguments.writes_per_second)
    asks = creates(session, "steady", count)
    return (await open_loop(asks, arguments.writes_per_second)).figures("steady_write")


async def _fan_out(
    site: Site, session: aiohttp.ClientSession, arguments: argparse.Namespace
) -> dict[str, float]:
    async with session.get(PATH, params={"limit": "1"}) as response:
        version = decode(await response.read())["metadata"]["resourceVersion"]
    query = {"watch": "true", "resourceVersion": version}
    async with (
        site.session(connections=0) as many,
        listeners(many, PATH, query, arguments.watchers) as heard,
    ):
        return await _heard(heard, creates(session, "told", 10_000), arguments)


async def _heard(
    heard: Listeners, asks: list[Ask], arguments: argparse.Namespace
) -> dict[str, float]:
    async def write(number: int) -> None:
        await asks[number]()

    async def write_more(number: int) -> None:
        await asks[writes + number]()

    per_second = arguments.writes_per_second / 4
    writes = int(arguments.seconds * per_second)
    found = (await steady(heard, write, writes, per_second)).figures("fan_out")
    found["flood_events_per_second"] = await flood(heard, write_more, writes, 16)
    return found


async def _stored(session: aiohttp.ClientSession) -> Manifest:
    """One Deployment as the gateway has stored it."""
    async with session.get(f"{PATH}/created-00000") as response:
        return decode(await response.read())


async def _seed(
    connection: Connection, like: Manifest, namespace: str, count: int
) -> dict[str, float]:
    """Put *count* Deployments into the bucket itself, as if they had come by the API."""
    bodies: dict[str, bytes] = {}
    for number in range(count):
        name = f"seed-{number:05d}"
        key = ObjectKey("apps", "deployments", namespace, name)
        bodies[encode_subject(key)] = encode_body(key, _like(like, namespace, name))
    waiting = iter(bodies.items())

    async def publish() -> None:
        for subject, body in waiting:
            await connection.publish(subject, body)

    began = perf_counter()
    await asyncio.gather(*(publish() for _ in range(SEEDERS)))
    return {"floor_publish_per_second": round(count / (perf_counter() - began), 1)}


def _like(like: Manifest, namespace: str, name: str) -> Manifest:
    """Return the same object in another place."""
    return {**like, "metadata": {**like["metadata"], "namespace": namespace, "name": name}}


async def _publishes(
    connection: Connection, like: Manifest, arguments: argparse.Namespace
) -> dict[str, float]:
    """What a write cannot be faster than: its publish, at the rate of the open loop."""

    def publish(name: str) -> Ask:
        key = ObjectKey("apps", "deployments", "raw", name)
        subject, body = encode_subject(key), encode_body(key, _like(like, "raw", name))

        async def ask() -> None:
            await connection.publish(subject, body, expected=0)

        return ask

    count = int(arguments.seconds * arguments.writes_per_second)
    asks = [publish(f"raw-{number:05d}") for number in range(count)]
    return (await open_loop(asks, arguments.writes_per_second)).figures("floor_publish_steady")


async def _lists(session: aiohttp.ClientSession) -> dict[str, float]:
    table = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    return {
        "list_first_seconds": await seconds_of(session, {}, rounds=1),
        "list_seconds": await seconds_of(session, {}),
        "list_gzip_seconds": await seconds_of(session, {"Accept-Encoding": "gzip"}),
        "list_table_seconds": await seconds_of(session, table),
    }


async def _floors(
    site: Site,
    session: aiohttp.ClientSession,
    figures: dict[str, Any],
    arguments: argparse.Namespace,
) -> None:
    """The same of a plain handler, with the list that the gateway has just served."""
    async with session.get(LIST, headers={"Accept-Encoding": "identity"}) as response:
        listing = site.tls_folder / "listing.json"
        listing.write_bytes(await response.read())
    port = free_port()
    log = site.tls_folder / "plain.log"
    words = ("bench.plain_server", str(port), str(site.tls_folder), str(listing))
    plain = Program(*words, environment={}, log=log)
    await plain.start()
    try:
        await until_answers(f"https://127.0.0.1:{port}/readyz", site.tls)
        async with site.session(f"https://127.0.0.1:{port}") as there:
            found = await _plain_figures(there, arguments)
        async with site.session(f"https://127.0.0.1:{port}", connections=0) as many:
            found |= await _plain_fan_out(many, arguments)
    finally:
        await plain.end()
    figures |= {f"floor_{name}": value for name, value in found.items()}


async def _plain_figures(
    session: aiohttp.ClientSession, arguments: argparse.Namespace
) -> dict[str, float]:
    count = arguments.requests
    await closed_loop(creates(session, "warm", 2 * AT_ONCE, "/objects"))
    create = await closed_loop(creates(session, "plain", count, "/objects"))
    get = await closed_loop(ask_for(session, "GET", "/objects/one") for _ in range(count))
    steady_count = int(arguments.seconds * arguments.writes_per_second)
    asks = creates(session, "plain", steady_count, "/objects")
    written = await open_loop(asks, arguments.writes_per_second)
    figures = create.figures("create") | get.figures("get") | written.figures("steady_write")
    figures["list_seconds"] = await seconds_of(session, {}, path="/objects")
    return figures


async def _plain_fan_out(
    session: aiohttp.ClientSession, arguments: argparse.Namespace
) -> dict[str, float]:
    async with listeners(session, "/watch", {}, arguments.watchers) as heard:
        return await _heard(heard, creates(session, "told", 10_000, "/objects"), arguments)


async def _cold_start(site: Site, connection: Connection) -> dict[str, float]:
    began = perf_counter()
    await _read_bucket(connection)
    floor = perf_counter() - began
    await site.gateway.end()
    began = perf_counter()
    await site.gateway.start()
    await site.until_ready()
    async with site.session() as session:
        await ask_for(session, "GET", f"{LIST}/seed-00000")()
    return {
        "cold_start_seconds": round(perf_counter() - began, 2),
        "floor_cold_start_seconds": round(floor, 2),
    }


async def _read_bucket(connection: Connection) -> None:
    """Read every last message and look at none."""
    complete = asyncio.Event()

    def on_message(_entry: Entry) -> None:
        pass

    def on_complete(_revision: int) -> None:
        complete.set()

    tail = Tail(
        connection,
        OBJECTS.name,
        (),
        on_restart=complete.clear,
        on_message=on_message,
        on_complete=on_complete,
        absence_max=timedelta(minutes=1),
    )
    task = asyncio.create_task(tail.run())
    await complete.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
