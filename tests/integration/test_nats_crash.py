"""A nats-server that is killed: what was removed before stays removed.

After a crash the server reads its files again. What a limit had removed is not marked in them, so
the limit is applied anew, and finds other messages once the last of a subject was removed.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.jetstream.bus import JetStreamBus
from shared.bus.jetstream.connection import Connection
from shared.bus.port import Message
from shared.bus.topology import OBJECTS, OBJECTS_HISTORY, STATUS, STREAMS, WORK, Stream
from shared.errors import HanseError, StoreUnavailable
from shared.events import subjects
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import OPERATION, JetStreamStore, delete_headers, open_store
from shared.store.keys import encode_subject
from shared.store.port import Stored

KEY = ObjectKey("apps", "deployments", "shop", "web")
OTHER = ObjectKey("apps", "deployments", "shop", "other")


@pytest.fixture
async def connection(nats_server: NatsServer):
    async with connect(nats_server.settings, "test") as found:
        await ensure_topology(found, STREAMS)
        yield found


@pytest.fixture
def bus(connection: Connection) -> JetStreamBus:
    return open_bus(connection, "test")


async def crash(server: NatsServer, connection: Connection) -> None:
    """Kill the server and wait for its return."""
    await server.kill()
    await server.start()
    async with asyncio.timeout(20):
        while True:
            try:
                await connection.last_sequence(OBJECTS.name)
            except HanseError:
                await asyncio.sleep(0.02)
            else:
                return


async def write(bus: JetStreamBus, subject: str, times: int) -> int:
    sequence = 0
    for number in range(times):
        sequence = await bus.publish(Message(subject, b"%d" % number), expected=sequence)
    return sequence


@pytest.mark.parametrize(
    ("stream", "of"), [(WORK, subjects.work), (STATUS, subjects.status)], ids=["WORK", "STATUS"]
)
async def test_an_order_or_report_that_was_removed_does_not_come_back(
    nats_server: NatsServer, connection: Connection, bus: JetStreamBus, stream: Stream, of
) -> None:
    removed, kept = of("eu-1", KEY), of("eu-1", OTHER)
    last = await write(bus, removed, 3)
    await write(bus, kept, 3)
    await bus.purge(stream, removed, up_to=last)
    await crash(nats_server, connection)
    assert await bus.last(stream, removed) is None
    found = await bus.last(stream, kept)
    assert found is not None
    assert found.body == b"2"


@pytest.mark.parametrize("killed", ["before it expires", "afterwards"])
@pytest.mark.parametrize(
    ("stream", "of"), [(WORK, subjects.work), (STATUS, subjects.status)], ids=["WORK", "STATUS"]
)
async def test_what_ended_does_not_come_back_when_the_word_of_that_expires(
    nats_server: NatsServer,
    connection: Connection,
    bus: JetStreamBus,
    stream: Stream,
    of,
    *,
    killed: str,
) -> None:
    ended, kept = of("eu-1", KEY), of("eu-1", OTHER)
    last = await write(bus, ended, 3)
    await write(bus, kept, 3)
    await bus.publish(Message(ended, b""), expected=last, ttl=timedelta(seconds=1))
    if killed == "before it expires":
        await crash(nats_server, connection)
    async with asyncio.timeout(20):
        while (found := await bus.last(stream, ended)) is not None:
            assert found.body == b""
            await asyncio.sleep(0.1)
    await crash(nats_server, connection)
    assert await bus.last(stream, ended) is None
    found = await bus.last(stream, kept)
    assert found is not None
    assert found.body == b"2"


async def test_a_deleted_object_does_not_come_back_when_its_marker_expires(
    nats_server: NatsServer, connection: Connection
) -> None:
    subject = encode_subject(KEY)
    async with open_store(connection) as store:
        stored = await write_versions(store, KEY, 3 * OBJECTS_HISTORY)
    marker = delete_headers(timedelta(seconds=1))
    await connection.publish(subject, b"{}", marker, expected=stored.revision)
    await crash(nats_server, connection)
    found = await connection.last_message(OBJECTS.name, subject)
    async with asyncio.timeout(20):
        while found is not None and OPERATION in found.headers:
            await asyncio.sleep(0.1)
            found = await connection.last_message(OBJECTS.name, subject)
    assert found is None


async def test_a_client_that_gave_up_ends_whoever_relies_on_it(nats_server: NatsServer) -> None:
    settings = replace(nats_server.settings, ping_interval=timedelta(milliseconds=100))

    async def rely(connection: Connection) -> None:
        await ensure_topology(connection, STREAMS)
        async with asyncio.timeout(60), open_store(connection):
            await nats_server.kill()
            while not connection.client.is_reconnecting:
                await asyncio.sleep(0.01)
            # As an error would that the client does not expect.
            connection.client._reconnection_task.cancel()
            await asyncio.Event().wait()

    with pytest.raises(StoreUnavailable, match="closed"):
        async with connect(settings, "test") as connection:
            await rely(connection)


async def test_the_versions_of_an_object_that_are_kept_are_bounded(connection: Connection) -> None:
    subject, written = encode_subject(KEY), 20 * OBJECTS_HISTORY
    async with open_store(connection) as store:
        await write_versions(store, KEY, written)
        # Answered in the order in which they were asked.
        info = await connection.api("STREAM.INFO.KV_OBJECTS", {"subjects_filter": subject})
    kept = info["state"]["subjects"][subject]
    assert OBJECTS_HISTORY <= kept <= 2 * OBJECTS_HISTORY


async def write_versions(store: JetStreamStore, key: ObjectKey, count: int) -> Stored:
    stored = await store.create(key, a_deployment(0))
    for number in range(1, count):
        stored = await store.update(key, a_deployment(number), expected=stored.revision)
    return stored


def a_deployment(replicas: int) -> Manifest:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": replicas}}


async def test_who_asks_is_told_that_the_connection_is_back(
    nats_server: NatsServer, connection: Connection, bus: JetStreamBus
) -> None:
    returns: list[bool] = []
    stop = bus.on_return(lambda: returns.append(bus.connected))
    await crash(nats_server, connection)
    assert returns == [True]
    stop()
    await crash(nats_server, connection)
    assert returns == [True]
