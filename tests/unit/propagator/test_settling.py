"""A removal that was confirmed ends in words, whichever fact, report or answer gets lost."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from services.propagator.core.works import Plan
from services.propagator.dispatch.publisher import WorkPublisher
from services.propagator.dispatch.work_log import WorkLog
from shared.apimachinery.manifest import ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.port import CaughtUp, Message
from shared.bus.topology import WORK
from shared.errors import OutcomeUnknown, StaleRevision
from shared.events import subjects
from shared.events.orders import Encoded
from shared.events.work import (
    TOMBSTONE,
    WorkOrder,
    WorkReport,
    decode_order,
    encode_order,
    encode_report,
    is_end,
)
from tests.simulation.virtual_time import VirtualLoop

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


SUBJECT = subjects.work("m1", KEY)


class SilentBus(MemoryBus):
    """Publishes, and answers nothing to the next publication in WORK where it is told so."""

    silent = False

    async def publish(
        self, message: Message, *, expected: int | None = None, ttl: timedelta | None = None
    ) -> int:
        sequence = await super().publish(message, expected=expected, ttl=ttl)
        if self.silent and message.subject.startswith(subjects.WORK):
            self.silent = False
            raise OutcomeUnknown("no answer in time")
        return sequence


async def order(bus: MemoryBus, log: WorkLog) -> int:
    sequence = await bus.publish(Message(SUBJECT, encode_order(ORDER)))
    log.record(KEY, "m1", ORDER, sequence)
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


async def has_ended(bus: MemoryBus) -> bool:
    last = await bus.last(WORK, SUBJECT)
    return last is not None and is_end(last.headers)


@pytest.fixture
async def bus() -> SilentBus:
    return SilentBus()


@pytest.fixture
async def log(bus: SilentBus) -> AsyncIterator[WorkLog]:
    found = WorkLog(bus)
    following = asyncio.create_task(found.run())
    yield found
    following.cancel()


async def test_an_answer_that_was_lost_leaves_nothing_behind(bus: SilentBus, log: WorkLog) -> None:
    publisher = WorkPublisher(bus, log)
    await report(bus, await order(bus, log), applied=True)
    bus.silent = True
    with pytest.raises(OutcomeUnknown):
        await publisher.settle(KEY, ["m1"])
    with contextlib.suppress(StaleRevision):
        await publisher.settle(KEY, ["m1"])
    assert await publisher.settle(KEY, ["m1"])
    assert await has_ended(bus)
    assert not log.of(KEY)


async def test_a_removal_that_was_refused_is_not_forgotten(bus: SilentBus, log: WorkLog) -> None:
    publisher = WorkPublisher(bus, log)
    sequence = await order(bus, log)
    await report(bus, sequence, applied=False)
    assert not await publisher.settle(KEY, ["m1"])
    assert not await has_ended(bus)
    await report(bus, sequence, applied=True)
    assert await publisher.settle(KEY, ["m1"])
    assert await has_ended(bus)


async def test_a_fact_confirms_the_tombstone_that_it_speaks_of(
    bus: SilentBus, log: WorkLog
) -> None:
    publisher = WorkPublisher(bus, log)
    sequence = await order(bus, log)
    assert not log.confirm(KEY, "m1", sequence - 1)
    assert not await publisher.settle(KEY, ["m1"])
    assert log.confirm(KEY, "m1", sequence)
    assert await publisher.settle(KEY, ["m1"])
    assert await has_ended(bus)


async def publish_anew(publisher: WorkPublisher) -> None:
    plan = Plan(publish=("m1",), revoke=(), forget=())
    live = msgspec.structs.replace(ORDER, manifest=msgspec.Raw(b"{}"), digest="d")
    orders = {"m1": Encoded(live, encode_order(live))}
    with contextlib.suppress(StaleRevision):
        return await publisher.carry_out(KEY, plan, orders, None)
    return await publisher.carry_out(KEY, plan, orders, None)


@pytest.mark.parametrize("expired", [False, True])
@pytest.mark.parametrize("known", [False, True])
async def test_a_new_order_takes_the_place_of_an_end_whether_or_not_it_is_there_still(
    bus: SilentBus, log: WorkLog, *, expired: bool, known: bool
) -> None:
    publisher = WorkPublisher(bus, log)
    sequence = await order(bus, log)
    log.confirm(KEY, "m1", sequence)
    await publisher.settle(KEY, ["m1"])
    if expired:
        await bus.purge(WORK, SUBJECT, up_to=sequence + 1)
    if not known:
        log = WorkLog(bus)
        publisher = WorkPublisher(bus, log)
    await publish_anew(publisher)
    last = await bus.last(WORK, SUBJECT)
    assert last is not None
    assert log.of(KEY)["m1"].sequence == last.sequence > sequence + 1
    assert not is_end(last.headers)


async def test_an_end_that_another_dispatcher_wrote_is_heard_of(
    bus: SilentBus, log: WorkLog
) -> None:
    sequence = await order(bus, log)
    woken: list[ObjectKey] = []
    log.on_change(woken.append)
    woken.clear()
    other = WorkLog(bus)
    other.record(KEY, "m1", ORDER, sequence)
    other.confirm(KEY, "m1", sequence)
    await WorkPublisher(bus, other).settle(KEY, ["m1"])
    async with asyncio.timeout(5):
        while log.of(KEY):
            await asyncio.sleep(0)
    assert woken == [KEY]


async def test_what_ended_while_nobody_listened_is_dropped(bus: SilentBus, log: WorkLog) -> None:
    async with asyncio.timeout(5):
        await log.caught_up.wait()
        sequence = await order(bus, log)
        log.take(CaughtUp(sequence - 1, frozenset()))
        assert log.of(KEY)
        log.take(CaughtUp(sequence, frozenset({SUBJECT})))
        assert log.of(KEY)
        log.take(CaughtUp(sequence, frozenset()))
        assert not log.of(KEY)


def test_a_removal_that_nobody_speaks_of_is_ordered_again_ever_more_seldom() -> None:
    asked: list[float] = []

    async def watch() -> None:
        bus = MemoryBus()
        log = WorkLog(bus)
        publisher = WorkPublisher(bus, log)
        await order(bus, log)
        for _ in range(720):
            before = log.of(KEY)["m1"].sequence
            assert not await publisher.settle(KEY, ["m1"])
            if log.of(KEY)["m1"].sequence != before:
                asked.append(asyncio.get_running_loop().time())
            await asyncio.sleep(10)
        last = await bus.last(WORK, SUBJECT)
        assert last is not None
        assert decode_order(last.body) == ORDER

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(watch())
    assert len(asked) == 6
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert pauses == sorted(pauses)
