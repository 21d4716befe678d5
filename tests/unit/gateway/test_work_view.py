"""The view of works is kept while somebody looks, and is whole for whoever does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from services.gateway.work_view import WorkView
from shared.apimachinery.manifest import ObjectKey, decode
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.clock import SystemClock
from shared.errors import RevisionExpired
from shared.events import subjects
from shared.events.work import WorkOrder, encode_order
from shared.store.port import Scope
from tests.served_api import until

WORKS = Scope("hanse.dev", "works", "shop")


def order(name: str) -> Message:
    key = ObjectKey("", "configmaps", "shop", name)
    found = WorkOrder(
        api_version="v1",
        kind="ConfigMap",
        resource="configmaps",
        namespaced=True,
        namespace="shop",
        name=name,
        manifest=msgspec.Raw(b"{}"),
        digest="d",
        template_uid="u",
        template_generation=1,
    )
    return Message(subjects.work("eu-1", key), encode_order(found))


@asynccontextmanager
async def kept(bus: MemoryBus) -> AsyncIterator[WorkView]:
    view = WorkView(bus, SystemClock(), idle_seconds=0.01)
    task = asyncio.create_task(view.run())
    try:
        yield view
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def rest(view: WorkView) -> None:
    async def rests() -> bool:
        return not view.following

    await until(rests)


async def test_nothing_is_followed_until_somebody_looks_and_then_all_is_there():
    bus = MemoryBus()
    for number in range(50):
        await bus.publish(order(f"map-{number}"))
    async with kept(bus) as view:
        await asyncio.sleep(0.01)
        assert not view.following
        shown = (await view.list(WORKS)).items
        assert len(shown) == 50
        assert {decode(one.encoded)["spec"]["cluster"] for one in shown} == {"eu-1"}


async def test_what_came_while_nobody_looked_is_in_the_next_list():
    bus = MemoryBus()
    await bus.publish(order("one"))
    async with kept(bus) as view:
        first = await view.list(WORKS)
        await rest(view)
        await bus.publish(order("two"))
        second = await view.list(WORKS)
        names = [stored.key.name for stored in second.items]
        assert names == ["eu-1.one-configmap", "eu-1.two-configmap"]
        assert second.revision > first.revision
        # What happened in between is not known: list again.
        with pytest.raises(RevisionExpired):
            async with view.watch(WORKS, since=first.revision):
                pass


async def test_a_watch_keeps_the_view():
    bus = MemoryBus()
    async with kept(bus) as view:
        revision = (await view.list(WORKS)).revision
        async with view.watch(WORKS, since=revision) as changes:
            await asyncio.sleep(0.05)
            await bus.publish(order("one"))
            async with asyncio.timeout(20):
                change = await anext(changes)
            assert change.stored.key.name == "eu-1.one-configmap"
        await rest(view)
