"""A removal that was confirmed is forgotten in the end, whichever answer of NATS gets lost."""

import asyncio

import pytest

from services.propagator.core.works import held_by
from services.propagator.dispatch.publisher import WorkPublisher
from services.propagator.dispatch.work_log import WorkLog
from shared.apimachinery.manifest import ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.bus.topology import STATUS, WORK, Stream
from shared.errors import StoreUnavailable
from shared.events import subjects
from shared.events.work import (
    TOMBSTONE,
    WorkOrder,
    WorkReport,
    encode_order,
    encode_report,
)

KEY = ObjectKey("", "configmaps", "shop", "settings")
ORDER = WorkOrder(
    api_version="v1",
    kind="ConfigMap",
    resource="configmaps",
    namespaced=True,
    namespace="shop",
    name="settings",
    manifest=TOMBSTONE,
    digest="",
    template_uid="",
    template_generation=1,
)


class SilentBus(MemoryBus):
    """Purges, and answers nothing to the first purge of *silent_about*."""

    silent_about: Stream | None = None

    async def purge(self, stream: Stream, subject: str, *, up_to: int) -> None:
        await super().purge(stream, subject, up_to=up_to)
        if stream is self.silent_about:
            self.silent_about = None
            raise StoreUnavailable("no answer in time")


async def order(bus: MemoryBus, log: WorkLog) -> int:
    sequence = await bus.publish(Message(subjects.work("m1", KEY), encode_order(ORDER)))
    log.record(KEY, "m1", held_by(ORDER, sequence))
    return sequence


async def report(bus: MemoryBus, sequence: int, *, applied: bool) -> None:
    """The worker's word that nothing is there, as far as it knows."""
    found = WorkReport(
        generation=sequence,
        template_uid="",
        template_generation=1,
        applied=applied,
        present=False,
        observed_time="2030-01-01T00:00:00Z",
    )
    await bus.publish(Message(subjects.status("m1", KEY), encode_report(found)))


@pytest.mark.parametrize("stream", [STATUS, WORK], ids=lambda stream: stream.name)
async def test_an_answer_that_was_lost_leaves_nothing_behind(stream: Stream) -> None:
    bus = SilentBus()
    log = WorkLog(bus)
    following = asyncio.create_task(log.run())
    publisher = WorkPublisher(bus, log)
    sequence = await order(bus, log)
    await report(bus, sequence, applied=True)
    bus.silent_about = stream
    with pytest.raises(StoreUnavailable):
        await publisher.settle(KEY, ["m1"])
    assert await publisher.settle(KEY, ["m1"])
    assert await bus.last(WORK, subjects.work("m1", KEY)) is None
    assert await bus.last(STATUS, subjects.status("m1", KEY)) is None
    following.cancel()


async def test_a_removal_that_was_refused_is_not_forgotten() -> None:
    bus = MemoryBus()
    log = WorkLog(bus)
    publisher = WorkPublisher(bus, log)
    sequence = await order(bus, log)
    await report(bus, sequence, applied=False)
    assert not await publisher.settle(KEY, ["m1"])
    assert await bus.last(WORK, subjects.work("m1", KEY)) is not None
    await report(bus, sequence, applied=True)
    assert await publisher.settle(KEY, ["m1"])
