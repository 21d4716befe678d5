"""What every object store must do: one suite over memory and a real nats-server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.jetstream import connect, ensure_topology
from shared.bus.settings import NatsSettings
from shared.bus.topology import MEBIBYTE, OBJECTS, STREAMS
from shared.errors import (
    AlreadyExists,
    InvalidObject,
    OutcomeUnknown,
    RevisionExpired,
    StaleRevision,
    StoreUnavailable,
)
from shared.runtime.nats_server import NatsServer
from shared.store.body import encode_body
from shared.store.jetstream import delete_headers, open_store
from shared.store.keys import encode_subject
from shared.store.memory import MemoryStore
from shared.store.port import (
    EVERYTHING,
    Change,
    ChangeType,
    ObjectStore,
    Revision,
    Scope,
    Stored,
    StoreLimits,
    Watch,
)

Stores = tuple[ObjectStore, ObjectStore]
DEADLINE = 20.0
START = Revision(0)
DEPLOYMENTS = Scope("apps", "deployments")


def key(name: str = "shop", namespace: str = "default", resource: str = "deployments") -> ObjectKey:
    return ObjectKey("apps", resource, namespace, name)


def manifest(name: str = "shop", **spec: Any) -> Manifest:
    return {"kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def spec_of(stored: Stored) -> Any:
    return stored.manifest["spec"]


async def next_change(watch: Watch) -> Change:
    return await asyncio.wait_for(watch.__anext__(), DEADLINE)


async def test_a_created_object_is_read_back_with_its_revision(store: ObjectStore) -> None:
    created = await store.create(key(), manifest(replicas=3))

    found = await store.get(key())
    assert found is not None
    assert found.revision == created.revision > 0
    assert found.manifest == created.manifest
    assert found.manifest["metadata"]["resourceVersion"] == str(created.revision)
    assert spec_of(found) == {"replicas": 3}


async def test_an_absent_object_is_none(store: ObjectStore) -> None:
    assert await store.get(key("absent")) is None


async def test_what_the_caller_changes_later_is_not_stored(store: ObjectStore) -> None:
    mine = manifest(items=[1])
    created = await store.create(key(), mine)
    mine["spec"]["items"].append(2)

    found = await store.get(key())
    assert found is not None
    assert spec_of(found) == spec_of(created) == {"items": [1]}
    assert "resourceVersion" not in mine["metadata"]


async def test_creating_what_exists_is_refused(stores: Stores) -> None:
    one, other = stores
    await one.create(key(), manifest())

    with pytest.raises(AlreadyExists):
        await other.create(key(), manifest())


async def test_the_second_of_two_writers_with_the_same_revision_loses(stores: Stores) -> None:
    one, other = stores
    created = await one.create(key(), manifest())
    updated = await one.update(key(), manifest(replicas=1), expected=created.revision)
    assert updated.revision > created.revision

    with pytest.raises(StaleRevision):
        await other.update(key(), manifest(replicas=2), expected=created.revision)
    with pytest.raises(StaleRevision):
        await other.delete(key(), manifest(), expected=created.revision)


async def test_what_is_absent_cannot_be_updated_or_deleted(store: ObjectStore) -> None:
    for revision in (Revision(0), Revision(7)):
        with pytest.raises(StaleRevision):
            await store.update(key("absent"), manifest(), expected=revision)
        with pytest.raises(StaleRevision):
            await store.delete(key("absent"), manifest(), expected=revision)


async def test_a_deleted_object_is_gone_and_can_be_created_again(stores: Stores) -> None:
    one, other = stores
    created = await one.create(key(), manifest())
    gone = await one.delete(key(), created.manifest, expected=created.revision)

    assert gone.revision > created.revision
    assert await other.get(key()) is None
    assert (await other.list(EVERYTHING)).items == ()
    again = await other.create(key(), manifest(replicas=2))
    assert again.revision > gone.revision
    with pytest.raises(AlreadyExists):
        await one.create(key(), manifest())


async def test_a_delete_is_no_revision_to_write_over(stores: Stores) -> None:
    one, other = stores
    created = await one.create(key(), manifest())
    gone = await one.delete(key(), created.manifest, expected=created.revision)
    await asyncio.wait_for(_mirrored(other, gone.revision), DEADLINE)

    for store in (one, other):
        with pytest.raises(StaleRevision):
            await store.update(key(), manifest(), expected=gone.revision)
        with pytest.raises(StaleRevision):
            await store.delete(key(), manifest(), expected=gone.revision)


async def _mirrored(store: ObjectStore, revision: int) -> None:
    while store.mirror.revision < revision:
        await asyncio.sleep(0.005)


async def test_a_list_holds_the_scope_in_order(store: ObjectStore) -> None:
    for found in (key("b", "two"), key("a", "two"), key("z", "one"), key("n", "one", "daemonsets")):
        await store.create(found, manifest())
    cluster_scoped = ObjectKey("", "namespaces", "", "one")
    last = await store.create(cluster_scoped, manifest())

    listing = await store.list(DEPLOYMENTS)
    assert [item.key for item in listing.items] == [
        key("z", "one"),
        key("a", "two"),
        key("b", "two"),
    ]
    assert listing.revision == last.revision
    names = [
        item.key.name for item in (await store.list(Scope("apps", "deployments", "two"))).items
    ]
    assert names == ["a", "b"]
    assert [item.key for item in (await store.list(Scope(namespace=""))).items] == [cluster_scoped]
    assert len((await store.list(Scope(group="apps"))).items) == 4
    assert len((await store.list(EVERYTHING)).items) == 5
    assert (await store.list(Scope("apps", "none"))).items == ()


async def test_a_list_sees_every_acknowledged_write_under_twenty_writers(stores: Stores) -> None:
    one, other = stores
    acknowledged: dict[ObjectKey, int] = {}
    checked = 0
    keys = [key(f"app-{number}") for number in range(100)]
    for found in keys:
        acknowledged[found] = (await one.create(found, manifest())).revision

    async def write(mine: list[ObjectKey]) -> None:
        for step in range(30):
            for found in mine:
                revision = Revision(acknowledged[found])
                updated = await one.update(found, manifest(step=step), expected=revision)
                acknowledged[found] = updated.revision

    async with asyncio.TaskGroup() as group:
        writers = [group.create_task(write(keys[start::20])) for start in range(20)]
        while not all(writer.done() for writer in writers):
            before = dict(acknowledged)
            listing = await other.list(DEPLOYMENTS)
            shown = {item.key: item.revision for item in listing.items}
            assert shown.keys() == before.keys()
            assert all(shown[item] >= revision for item, revision in before.items())
            assert all(item.revision <= listing.revision for item in listing.items)
            checked += 1
            await asyncio.sleep(0)
    assert checked > 0


async def test_a_watch_tells_each_change_once_and_in_order(stores: Stores) -> None:
    one, other = stores
    created = await one.create(key(), manifest(step=1))
    async with other.watch(DEPLOYMENTS, since=created.revision) as watch:
        updated = await one.update(key(), manifest(step=2), expected=created.revision)
        gone = await one.delete(key(), updated.manifest, expected=updated.revision)
        again = await one.create(key(), manifest(step=3))

        changes = [await next_change(watch) for _ in range(3)]
        assert [change.type for change in changes] == [
            ChangeType.MODIFIED,
            ChangeType.DELETED,
            ChangeType.ADDED,
        ]
        assert [change.stored.revision for change in changes] == [
            updated.revision,
            gone.revision,
            again.revision,
        ]
        before = changes[0].previous
        assert before is not None
        assert spec_of(before) == {"step": 1}
        assert spec_of(changes[1].stored) == {"step": 2}
        assert changes[1].stored.manifest["metadata"]["resourceVersion"] == str(gone.revision)
        assert changes[2].previous is None
        assert watch.revision >= again.revision


async def test_a_watch_tells_only_of_its_scope_and_its_revision_goes_on(store: ObjectStore) -> None:
    async with store.watch(Scope("apps", "deployments", "mine"), since=START) as watch:
        await store.create(key("a", "theirs"), manifest())
        await store.create(key("a", "mine", "daemonsets"), manifest())
        mine = await store.create(key("a", "mine"), manifest())
        change = await next_change(watch)
        assert change.stored.key == mine.key
        other = await store.create(key("b", "theirs"), manifest())
        await asyncio.wait_for(_mirrored(store, other.revision), DEADLINE)
        assert watch.revision == other.revision


async def test_a_watch_resumes_after_the_last_change_seen(store: ObjectStore) -> None:
    revisions = [(await store.create(key(f"app-{n}"), manifest())).revision for n in range(5)]
    await asyncio.wait_for(_mirrored(store, revisions[-1]), DEADLINE)

    async with store.watch(EVERYTHING, since=revisions[2]) as watch:
        found = [(await next_change(watch)).stored.revision for _ in range(2)]
    assert found == revisions[3:]


async def test_a_list_and_a_watch_from_it_leave_no_gap(stores: Stores) -> None:
    one, other = stores
    total = 200

    async def write() -> None:
        for number in range(total):
            await one.create(key(f"app-{number:04}"), manifest())
            # Memory never waits, so let the reader have its turn.
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        listing = await other.list(DEPLOYMENTS)
        while not 0 < len(listing.items) < total:
            await asyncio.sleep(0)
            listing = await other.list(DEPLOYMENTS)
        names = [item.key.name for item in listing.items]
        async with other.watch(DEPLOYMENTS, since=listing.revision) as watch:
            while len(names) < total:
                names.append((await next_change(watch)).stored.key.name)
    assert sorted(names) == [f"app-{number:04}" for number in range(total)]


async def test_a_revision_that_does_not_exist_yet_is_expired(store: ObjectStore) -> None:
    created = await store.create(key(), manifest())
    with pytest.raises(RevisionExpired):
        async with store.watch(EVERYTHING, since=Revision(created.revision + 1000)):
            pass


async def test_a_watch_may_start_where_another_process_has_just_written(stores: Stores) -> None:
    one, other = stores
    for number in range(50):
        created = await one.create(key(f"app-{number}"), manifest())
        # The other's mirror may not have it yet.
        async with other.watch(EVERYTHING, since=created.revision) as watch:
            follower = await one.create(key(f"next-{number}"), manifest())
            assert (await next_change(watch)).stored.revision == follower.revision


async def test_the_mirror_follows_and_tells_its_listeners(stores: Stores) -> None:
    one, other = stores
    heard: list[Change] = []
    stop = other.mirror.on_change(heard.append)
    created = await one.create(key(), manifest())
    await asyncio.wait_for(_mirrored(other, created.revision), DEADLINE)
    mirrored = other.mirror.get(key())
    assert mirrored is not None
    assert mirrored.revision == created.revision
    assert [item.key for item in other.mirror.items(DEPLOYMENTS)] == [key()]

    stop()
    gone = await one.delete(key(), created.manifest, expected=created.revision)
    await asyncio.wait_for(_mirrored(other, gone.revision), DEADLINE)
    assert other.mirror.get(key()) is None
    assert [change.type for change in heard] == [ChangeType.ADDED]


@pytest.mark.parametrize(
    "name",
    [
        "system:node",
        "a.b.c",
        "under_score",
        "_",
        "..",
        "*",
        ">",
        "UPPER",
        "a b",
        "größe",
        "日本",
        "a=2E",
    ],
)
async def test_odd_names_stay_apart(stores: Stores, name: str) -> None:
    one, other = stores
    odd = ObjectKey("rbac.authorization.k8s.io", "clusterroles", "", name)
    created = await one.create(odd, manifest(name))

    found = await other.get(odd)
    assert found is not None
    assert found.key == odd
    listing = await other.list(Scope("rbac.authorization.k8s.io", "clusterroles"))
    assert [item.key for item in listing.items] == [odd]
    gone = await other.delete(odd, created.manifest, expected=created.revision)
    assert await one.get(odd) is None
    assert gone.key == odd


async def test_an_object_of_three_mebibytes_goes_around(stores: Stores) -> None:
    one, other = stores
    created = await one.create(key(), manifest(blob="x" * 3 * 1024 * 1024))
    async with other.watch(EVERYTHING, since=created.revision) as watch:
        await one.delete(key(), created.manifest, expected=created.revision)
        gone = await next_change(watch)
    assert len(spec_of(gone.stored)["blob"]) == 3 * 1024 * 1024


async def test_what_is_too_big_too_long_or_no_json_is_invalid(store: ObjectStore) -> None:
    with pytest.raises(InvalidObject):
        await store.create(key(), manifest(blob="x" * 9 * 1024 * 1024))
    with pytest.raises(InvalidObject):
        await store.create(key("n" * 5000), manifest())
    with pytest.raises(InvalidObject):
        await store.create(key(""), manifest())
    with pytest.raises(InvalidObject):
        await store.create(key(), manifest(what=object()))
    with pytest.raises(InvalidObject):
        await store.create(key("\ud800"), manifest())
    assert (await store.list(EVERYTHING)).items == ()


async def test_the_writers_trace_comes_with_the_object(stores: Stores) -> None:
    one, other = stores
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("request") as span:
        await one.create(key(), manifest())
    found = await other.get(key())
    assert found is not None
    assert found.trace is not None
    assert f"{span.get_span_context().trace_id:032x}" in found.trace
    assert not trace.get_current_span().get_span_context().is_valid


# With small limits.


@pytest.fixture(params=["memory", "jetstream"])
async def small_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    limits = StoreLimits(history=10, watch_backlog=5, unpacked_max=1)
    if request.param == "memory":
        yield MemoryStore(limits)
        return
    async with (
        NatsServer(tmp_path / "nats") as server,
        connect(server.settings, "small") as connection,
    ):
        await ensure_topology(connection, STREAMS)
        async with open_store(connection, limits=limits) as store:
            yield store


async def test_a_revision_older_than_the_history_is_expired(small_store: ObjectStore) -> None:
    first = await small_store.create(key("first"), manifest())
    for number in range(11):
        last = await small_store.create(key(f"app-{number}"), manifest())
    await asyncio.wait_for(_mirrored(small_store, last.revision), DEADLINE)

    with pytest.raises(RevisionExpired):
        async with small_store.watch(EVERYTHING, since=START):
            pass
    async with small_store.watch(EVERYTHING, since=Revision(first.revision + 1)) as watch:
        assert (await next_change(watch)).stored.revision == first.revision + 2


async def test_a_watcher_too_far_behind_is_cut_and_the_others_are_not(
    small_store: ObjectStore,
) -> None:
    async with AsyncExitStack() as stack:
        slow = await stack.enter_async_context(small_store.watch(EVERYTHING, since=START))
        fast = await stack.enter_async_context(small_store.watch(EVERYTHING, since=START))
        for number in range(8):
            created = await small_store.create(key(f"app-{number}"), manifest())
            assert (await next_change(fast)).stored.revision == created.revision
        with pytest.raises(RevisionExpired):
            await next_change(slow)


# What only a store behind a network can do.


async def test_a_new_process_finds_what_was_stored(nats_settings: NatsSettings) -> None:
    async with connect(nats_settings, "writer") as connection:
        await ensure_topology(connection, STREAMS)
        async with open_store(connection) as store:
            kept = [await store.create(key(f"app-{n}"), manifest(n=n)) for n in range(300)]
            for stored in kept[:100]:
                await store.delete(stored.key, stored.manifest, expected=stored.revision)
    async with connect(nats_settings, "reader") as connection:
        async with open_store(connection) as store:
            assert {item.key for item in store.mirror.items()} == {s.key for s in kept[100:]}
            assert store.mirror.revision == 400
            with pytest.raises(RevisionExpired):
                async with store.watch(EVERYTHING, since=START):
                    pass
        scope = Scope("apps", "deployments", "elsewhere")
        async with open_store(connection, [scope, Scope("", "pods")]) as store:
            assert (await store.list(scope)).items == ()
            await store.create(key("x", "elsewhere"), manifest())
            assert len((await store.list(scope)).items) == 1
            assert await store.get(kept[-1].key) is not None
            beyond = await store.list(Scope("apps", "deployments", "default"))
            assert [one.key for one in beyond.items] == [one.key for one in kept[100:]]
            assert beyond.items[0].manifest == kept[100].manifest


async def test_a_watch_survives_the_death_of_nats_without_gap_or_repetition(
    nats_server: NatsServer,
) -> None:
    total = 1500
    written: dict[ObjectKey, int] = {}

    async def write(store: ObjectStore) -> None:
        for number in range(total):
            found = key(f"app-{number:05}")
            while found not in written:
                try:
                    written[found] = (await store.create(found, manifest())).revision
                except AlreadyExists:
                    existing = await store.get(found)
                    assert existing is not None
                    written[found] = existing.revision
                except (StoreUnavailable, OutcomeUnknown):
                    await asyncio.sleep(0.02)

    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(connect(nats_server.settings, "writer"))
        reader = await stack.enter_async_context(connect(nats_server.settings, "reader"))
        await ensure_topology(writer, STREAMS)
        source = await stack.enter_async_context(open_store(writer))
        mirrored = await stack.enter_async_context(open_store(reader))
        watch = await stack.enter_async_context(mirrored.watch(EVERYTHING, since=START))
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(write(source))
            seen: list[Stored] = []
            while len(seen) < total:
                seen.append((await watch.__anext__()).stored)
                if len(seen) in (300, 800):
                    await nats_server.kill()
                    await nats_server.start()
        assert [item.revision for item in seen] == sorted({item.revision for item in seen})
        assert {item.key: item.revision for item in seen} == written
        assert (await mirrored.list(EVERYTHING)).revision == seen[-1].revision


async def test_without_nats_a_write_is_refused_and_a_list_does_not_guess(
    nats_server: NatsServer,
) -> None:
    async with connect(nats_server.settings, "lonely") as connection:
        await ensure_topology(connection, STREAMS)
        async with open_store(connection) as store:
            created = await store.create(key(), manifest())
            await asyncio.wait_for(_mirrored(store, created.revision), DEADLINE)
            await nats_server.kill()
            while connection.connected:
                await asyncio.sleep(0.005)
            with pytest.raises(StoreUnavailable):
                await store.update(key(), manifest(), expected=created.revision)
            with pytest.raises(StoreUnavailable):
                await store.list(EVERYTHING)
            with pytest.raises(StoreUnavailable):
                await store.get(key())
            assert store.mirror.get(key()) is not None


async def test_a_stranger_in_the_bucket_harms_nobody(nats_settings: NatsSettings) -> None:
    async with connect(nats_settings, "one") as connection:
        await ensure_topology(connection, STREAMS)
        async with open_store(connection) as store:
            await connection.publish("$KV.OBJECTS.nonsense", b"{}")
            await connection.publish("$KV.OBJECTS.apps.deployments.default.bad", b"not json")
            created = await store.create(key(), manifest())
            listing = await store.list(EVERYTHING)
            assert [item.key for item in listing.items] == [key()]
            assert listing.revision == created.revision


async def test_a_mirror_that_cannot_be_kept_ends_its_user(nats_settings: NatsSettings) -> None:
    def stumble(change: Change) -> None:
        raise ZeroDivisionError(change.stored.key.name)

    async def use() -> None:
        async with connect(nats_settings, "test") as connection:
            await ensure_topology(connection, STREAMS)
            async with asyncio.timeout(20), open_store(connection) as store:
                store.mirror.on_change(stumble)
                await store.create(key(), manifest())
                await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        await use()


async def test_the_end_of_a_delete_marker_is_no_change(nats_settings: NatsSettings) -> None:
    async with connect(nats_settings, "one") as connection:
        await ensure_topology(connection, STREAMS)
        async with open_store(connection) as store:
            stored = await store.create(key(), manifest())
            for step in range(3):
                stored = await store.update(key(), manifest(step=step), expected=stored.revision)
            # As `delete` writes it, but soon forgotten.
            await connection.publish(
                encode_subject(key()),
                encode_body(key(), stored.manifest),
                delete_headers(timedelta(seconds=1)),
                expected=stored.revision,
            )
            async with asyncio.timeout(DEADLINE):
                while await connection.last_message(OBJECTS.name, encode_subject(key())):
                    await asyncio.sleep(0.02)
            assert await store.get(key()) is None
            assert (await store.list(EVERYTHING)).items == ()
            async with store.watch(EVERYTHING, since=Revision(stored.revision + 1)) as watch:
                again = await store.create(key(), manifest())
                assert (await next_change(watch)).stored.revision == again.revision
        # The last message of the stream may be one that is gone.
        gone = await connection.publish(
            encode_subject(key()), b"{}", delete_headers(timedelta(seconds=1))
        )
        async with asyncio.timeout(DEADLINE):
            while await connection.last_message(OBJECTS.name, encode_subject(key())):
                await asyncio.sleep(0.02)
        async with open_store(connection) as store:
            listing = await store.list(EVERYTHING)
            assert (listing.items, listing.revision) == ((), gone)


async def test_with_copies_reading_asks_the_leader(nats_settings: NatsSettings) -> None:
    async with connect(replace(nats_settings, replicas=3), "one") as connection:
        await ensure_topology(connection, STREAMS, replicas=1)
        async with open_store(connection) as store:
            assert await store.get(key()) is None
            created = await store.create(key(), manifest(blob="x" * 100_000))
            found = await store.get(key())
            assert found is not None
            assert found.manifest == created.manifest
            await store.delete(key(), created.manifest, expected=created.revision)
            assert await store.get(key()) is None


async def test_the_topology_can_be_declared_again_and_changed(nats_settings: NatsSettings) -> None:
    async with connect(nats_settings, "one") as connection:
        await ensure_topology(connection, STREAMS)
        changed = [replace(one, bytes_max=MEBIBYTE) for one in STREAMS if one is OBJECTS]
        await ensure_topology(connection, changed)
        info = await connection.api("STREAM.INFO.KV_OBJECTS")
        assert info["config"]["max_bytes"] == MEBIBYTE


async def test_a_process_without_the_password_is_kept_out(nats_settings: NatsSettings) -> None:
    hurried = replace(nats_settings, connect_deadline=timedelta(seconds=1))
    for settings in (
        replace(hurried, credentials_file=None),
        replace(hurried, url="nats://127.0.0.1:9"),
    ):
        with pytest.raises(StoreUnavailable):
            async with connect(settings, "stranger"):
                pass
