"""Events are shown from what clients wrote and from what facts amount to, as one list."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import pytest

from services.gateway.event_view import EventView
from shared.apimachinery.manifest import Manifest, ObjectKey, decode
from shared.apiserver.status_errors import ApiFault
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.clock import SystemClock, format_micro_time
from shared.errors import RevisionExpired, StaleRevision
from shared.events import subjects
from shared.events.work_facts import WorkApplied, fact_key
from shared.store.memory import MemoryStore
from shared.store.port import Scope
from tests.served_api import until

EVENTS = Scope("", "events", "shop")
WEB = ObjectKey("apps", "deployments", "shop", "web")
KEY = ObjectKey("", "events", "shop", "mine")
OWN: Manifest = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "mine", "namespace": "shop"},
    "reason": "Mine",
}


def applied(cluster: str, *, age: timedelta = timedelta(0)) -> Message:
    fact = WorkApplied(
        cluster=cluster,
        api_version="apps/v1",
        kind="Deployment",
        resource="deployments",
        namespace="shop",
        name="web",
        generation=1,
        template_uid="u",
        template_generation=1,
        occurred_at=format_micro_time(SystemClock().now() - age),
    )
    subject = subjects.fact("work", "applied", fact_key(cluster, WEB))
    return Message(subject, msgspec.json.encode(fact))


@asynccontextmanager
async def kept(store: MemoryStore, bus: MemoryBus, idle: float = 0.01) -> AsyncIterator[EventView]:
    view = EventView(store, bus, SystemClock(), idle_seconds=idle)
    task = asyncio.create_task(view.run())
    try:
        yield view
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def reasons(view: EventView) -> list[str]:
    # As JSON, which is what clients are sent.
    return [decode(one.encoded)["reason"] for one in (await view.list(EVENTS)).items]


async def test_every_fact_of_the_last_hour_counts_and_not_the_last_of_each_alone() -> None:
    store, bus = MemoryStore(), MemoryBus()
    for cluster in ("eu-1", "eu-1", "us-1"):
        await bus.publish(applied(cluster))
    await bus.publish(applied("old-1", age=timedelta(hours=2)))
    async with kept(store, bus) as view:
        assert not view.following
        (event,) = (await view.list(EVENTS)).items
    assert event.manifest["message"] == "generation 1 applied to eu-1, us-1"
    assert event.manifest["count"] == 3


async def test_nothing_is_followed_when_nobody_has_looked_for_long() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await bus.publish(applied("eu-1"))
    await store.create(KEY, OWN)
    async with kept(store, bus) as view:
        assert await reasons(view) == ["Mine", "Applied"]

        async def rests() -> bool:
            return not view.following

        await until(rests)
        assert [one.key.name for one in view.mirror.items()] == ["mine"]
        assert await reasons(view) == ["Mine", "Applied"]


async def test_what_clients_write_is_theirs_to_change() -> None:
    store, bus = MemoryStore(), MemoryBus()
    async with kept(store, bus) as view:
        created = await view.create(KEY, OWN)
        assert (await view.get(KEY)) is created
        changed = await view.update(KEY, {**OWN, "count": 2}, expected=created.revision)
        assert changed.revision > created.revision
        assert changed.manifest["metadata"]["resourceVersion"] == str(changed.revision)
        with pytest.raises(StaleRevision):
            await view.update(KEY, OWN, expected=created.revision)
        await view.delete(KEY, OWN, expected=changed.revision)
        assert await view.get(KEY) is None
        assert await store.get(KEY) is None


async def test_what_facts_amount_to_is_nobodys_to_change() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await bus.publish(applied("eu-1"))
    async with kept(store, bus) as view:
        (event,) = (await view.list(EVENTS)).items
        with pytest.raises(ApiFault) as refused:
            await view.delete(event.key, event.manifest, expected=event.revision)
        assert refused.value.code == 405
        assert (await view.get(event.key)) is event


async def test_a_watch_shows_both_as_they_come() -> None:
    store, bus = MemoryStore(), MemoryBus()
    async with kept(store, bus) as view:
        revision = (await view.list(EVENTS)).revision
        async with view.watch(EVENTS, since=revision) as changes, asyncio.timeout(20):
            await store.create(KEY, OWN)
            await bus.publish(applied("eu-1"))
            await bus.publish(applied("us-1"))
            found = [await anext(changes) for _ in range(3)]
        assert [change.type for change in found] == ["ADDED", "ADDED", "MODIFIED"]
        assert found[2].stored.manifest["count"] == 2
        with pytest.raises(RevisionExpired):
            async with view.watch(EVENTS, since=view.mirror.revision + 1):
                pass
