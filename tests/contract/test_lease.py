"""One of several processes carries out a duty, and another when it ends: in memory and on NATS."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest

from shared.bus.port import Board, Bus, CaughtUp
from shared.bus.topology import EVENTS
from shared.clock import SystemClock
from shared.errors import OutcomeUnknown, StoreUnavailable
from shared.events.lease import LeaseAcquired, LeaseLost, decode_lease_fact
from shared.lease.lease import Lease
from shared.lease.settings import LeaseSettings

DEADLINE = 20.0
Buses = tuple[Bus, Bus]


def settings(name: str) -> LeaseSettings:
    return LeaseSettings(
        name=name,
        renewal=timedelta(milliseconds=200),
        deadline=timedelta(milliseconds=600),
        duration=timedelta(milliseconds=800),
    )


class Duty:
    """Who works at it now; never two."""

    def __init__(self) -> None:
        self.at_work: list[str] = []
        self.turns: list[str] = []
        self.changed = asyncio.Event()

    def of(self, name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def work() -> None:
            assert not self.at_work, f"{name} begins while {self.at_work} is at work"
            self.at_work.append(name)
            self.turns.append(name)
            self.changed.set()
            try:
                await asyncio.Event().wait()
            finally:
                # A farewell that takes its time.
                await asyncio.sleep(0.05)
                self.at_work.remove(name)
                self.changed.set()

        return work

    async def until(self, turns: list[str]) -> None:
        async with asyncio.timeout(DEADLINE):
            while self.turns != turns or self.at_work != turns[-1:]:
                self.changed.clear()
                await self.changed.wait()


class Fickle:
    """A bus whose board stores what is put, or not, and says nothing; all else is the real one."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.answers = self.stores = True
        self.unanswered = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def board(self, name: str) -> Board:
        outer, board = self, self._bus.board(name)

        class FickleBoard:
            entry, follow = board.entry, board.follow

            async def put(self, key: str, value: bytes, *, expected: int | None = None) -> int:
                if not outer.stores:
                    raise StoreUnavailable("cut off")
                sequence = await board.put(key, value, expected=expected)
                if not outer.answers:
                    outer.unanswered += 1
                    raise OutcomeUnknown("no answer")
                return sequence

        return cast("Board", FickleBoard())


@asynccontextmanager
async def running(bus: object, name: str, duty: Duty) -> AsyncIterator[asyncio.Task[None]]:
    lease = Lease("duty", cast("Bus", bus), SystemClock(), settings(name))
    task = asyncio.create_task(lease.run(duty.of(name)))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        error = None if task.cancelled() else task.exception()
        if error is not None:
            raise error


async def facts(bus: Bus) -> list[LeaseAcquired | LeaseLost]:
    """The last of each type."""
    found: list[LeaseAcquired | LeaseLost] = []
    async with bus.follow(EVENTS, ["hanse.events.lease.>"]) as messages:
        async for message in messages:
            if isinstance(message, CaughtUp):
                break
            found.append(decode_lease_fact(message.body))
    return found


async def test_one_works_and_the_next_follows_when_it_lets_go(buses: Buses) -> None:
    one, other = buses
    duty = Duty()
    async with running(one, "a", duty) as first:
        await duty.until(["a"])
        async with running(other, "b", duty):
            await asyncio.sleep(1.0)
            assert duty.turns == ["a"], "it is renewed, so nobody takes it"
            first.cancel()
            await duty.until(["a", "b"])
    last = {type(fact): fact for fact in await facts(one)}
    acquired, lost = last[LeaseAcquired], last[LeaseLost]
    assert isinstance(acquired, LeaseAcquired)
    assert isinstance(lost, LeaseLost)
    assert (acquired.holder[0], acquired.previous, acquired.term) == ("b", "", 2)
    assert (lost.holder[0], lost.reason, lost.term) == ("b", "Released", 2)


async def test_one_that_is_cut_off_ends_its_work_before_another_begins(buses: Buses) -> None:
    one, other = buses
    duty, fickle = Duty(), Fickle(one)
    async with running(fickle, "a", duty):
        await duty.until(["a"])
        async with running(other, "b", duty):
            fickle.stores = False
            await duty.until(["a", "b"])
            fickle.stores = True
            async with asyncio.timeout(DEADLINE):
                while (told := await facts(one))[-1].holder[0] != "b":
                    await asyncio.sleep(0.05)
            assert duty.turns == ["a", "b"]
    acquired = told[-1]
    assert isinstance(acquired, LeaseAcquired)
    assert (acquired.previous[0], acquired.term) == ("a", 2)


async def test_lost_answers_alone_cost_nobody_the_lease(buses: Buses) -> None:
    one, other = buses
    duty, fickle = Duty(), Fickle(one)
    async with running(fickle, "a", duty):
        await duty.until(["a"])
        async with running(other, "b", duty):
            for _ in range(6):
                fickle.answers = not fickle.answers
                await asyncio.sleep(0.25)
            assert fickle.unanswered > 1
            assert duty.turns == ["a"]


async def test_a_work_that_fails_ends_the_process_and_leaves_the_duty_to_others(
    buses: Buses,
) -> None:
    one, other = buses

    async def fail() -> None:
        raise ZeroDivisionError

    lease = Lease("duty", one, SystemClock(), settings("a"))
    with pytest.raises(ExceptionGroup) as caught:
        await lease.run(fail)
    assert caught.group_contains(ZeroDivisionError)
    duty = Duty()
    async with running(other, "b", duty):
        await duty.until(["b"])
    record = await one.board("LEASES").get("duty")
    assert record is not None
    assert b'"term":2' in record
