"""What of an object's many states becomes a report."""

import asyncio
from datetime import timedelta

from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reporting.reporter import Reporter
from shared.api.binding import Health
from shared.apimachinery.manifest import ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.topology import STATUS
from shared.clock import SystemClock
from shared.events import subjects
from shared.events.work import WorkReport, decode_report

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
