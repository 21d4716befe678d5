"""NATS as three nodes: whichever is killed, what was written is there and writing goes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hanse.layout import Layout, Ports
from hanse.nats_nodes import nats_nodes, settings_of, take_requests
from shared.bus.jetstream import connect, ensure_topology
from shared.bus.jetstream.connection import Connection
from shared.bus.topology import STREAMS
from shared.errors import RetryableError
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import open_store
from shared.store.port import EVERYTHING, ObjectStore
from tests.federation import config_map, config_map_key

pytestmark = pytest.mark.timeout(240)
DEADLINE = 60.0
NODES = 3
Cluster = dict[str, NatsServer]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    layout = Layout(tmp_path)
    layout.prepare()
    servers = nats_nodes(layout, Ports(layout.ports), NODES)
    async with AsyncExitStack() as stack:
        for server in servers.values():
            await stack.enter_async_context(server)
        async with asyncio.timeout(DEADLINE):
            while not await take_requests(settings_of(servers)):
                await asyncio.sleep(0.05)
        yield servers


async def leader_of(connection: Connection, stream: str) -> str:
    """The node that leads *stream*, once all others are up to date."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                found = (await connection.api(f"STREAM.INFO.{stream}"))["cluster"]
            except RetryableError:
                found = {}
            followers = found.get("replicas") or ()
            if len(followers) == 2 and all(each.get("current") for each in followers):
                return str(found["leader"])
            await asyncio.sleep(0.05)


@pytest.fixture
async def connection(cluster: Cluster) -> AsyncIterator[Connection]:
    async with connect(settings_of(cluster), "test") as found:
        # The nodes may have to meet yet.
        await insist(partial(ensure_topology, found, STREAMS))
        yield found


@pytest.fixture
async def store(connection: Connection) -> AsyncIterator[ObjectStore]:
    async with open_store(connection) as found:
        yield found


async def test_the_node_that_leads_may_be_killed_and_nothing_is_lost(
    cluster: Cluster, connection: Connection, store: ObjectStore
) -> None:
    await store.create(config_map_key("before"), config_map("before"))
    victim = await leader_of(connection, "KV_OBJECTS")

    await cluster[victim].kill()

    await insist(partial(create, store, "after"))
    await insist(partial(store.get, config_map_key("before")))
    assert [each.key.name for each in (await store.list(EVERYTHING)).items] == ["after", "before"]


async def test_without_a_node_that_follows_nothing_fails(
    cluster: Cluster, connection: Connection, store: ObjectStore
) -> None:
    leader = await leader_of(connection, "KV_OBJECTS")
    assert connection.client.connected_url is not None
    mine = connection.client.connected_url.netloc
    victim = next(
        name for name, server in cluster.items() if name != leader and not server.url.endswith(mine)
    )

    await cluster[victim].kill()

    await store.create(config_map_key("after"), config_map("after"))
    assert await store.get(config_map_key("after")) is not None


async def insist(call: Callable[[], Awaitable[Any]]) -> Any:
    """Do as those do who may try again."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                return await call()
            except RetryableError:
                await asyncio.sleep(0.05)


async def create(store: ObjectStore, name: str) -> None:
    """Create it, or find that an attempt that was not answered did."""
    if await store.get(config_map_key(name)) is None:
        await store.create(config_map_key(name), config_map(name))
