"""What of an object's many states becomes a report."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reporting.reporter import Reporter
from shared.api.binding import Health
from shared.apimachinery.manifest import ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.bus.topology import STATUS
from shared.clock import SystemClock
from shared.events import subjects
from shared.events.work import WorkReport, decode_report
from tests.clocks import PatientClock

KEY = ObjectKey("apps", "deployments", "shop", "web")


def report(health: Health, generation: int = 1) -> WorkReport:
    return WorkReport(
        generation=generation,
        template_uid="u",
        template_generation=1,
        applied=True,
        present=True,
        observed_time="2026-01-01T00:00:00Z",
        health=health,
    )


class Reported:
    """A reporter at work, and how many reports it has sent."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.reporter = Reporter("eu-1", self.bus, SystemClock(), timedelta(milliseconds=1))
        self.tracked = TrackedObject(KEY)

    def look(self, health: Health) -> None:
        self.reporter.look(KEY, lambda: self.reporter.report(self.tracked, report(health)))

    async def sent(self, health: Health) -> int:
        """Let it work until the last report says *health*; returns how many there were."""
        task = asyncio.create_task(self.reporter.run())
        try:
            async with asyncio.timeout(20):
                while True:
                    last = await self.bus.last(STATUS, subjects.status("eu-1", KEY))
                    if last is not None and decode_report(last.body).health == health:
                        return last.sequence
                    await asyncio.sleep(0.001)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_what_was_seen_since_is_told_with_the_news() -> None:
    reported = Reported()
    reported.reporter.report(reported.tracked, report("Progressing"))
    reported.look("Healthy")
    assert await reported.sent("Healthy") == 1


async def test_of_many_looks_the_last_is_reported() -> None:
    reported = Reported()
    reported.reporter.report(reported.tracked, report("Progressing"))
    assert await reported.sent("Progressing") == 1
    reported.look("Degraded")
    reported.look("Healthy")
    assert await reported.sent("Healthy") == 2


async def test_a_look_that_shows_nothing_new_is_not_reported() -> None:
    reported = Reported()
    reported.reporter.report(reported.tracked, report("Progressing"))
    await reported.sent("Progressing")
    reported.look("Progressing")
    await reported.reporter.flush()
    reported.look("Healthy")
    assert await reported.sent("Healthy") == 2


async def test_what_is_said_at_once_takes_the_place_of_news_seen_before() -> None:
    reported = Reported()
    reporter, tracked = reported.reporter, reported.tracked
    reporter.look(KEY, lambda: reporter.report(tracked, report("Healthy")), news=True)
    assert reporter.will_tell(KEY)
    reporter.report(tracked, report("Degraded"))
    await reporter.flush()
    assert await reported.sent("Degraded") == 1


async def test_of_news_the_last_look_is_told() -> None:
    reported = Reported()
    reporter, tracked = reported.reporter, reported.tracked
    reporter.look(KEY, lambda: reporter.report(tracked, report("Progressing")), news=True)
    reported.look("Healthy")
    assert await reported.sent("Healthy") == 1


class NewsClock(PatientClock):
    """While somebody sleeps for *seconds*, so much news comes."""

    def __init__(self, news: Callable[[], None], *, coming: int) -> None:
        super().__init__()
        self._news, self._coming = news, coming

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await asyncio.sleep(0)
        if self._coming:
            self._coming -= 1
            self._news()


class TimedBus(MemoryBus):
    """Remembers when each message was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.clock: PatientClock = PatientClock()
        self.sent: Counter[float] = Counter()

    async def publish(
        self, message: Message, *, expected: int | None = None, ttl: timedelta | None = None
    ) -> int:
        self.sent[self.clock.seconds] += 1
        return await super().publish(message, expected=expected, ttl=ttl)


async def test_the_news_of_a_burst_waits_for_its_end() -> None:
    bus, numbers = TimedBus(), itertools.count()

    def news() -> None:
        key = ObjectKey("apps", "deployments", "shop", f"web-{next(numbers)}")
        reporter.report(TrackedObject(key), report("Healthy"))

    bus.clock = NewsClock(news, coming=8)
    reporter = Reporter("eu-1", bus, bus.clock, timedelta(milliseconds=100))
    for _ in range(40):
        news()
    task = asyncio.create_task(reporter.run())
    try:
        async with asyncio.timeout(20):
            while sum(bus.sent.values()) < 41:
                await asyncio.sleep(0)
            news()
            while sum(bus.sent.values()) < 49:
                await asyncio.sleep(0)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    # The first with what came in the breath before it was sent.
    assert list(bus.sent.values()) == [41, 8]
