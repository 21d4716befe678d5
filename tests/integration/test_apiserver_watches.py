"""Watches over HTTP: what is told, how long, and how they end."""

import asyncio
import json

import aiohttp
import pytest

from shared.apimachinery.manifest import ObjectKey
from shared.apiserver.requests.limits import ServerLimits
from shared.store.memory import MemoryStore
from shared.store.port import StoreLimits
from tests.served_api import (
    DEPLOYMENTS,
    MAPS,
    TABLE,
    TOKEN,
    Client,
    WatchLines,
    config_map,
    deployment,
    served_api,
    until,
)

PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"


async def some_maps(client: Client, count: int) -> None:
    for number in range(count):
        await client.post(MAPS, config_map(f"m{number}"))


async def test_a_watch_goes_on_from_a_list(client):
    await client.post(MAPS, config_map("a", x="1"))
    version = (await client.get(MAPS)).metadata["resourceVersion"]
    async with client.watch(MAPS, resourceVersion=version) as lines:
        await client.patch(f"{MAPS}/a", {"data": {"x": "2"}})
        await client.post(MAPS, config_map("b"))
        await client.delete(f"{MAPS}/a")
        events = await lines.take(3)

    assert [one["type"] for one in events] == ["MODIFIED", "ADDED", "DELETED"]
    assert [one["object"]["metadata"]["name"] for one in events] == ["a", "b", "a"]
    versions = [int(one["object"]["metadata"]["resourceVersion"]) for one in events]
    assert versions == sorted(versions)
    assert versions[0] > int(version)


async def test_a_watch_without_version_begins_with_what_there_is(client):
    await some_maps(client, 2)
    async with client.watch(MAPS) as lines:
        events = await lines.take(2)
    assert [one["type"] for one in events] == ["ADDED", "ADDED"]


async def test_initial_events_end_with_a_marked_bookmark(client):
    await some_maps(client, 2)
    options = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    async with client.watch(MAPS, **options) as lines:
        events = await lines.take(3)
    assert [one["type"] for one in events] == ["ADDED", "ADDED", "BOOKMARK"]
    assert events[2]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    refused = await client.get(MAPS, watch="true", sendInitialEvents="true")
    assert refused.code == 422


async def test_an_object_comes_and_goes_by_matching_the_selector(client):
    version = (await client.get(MAPS)).metadata["resourceVersion"]
    async with client.watch(MAPS, resourceVersion=version, labelSelector="tier=gold") as lines:
        await client.post(MAPS, config_map("a"))
        await client.patch(f"{MAPS}/a", {"metadata": {"labels": {"tier": "gold"}}})
        await client.patch(f"{MAPS}/a", {"data": {"x": "1"}})
        await client.patch(f"{MAPS}/a", {"metadata": {"labels": {"tier": "iron"}}})
        events = await lines.take(3)
    assert [one["type"] for one in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[2]["object"]["metadata"]["labels"] == {"tier": "gold"}


async def test_one_object_can_be_watched_by_its_path(client):
    await some_maps(client, 2)
    async with client.watch(f"/api/v1/watch{MAPS.removeprefix('/api/v1')}/m1") as lines:
        event = await lines.next()
    assert event["object"]["metadata"]["name"] == "m1"


async def test_a_watch_ends_when_its_time_is_up_with_a_bookmark(client):
    version = (await client.get(MAPS)).metadata["resourceVersion"]
    options = {"resourceVersion": version, "timeoutSeconds": "1", "allowWatchBookmarks": "true"}
    async with client.watch(MAPS, **options) as lines:
        bookmark = await lines.next()
        assert bookmark["type"] == "BOOKMARK"
        assert await lines.next() is None


async def test_a_watch_from_forgotten_history_is_told_to_list_again():
    async with served_api(MemoryStore(StoreLimits(history=3))) as served:
        await some_maps(served.client, 6)
        async with served.client.watch(MAPS, resourceVersion="1") as lines:
            event = await lines.next()
            assert await lines.next() is None
        assert event["type"] == "ERROR"
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


async def test_a_watcher_that_falls_behind_gets_410_in_its_stream():
    store = MemoryStore(StoreLimits(watch_backlog=1))
    async with served_api(store) as served:
        client = served.client
        version = (await client.get(MAPS)).metadata["resourceVersion"]
        async with client.watch(MAPS, resourceVersion=version) as lines:
            manifest = {**config_map("x"), "metadata": {"name": "x", "namespace": "default"}}
            # All at once, without giving the watcher a turn.
            for number in range(5):
                key = ObjectKey("", "configmaps", "default", f"x{number}")
                await store.create(key, manifest)
            events = []
            while (event := await lines.next()) is not None:
                events.append(event)
        assert events[-1]["type"] == "ERROR"
        assert events[-1]["object"]["code"] == 410


async def test_a_watch_as_table_sends_the_columns_once(client):
    await client.post(DEPLOYMENTS, deployment("web"))
    async with client.watch(DEPLOYMENTS, accept=TABLE) as lines:
        first = await lines.next()
        await client.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 9}})
        second = await lines.next()
    assert first["object"]["columnDefinitions"]
    assert second["object"]["columnDefinitions"] is None
    assert second["object"]["rows"][0]["cells"][0] == "web"


async def test_the_number_of_watches_is_bounded():
    async with served_api(limits=ServerLimits(watches=1)) as served:
        await some_maps(served.client, 1)
        async with served.client.watch(MAPS) as lines:
            await lines.next()
            refused = await served.client.get(MAPS, watch="true")
        assert refused.code == 429
        assert refused.headers["Retry-After"]


async def test_watchers_leave_nothing_behind(served):
    client = served.client
    for _ in range(3):
        async with client.watch(MAPS, timeoutSeconds="60"):
            pass

    async with asyncio.timeout(20):
        while served.api.server.watches_open:
            await asyncio.sleep(0.05)


async def test_watchers_share_their_lines_whatever_their_form(client):
    version = (await client.get(MAPS)).metadata["resourceVersion"]
    async with (
        client.watch(MAPS, resourceVersion=version) as plain,
        client.watch(MAPS, resourceVersion=version) as again,
        client.watch(MAPS, resourceVersion=version, accept=PARTIAL) as partial,
        client.watch(MAPS, resourceVersion=version, labelSelector="tier=gold") as gold,
    ):
        await client.post(MAPS, config_map("a", x="1"))
        await client.patch(f"{MAPS}/a", {"metadata": {"labels": {"tier": "gold"}}})
        await client.patch(f"{MAPS}/a", {"metadata": {"labels": {"tier": "iron"}}})
        told = await plain.take(3)
        assert await again.take(3) == told
        assert [one["object"]["kind"] for one in await partial.take(3)] == (
            ["PartialObjectMetadata"] * 3
        )
        mine = await gold.take(2)
    assert [one["type"] for one in told] == ["ADDED", "MODIFIED", "MODIFIED"]
    assert [one["type"] for one in mine] == ["ADDED", "DELETED"]
    # The same change in two states: as it is, and as it last was for whom it left.
    assert told[2]["object"]["metadata"]["labels"] == {"tier": "iron"}
    assert mine[1]["object"]["metadata"]["labels"] == {"tier": "gold"}


async def test_a_watcher_that_takes_nothing_is_cut_and_harms_nobody():
    store = MemoryStore(StoreLimits(watch_backlog_bytes=1024 * 1024))
    async with served_api(store, limits=ServerLimits(blocked_seconds=0.5)) as served:
        client = served.client
        version = (await client.get(MAPS)).metadata["resourceVersion"]
        async with (
            client.watch(MAPS, resourceVersion=version) as idle,
            client.watch(MAPS, resourceVersion=version, accept=PARTIAL) as awake,
        ):
            # More than the buffers of both ends hold.
            for number in range(60):
                await client.post(MAPS, config_map(f"m{number:03}", x="x" * 200_000))
                assert (await awake.next())["object"]["metadata"]["name"] == f"m{number:03}"
            await until(lambda: _is(served.api.server.watches_open == 1))
            with pytest.raises(aiohttp.ClientError):
                await _read_to_the_end(idle)


async def _read_to_the_end(lines: WatchLines) -> None:
    while await lines.next() is not None:
        pass


async def _is(true: bool) -> bool:  # noqa: FBT001 - what `until` asks for.
    return true


async def test_a_server_that_stops_ends_its_watches_in_order():
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        async with served_api() as served:
            version = (await served.client.get(MAPS)).metadata["resourceVersion"]
            query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version}
            response = await session.get(served.client.url + MAPS, params=query)
            created = await served.client.post(MAPS, config_map("last"))
        # To the end, which is no broken connection.
        lines = [json.loads(line) for line in (await response.read()).splitlines()]
    assert [line["type"] for line in lines] == ["ADDED", "BOOKMARK"]
    last = lines[1]["object"]["metadata"]["resourceVersion"]
    assert int(last) >= int(created.metadata["resourceVersion"])


async def test_a_client_of_http_1_0_reads_to_the_end_of_its_connection(served, client):
    await client.post(MAPS, config_map("a"))
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {TOKEN}"}, version=aiohttp.HttpVersion10
    ) as session:
        query = {"watch": "true", "timeoutSeconds": "1"}
        async with session.get(served.client.url + MAPS, params=query) as response:
            lines = [json.loads(line) for line in (await response.read()).splitlines()]
        assert response.status == 200
        assert "Transfer-Encoding" not in response.headers
        assert [line["object"]["metadata"]["name"] for line in lines] == ["a"]

        # So is a list that is too long to be sent at once.
        for number in range(3):
            await client.post(MAPS, config_map(f"m{number}", x="x" * 100_000))
        async with session.get(served.client.url + MAPS) as response:
            found = json.loads(await response.read())
    assert len(found["items"]) == 4
