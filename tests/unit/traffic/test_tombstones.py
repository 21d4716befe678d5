"""Removals of imports end in words, also where the word of the member was lost long ago."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.orders import Plan, make_order, owner_of
from services.traffic.reconcilers.guarding import Guard
from services.traffic.reconcilers.order_log import OrderLog
from services.traffic.reconcilers.publishing import OrderPublisher
from shared.apimachinery.manifest import Manifest
from shared.bus.memory import MemoryBus
from shared.bus.port import CaughtUp, Message
from shared.bus.topology import STATUS, WORK
from shared.events import subjects
from shared.events.work import WorkReport, decode_order, encode_report, is_end
from tests.federation import running
from tests.simulation.virtual_time import VirtualLoop

OWNER = owner_of(ServiceName("shop", "web"))
IMPORT: Manifest = {
    "apiVersion": "multicluster.x-k8s.io/v1beta1",
    "kind": "ServiceImport",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"type": "ClusterSetIP", "ports": []},
}
KEY, ORDER = make_order(IMPORT, OWNER)
PLACE = ("eu-1", KEY)


class Member:
    """A worker that carries out removals, and says so."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self.reports: list[int] = []

    async def work(self) -> None:
        async with self._bus.follow(WORK, [f"{subjects.WORK}.eu-1.>"]) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp) or is_end(message.headers):
                    continue
                if decode_order(message.body).is_tombstone:
                    await self._report(message)

    async def _report(self, tombstone: Message) -> None:
        cluster, key = subjects.parse_member_subject(tombstone.subject)
        report = WorkReport(
            generation=tombstone.sequence,
            template_uid=decode_order(tombstone.body).template_uid,
            template_generation=0,
            applied=True,
            present=False,
            observed_time="2030-01-01T00:00:00Z",
        )
        message = Message(subjects.status(cluster, key), encode_report(report))
        self.reports.append(await self._bus.publish(message))


@asynccontextmanager
async def trafficking(bus: MemoryBus) -> AsyncIterator[tuple[OrderLog, OrderPublisher]]:
    """A process of traffic, as far as its orders go."""
    log = OrderLog(bus, Guard(fail_fast=True))
    async with running(log.run):
        await log.caught_up.wait()
        yield log, OrderPublisher(bus, log)


async def order_and_take_back(bus: MemoryBus, member: Member) -> None:
    """Until the member has said that it is gone there."""
    async with trafficking(bus) as (_, publisher):
        await publisher.carry_out(Plan({PLACE: ORDER}, (), ()), OWNER)
        await publisher.carry_out(Plan({}, (PLACE,), ()), OWNER)
        while not member.reports:
            await asyncio.sleep(0)


async def until_ended(bus: MemoryBus) -> int:
    """How often members were asked by the time nothing of it is left."""
    async with trafficking(bus) as (log, publisher):
        assert log.of(OWNER)[PLACE].deleted
        for asked in range(1, 100):
            if await publisher.settle(OWNER):
                assert not log.of(OWNER)
                return asked
            await asyncio.sleep(10)
    raise AssertionError("the tombstone lies there still")


def test_a_removal_whose_report_expired_is_ordered_again_by_who_takes_over() -> None:
    async def play() -> None:
        bus = MemoryBus()
        member = Member(bus)
        async with running(member.work):
            await order_and_take_back(bus, member)
            # Nobody was there to hear of it.
            await bus.purge(STATUS, subjects.status(*PLACE), up_to=member.reports[0])
            await until_ended(bus)
        last = await bus.last(WORK, subjects.work(*PLACE))
        assert last is not None
        assert is_end(last.headers)
        assert len(member.reports) == 2

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())


def test_a_removal_that_was_reported_needs_no_second_order() -> None:
    async def play() -> None:
        bus = MemoryBus()
        member = Member(bus)
        async with running(member.work):
            await order_and_take_back(bus, member)
            assert await until_ended(bus) == 1
        assert len(member.reports) == 1

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())
