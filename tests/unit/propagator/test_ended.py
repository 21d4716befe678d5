"""That a removal is over, as dispatch hears of it from members, and workers from dispatch."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from services.propagator.apply.objects import Objects
from services.propagator.apply.orders.newest import NewestOrders
from services.propagator.apply.orders.standing import StandingOrders
from services.propagator.apply.reporting.status_log import StatusLog
from services.propagator.core.observed import Observed
from services.propagator.dispatch.confirmations import Confirmations
from services.propagator.dispatch.work_log import WorkLog
from shared.apimachinery.manifest import ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.clock import SystemClock
from shared.events import subjects
from shared.events.work import ENDED, REMOVED, TOMBSTONE, WorkOrder, encode_order
from shared.events.work_facts import WorkRemoved, fact_key

KEY = ObjectKey("apps", "deployments", "shop", "web")
OLD = ObjectKey("apps", "deployments", "shop", "old")
ORDER = WorkOrder(
    api_version="apps/v1",
    kind="Deployment",
    resource="deployments",
    namespaced=True,
    namespace="shop",
    name="web",
    manifest=TOMBSTONE,
    digest="",
    template_uid="",
    template_generation=1,
)


def end(key: ObjectKey) -> Message:
    return Message(subjects.work("m1", key), encode_order(ORDER), {ENDED: "removed"})


@pytest.fixture
async def bus() -> MemoryBus:
    return MemoryBus()


async def fact(bus: MemoryBus, cluster: str, generation: int) -> None:
    body = WorkRemoved(
        cluster=cluster,
        api_version="apps/v1",
        kind="Deployment",
        resource="deployments",
        namespace="shop",
        name="web",
        generation=generation,
    )
    subject = subjects.fact("work", "removed", fact_key(cluster, KEY))
    await bus.publish(Message(subject, msgspec.json.encode(body)))


async def test_dispatch_is_woken_once_by_facts_when_the_last_member_has_removed_it(
    bus: MemoryBus,
) -> None:
    log = WorkLog(bus)
    for cluster, sequence in (("m1", 4), ("m2", 5), ("m3", 6)):
        live = msgspec.structs.replace(ORDER, manifest=msgspec.Raw(b"{}"))
        log.record(KEY, cluster, live if cluster == "m3" else ORDER, sequence)
    woken: list[ObjectKey] = []
    following = asyncio.create_task(Confirmations(bus, log, woken.append).run())
    # An old removal, one of what is to be there, one of another order, and the same one twice.
    for cluster, generation in (("m1", 3), ("m3", 6), ("m2", 5), ("m2", 5)):
        await fact(bus, cluster, generation)
    await bus.publish(Message(subjects.fact("work", "removed", "junk"), b"{"))
    await asyncio.sleep(0.01)
    assert woken == []
    assert log.of(KEY)["m2"].confirmed
    await fact(bus, "m1", 4)
    await fact(bus, "m1", 4)
    await asyncio.sleep(0.01)
    assert woken == [KEY]
    following.cancel()


async def test_a_worker_that_missed_a_removal_forgets_the_object(bus: MemoryBus) -> None:
    objects, clock = Objects(), SystemClock()
    tracked = objects.track(KEY)
    tracked.sequence, tracked.pending = 1, False
    await bus.publish(end(OLD))
    await bus.publish(end(KEY))
    found = await StandingOrders("m1", bus, clock, objects, StatusLog("m1", bus)).read()
    assert found == [tracked]
    assert tracked.pending
    assert await NewestOrders("m1", bus, clock, objects).read(tracked) is None
    assert len(objects) == 0


async def test_what_comes_back_after_the_end_is_removed_again(bus: MemoryBus) -> None:
    objects = Objects()
    tracked = objects.track(KEY)
    tracked.sequence, tracked.removing = 1, "uid"
    objects.bury(tracked, Message(subjects.work("m1", KEY), encode_order(ORDER), sequence=1))
    await bus.publish(end(KEY))
    order = await NewestOrders("m1", bus, SystemClock(), objects).read(objects.track(KEY))
    assert order is not None
    assert order.is_tombstone


@pytest.mark.parametrize(
    ("why", "generation", "removed"),
    [(REMOVED, 1, True), (REMOVED, 3, False), (REMOVED, 0, False), ("left", 1, False)],
)
async def test_a_stray_is_removed_where_its_removal_is_remembered(
    bus: MemoryBus, why: str, generation: int, *, removed: bool
) -> None:
    objects = Objects()
    stray = objects.track(KEY)
    stray.stray = True
    stray.seen = Observed("uid", "10", generation, labelled=True, fields_digest="")
    for _ in range(2):
        await bus.publish(replace(end(KEY), headers={ENDED: why}))
    order = await NewestOrders("m1", bus, SystemClock(), objects).read(stray)
    assert (order is not None and order.is_tombstone) == removed
    assert len(objects) == (1 if removed else 0)
