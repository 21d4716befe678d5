"""Followers on a real nats-server: what they cost it, and what they learn after an absence."""

import asyncio
from datetime import timedelta

import pytest

from shared.apimachinery.manifest import ObjectKey
from shared.bus.jetstream import connect, ensure_topology, follow, open_bus
from shared.bus.jetstream.connection import Connection
from shared.bus.port import CaughtUp, Message
from shared.bus.topology import OBJECTS, STREAMS, WORK
from shared.events import subjects
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


async def test_who_was_away_for_long_learns_what_ended_meanwhile(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any absence is too long.
    monkeypatch.setattr(follow, "ENDS_KEPT", timedelta(0))
    ending, staying = (
        subjects.work("eu-1", ObjectKey("", "configmaps", "shop", name)) for name in "ab"
    )
    async with (
        asyncio.timeout(3 * DEADLINE),
        connect(nats_server.settings, "follower") as connection,
    ):
        await ensure_topology(connection, STREAMS)
        bus = open_bus(connection, "test")
        for subject in (ending, staying):
            await bus.publish(Message(subject, b""))
        async with bus.follow(WORK, ()) as log:
            heard = [await anext(log) for _ in range(3)]
            assert heard[2] == CaughtUp(2)
            # Of that nobody is told.
            await bus.purge(WORK, ending, up_to=2)
            await nats_server.kill()
            await nats_server.start()
            while not isinstance(caught_up := await anext(log), CaughtUp):
                heard.append(caught_up)
    assert isinstance(heard[-1], Message)
    assert heard[-1].subject == staying
    assert caught_up.shown == {staying}
