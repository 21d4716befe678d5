"""Followers on a real nats-server: what they cost it."""

import asyncio

from shared.apimachinery.manifest import ObjectKey
from shared.bus.jetstream import connect, ensure_topology
from shared.bus.jetstream.connection import Connection
from shared.bus.topology import OBJECTS, STREAMS
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import open_store
from shared.store.port import EVERYTHING, Revision

DEADLINE = 20.0


def settings_map(number: int) -> ObjectKey:
    return ObjectKey("", "configmaps", "shop", f"settings-{number}")


async def policies(connection: Connection) -> list[str]:
    found = (await connection.api(f"CONSUMER.LIST.{OBJECTS.name}"))["consumers"]
    return [each["config"]["deliver_policy"] for each in found]


async def test_once_the_snapshot_is_read_nobody_asks_for_the_last_of_each_subject(
    nats_server: NatsServer,
) -> None:
    async with asyncio.timeout(DEADLINE), connect(nats_server.settings, "test") as connection:
        await ensure_topology(connection, STREAMS)
        async with open_store(connection) as writer:
            await writer.create(settings_map(0), {})
        async with open_store(connection) as store:
            heard: list[int] = []
            store.mirror.on_change(lambda change: heard.append(change.stored.revision))
            sent: list[Revision] = []
            # Something is under way all the time while one consumer takes the other's place.
            while await policies(connection) != ["by_start_sequence"]:
                sent.append((await store.create(settings_map(len(sent) + 1), {})).revision)
            for _ in range(10):
                sent.append((await store.create(settings_map(len(sent) + 1), {})).revision)
            await store.list(EVERYTHING, not_older_than=sent[-1])
    assert heard == sent
