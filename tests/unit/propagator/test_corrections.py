"""What is told of drift that keeps coming back, until the other stops."""

from datetime import timedelta
from typing import Any

import msgspec

from services.propagator.apply.holding.corrections import Corrections
from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reporting.drift_reports import DriftReports
from services.propagator.apply.reporting.reporter import Reporter
from services.propagator.core.contest import CONTESTED
from services.propagator.core.drift import LostField
from services.propagator.core.observed import Observed
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.topology import EVENTS, STATUS
from shared.controller.result import Again, Done
from shared.events import subjects
from shared.events.work import WorkReport, decode_report
from shared.memberapi.port import ResourceType
from tests.clocks import PatientClock

KEY = ObjectKey("", "configmaps", "shop", "a")
KIND = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
FIELD = LostField(".data.a", ("f:data", "f:a"), ("data", "a"), "1", "2", actor="them")


class Fight:
    """Hanse and another over one field."""

    def __init__(self) -> None:
        self.clock, self.bus = PatientClock(), MemoryBus()
        self.reporter = Reporter("eu-1", self.bus, self.clock, timedelta(0))
        self.corrections = Corrections(
            "eu-1", self.clock, DriftReports("eu-1", self.reporter, self.clock)
        )
        self.tracked = TrackedObject(KEY, kind=KIND, sequence=7)
        self.tracked.reported = WorkReport(
            generation=7,
            template_uid="u",
            template_generation=1,
            applied=True,
            present=True,
            observed_time="2026-01-01T00:00:00Z",
        )
        self.version = 0

    def round(self) -> float:
        """They undo it and we put it right; returns how long that had to wait."""
        self.tracked.drift = "Edited"
        wait = self.corrections.delay(self.tracked).total_seconds()
        self.clock.seconds += wait
        self.version += 1
        self.tracked.seen = Observed("u", str(self.version), 7, labelled=True, fields_digest="d")
        self.corrections.done(self.tracked, (FIELD,))
        return wait

    async def told(self, what: str) -> list[dict[str, Any]]:
        await self.reporter.flush()
        found = []
        prefix = f"{subjects.EVENTS}.drift.{what}.>"
        async with self.bus.follow(EVENTS, [prefix]) as events:
            async for event in events:
                if not hasattr(event, "body"):
                    return found
                found.append(msgspec.json.decode(event.body))
        return found

    async def reported(self) -> WorkReport:
        await self.reporter.flush()
        message = await self.bus.last(STATUS, subjects.status("eu-1", KEY))
        assert message is not None
        return decode_report(message.body)


async def test_a_fight_is_named_once_and_settles_when_the_other_stops() -> None:
    fight = Fight()
    fight.clock.seconds += 0.25
    waits = [fight.round() for _ in range(CONTESTED + 2)]
    assert waits == sorted(waits)
    (fact,) = await fight.told("contested")
    assert fact["corrections"] == CONTESTED
    assert fact["fields"][0]["actor"] == "them"
    drift = (await fight.reported()).drift
    assert drift
    assert (drift.state, drift.since) == ("Contested", fact["since"])
    assert "." not in drift.since, "a time of an object has no fractions of seconds"

    later = fight.corrections.watch_over(fight.tracked)
    assert isinstance(later, Again)
    assert not await fight.told("settled")
    fight.clock.seconds += later.after.total_seconds()
    assert isinstance(fight.corrections.watch_over(fight.tracked), Done)
    (over,) = await fight.told("settled")
    assert over["since"] == fact["since"]
    assert not (await fight.reported()).drift
    # The next is an accident again.
    assert fight.round() == 0.0


async def test_a_worker_that_starts_anew_goes_on_with_the_fight() -> None:
    fight = Fight()
    for _ in range(CONTESTED):
        fight.round()
    drift = (await fight.reported()).drift
    assert drift
    other = Fight()
    other.tracked.resume(drift, other.clock.monotonic())
    assert isinstance(other.corrections.watch_over(other.tracked), Again)
    assert other.round() > 0
    assert not await other.told("contested")
