"""A thousand watchers of one API server over a real nats-server: each is told everything once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from shared.bus.jetstream import connect, ensure_topology
from shared.bus.settings import NatsSettings
from shared.bus.topology import STREAMS
from shared.runtime.open_files import allow_open_files
from shared.store.jetstream import open_store
from tests.served_api import MAPS, TOKEN, Served, config_map, served_api

WATCHERS = 1_000
GIVE_UP_SECONDS = 300

Told = list[tuple[str, str, int]]
"""Type, name and resourceVersion of each event, in the order in which they came."""


@pytest.fixture
async def served(nats_settings: NatsSettings) -> AsyncIterator[Served]:
    async with connect(nats_settings, "test") as connection:
        await ensure_topology(connection, STREAMS)
        async with open_store(connection) as store, served_api(store) as found:
            yield found


async def written(served: Served) -> Told:
    """Make, change and delete some maps; returns what every watcher must hear of it."""
    client, told = served.client, []

    def note(kind: str, metadata: dict[str, str]) -> None:
        told.append((kind, metadata["name"], int(metadata["resourceVersion"])))

    for name in ("a", "b", "c"):
        note("ADDED", (await client.post(MAPS, config_map(name, x="0"))).metadata)
        for value in ("1", "2"):
            patched = await client.patch(f"{MAPS}/{name}", {"data": {"x": value}})
            note("MODIFIED", patched.metadata)
    assert (await client.delete(f"{MAPS}/b")).code == 200
    note("ADDED", (await client.post(MAPS, config_map("last"))).metadata)
    return told


async def read(response: aiohttp.ClientResponse, until: str) -> Told:
    """Read events up to the one about the map *until*."""
    told: Told = []
    while line := await response.content.readline():
        event = json.loads(line)
        metadata = event["object"]["metadata"]
        told.append((event["type"], metadata["name"], int(metadata["resourceVersion"])))
        if metadata["name"] == until:
            return told
    raise AssertionError(f"the watch ended after {told}")


async def test_a_thousand_watchers_hear_of_every_change_once_and_in_order(served: Served) -> None:
    allow_open_files()  # Both ends of every connection are in this process.
    version = (await served.client.get(MAPS)).metadata["resourceVersion"]
    query = {"watch": "true", "resourceVersion": version}
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                served.client.url,
                connector=aiohttp.TCPConnector(limit=0),
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=aiohttp.ClientTimeout(total=None),
            )
        )
        watches = [
            await stack.enter_async_context(session.get(MAPS, params=query))
            for _ in range(WATCHERS)
        ]
        assert served.api.server.watches_open == WATCHERS
        written_by_then = await written(served)
        async with asyncio.timeout(GIVE_UP_SECONDS):
            heard = await asyncio.gather(*(read(watch, until="last") for watch in watches))

    first = heard[0]
    assert [one for one in first if one[0] != "DELETED"] == written_by_then
    assert [one[1] for one in first if one[0] == "DELETED"] == ["b"]
    assert [version for *_, version in first] == sorted({version for *_, version in first})
    assert [number for number, told in enumerate(heard) if told != first] == []
