"""NATS as three nodes: whichever is killed, what was written is there and nothing fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hanse.local.layout import Layout, Ports
from hanse.local.nats_nodes import nats_nodes, settings_of, take_requests
from shared.bus.jetstream import connect, ensure_topology
from shared.bus.jetstream.connection import Connection
from shared.bus.topology import STREAMS
from shared.errors import RetryableError, StaleRevision
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import open_store
from shared.store.port import EVERYTHING, ObjectStore, Revision
from tests.chaos.link import Direction, open_link
from tests.federation import config_map, config_map_key

pytestmark = pytest.mark.timeout(240)
DEADLINE = 60.0
NODES = 3
WORKERS = 6
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


async def test_the_node_that_leads_may_be_killed_and_no_request_fails(
    cluster: Cluster, connection: Connection, store: ObjectStore
) -> None:
    done = [0] * WORKERS
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(store, number, done)) for number in range(WORKERS)]
        await until_more(done)
        await cluster[await leader_of(connection, "KV_OBJECTS")].kill()
        await until_more(done)
        for task in tasks:
            task.cancel()


async def work(store: ObjectStore, number: int, done: list[int]) -> None:
    """Create, change, read and delete an object again and again; whatever fails is raised."""
    name = f"object-{number}"
    key = config_map_key(name)
    while True:
        stored = await store.create(key, config_map(name))
        for value in range(8):
            changed = config_map(name, str(value))
            stored = await store.update(key, changed, expected=stored.revision)
            found = await store.get(key)
            assert found is not None
            assert found.revision == stored.revision
            assert key in [each.key for each in (await store.list(EVERYTHING)).items]
        await store.delete(key, stored.manifest, expected=stored.revision)
        assert await store.get(key) is None
        done[number] += 1


async def until_more(done: list[int]) -> None:
    """Wait until each has done all that it does once more."""
    before = list(done)
    async with asyncio.timeout(DEADLINE):
        while any(now - was < 2 for now, was in zip(done, before, strict=True)):
            await asyncio.sleep(0.01)


async def test_a_write_whose_answer_is_lost_is_sent_again_and_done_once(
    cluster: Cluster, connection: Connection, store: ObjectStore
) -> None:
    key, one = config_map_key("cart"), next(iter(cluster.values()))
    port = urlsplit(one.url).port
    assert port is not None
    created = await store.create(key, config_map("cart"))
    async with (
        open_link(port) as link,
        connect(replace(settings_of(cluster), url=f"nats://127.0.0.1:{link.port}"), "far") as far,
        open_store(far) as unlucky,
    ):
        link.silence(Direction.BACK)
        change = unlucky.update(key, config_map("cart", "2"), expected=created.revision)
        changing = asyncio.create_task(change)
        seen = await until_newer(store, created.revision)
        # Somebody else goes on from there, before it is sent again.
        later = await store.update(key, config_map("cart", "3"), expected=seen)
        assert not changing.done()
        link.reset()
        link.heal()
        assert (await changing).revision == seen
        with pytest.raises(StaleRevision):
            await unlucky.update(key, config_map("cart", "4"), expected=seen)
    assert (await connection.last_sequence("KV_OBJECTS")) == later.revision == seen + 1


async def until_newer(store: ObjectStore, revision: Revision) -> Revision:
    async with asyncio.timeout(DEADLINE):
        while store.mirror.revision <= revision:
            await asyncio.sleep(0.01)
    return store.mirror.revision


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
