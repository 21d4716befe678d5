"""Of two workers of one member, which report stands: never the older one."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import pytest

from services.propagator.apply.reporting.status_log import StatusLog
from services.propagator.apply.worker import MemberWorker, WorkerSettings
from services.propagator.core.overtaking import Verdict, judge
from shared.apimachinery.manifest import ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.bus.topology import STATUS, WORK
from shared.errors import OutcomeUnknown, StoreUnavailable
from shared.events import subjects
from shared.events.work import WorkReport, decode_report
from shared.interpreter.registry import ready_made
from shared.memberapi.port import MemberApi
from tests.clocks import PatientClock

KEY = ObjectKey("apps", "deployments", "shop", "web")


def report(generation: int = 1, **said: Any) -> WorkReport:
    usual: Mapping[str, Any] = {
        "template_uid": "u",
        "template_generation": 1,
        "applied": True,
        "present": True,
        "observed_time": "2026-01-01T00:00:00Z",
        "health": "Healthy",
        "uid": "in-the-member",
        "resource_version": "100",
    }
    return WorkReport(generation=generation, **{**usual, **said})


REFUSED = {"applied": False, "reason": "InternalError", "health": "Unknown"}
GONE = {"present": False, "health": "Unknown", "uid": ""}


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (report(2), report(1, resource_version="900"), Verdict.OURS),
        (report(1, resource_version="900"), report(2), Verdict.THEIRS),
        (report(resource_version="101"), report(health="Degraded"), Verdict.OURS),
        (report(health="Degraded"), report(resource_version="101"), Verdict.THEIRS),
        (report(resource_version="101"), report(), Verdict.THEIRS),
        (report(**REFUSED), report(**GONE), Verdict.THEIRS),
        (report(**GONE), report(**REFUSED), Verdict.OURS),
        (report(**REFUSED), report(), Verdict.OPEN),
        (report(), report(**REFUSED), Verdict.OPEN),
        (report(uid="another"), report(health="Degraded"), Verdict.OPEN),
        (report(**REFUSED, uid=""), report(), Verdict.OPEN),
    ],
)
def test_the_later_one_stands(ours: WorkReport, theirs: WorkReport, verdict: Verdict) -> None:
    assert judge(ours, theirs) is verdict


class Worker:
    """What one worker writes, and what it is told of others."""

    def __init__(self, bus: MemoryBus) -> None:
        self.log = StatusLog("eu-1", bus)
        self.told: list[tuple[int, bool]] = []
        self.log.overtaken = lambda _key, _ours, theirs, is_open: self.told.append(
            (theirs.generation, is_open)
        )

    async def write(self, written: WorkReport) -> None:
        await self.log.write(KEY, written, None)


async def lies(bus: MemoryBus) -> WorkReport | None:
    message = await bus.last(STATUS, subjects.status("eu-1", KEY))
    return decode_report(message.body) if message is not None else None


async def order(bus: MemoryBus) -> int:
    return await bus.publish(Message(subjects.work("eu-1", KEY), b"{}"))


async def test_a_worker_that_is_late_leaves_what_is_newer_and_is_told_of_it() -> None:
    bus = MemoryBus()
    late, current = Worker(bus), Worker(bus)
    await order(bus)
    await late.write(report(1))
    await order(bus)
    await current.write(report(2))
    await late.write(report(1, **REFUSED))
    assert await lies(bus) == report(2)
    assert (late.told, current.told) == ([(2, False)], [])
    await late.write(report(1, health="Degraded"))
    assert await lies(bus) == report(2), "having given way once, it gives way again"


async def test_a_question_without_an_answer_does_not_let_a_late_report_through() -> None:
    bus = Forgetful()
    late = Worker(bus)
    await order(bus)
    await late.write(report(1))
    await order(bus)
    await Worker(bus).write(report(2))
    bus.silent_about_work = True
    with pytest.raises(StoreUnavailable):
        await late.write(report(1, **REFUSED))
    await late.write(report(1, **REFUSED))
    assert await lies(bus) == report(2)


class Forgetful(MemoryBus):
    """Answers nothing to the next question about WORK where it is told so."""

    silent_about_work = False

    async def last(self, stream: Any, subject: str) -> Message | None:
        if self.silent_about_work and stream is WORK:
            self.silent_about_work = False
            raise StoreUnavailable("no answer in time")
        return await super().last(stream, subject)


async def test_what_waits_is_compared_with_what_was_found_meanwhile() -> None:
    bus = Counting()
    late, current = Worker(bus), Worker(bus)
    await order(bus)
    await order(bus)
    bus.silent = True
    with pytest.raises(OutcomeUnknown):
        await late.write(report(1))
    bus.silent = False
    await current.write(report(2))
    lying = await bus.last(STATUS, subjects.status("eu-1", KEY))
    assert lying is not None
    late.log.found(KEY, lying.sequence)
    await late.write(report(1, **REFUSED))
    assert await lies(bus) == report(2)


async def test_a_successor_reports_over_what_came_late() -> None:
    bus = MemoryBus()
    late, current = Worker(bus), Worker(bus)
    await order(bus)
    await late.write(report(1))
    await order(bus)
    await late.write(report(1, **REFUSED))
    await current.write(report(2))
    assert await lies(bus) == report(2)
    assert current.told == []


async def test_who_cannot_tell_asks_the_member() -> None:
    bus = MemoryBus()
    one, other = Worker(bus), Worker(bus)
    await one.write(report())
    await other.write(report(**REFUSED))
    assert await lies(bus) == report()
    assert other.told == [(1, True)]
    await other.write(report(**REFUSED))
    assert await lies(bus) == report(**REFUSED), "having asked, it knows better"


async def test_reports_of_works_that_began_anew_take_the_place_of_old_ones() -> None:
    bus = MemoryBus()
    worker = Worker(bus)
    await Worker(bus).write(report(7))
    assert await order(bus) == 1
    await worker.write(report(1))
    assert await lies(bus) == report(1)


async def test_what_dispatch_has_forgotten_is_not_spoken_of_again() -> None:
    bus = MemoryBus()
    late = Worker(bus)
    ordered = await order(bus)
    await late.write(report(ordered))
    await bus.purge(STATUS, subjects.status("eu-1", KEY), up_to=10)
    await late.write(report(ordered, health="Degraded"))
    assert await lies(bus) is not None, "it is ordered still"
    for stream, subject in (
        (STATUS, subjects.status("eu-1", KEY)),
        (WORK, subjects.work("eu-1", KEY)),
    ):
        await bus.purge(stream, subject, up_to=10)
    await late.write(report(ordered))
    assert await lies(bus) is None


async def test_an_object_that_comes_again_is_reported_with_one_write() -> None:
    bus = Counting()
    worker = Worker(bus)
    await worker.write(report(1))
    await worker.write(report(2, **GONE))
    await worker.write(report(3))
    assert (bus.writes, bus.reads) == (3, 0)


async def test_an_object_that_comes_again_after_the_word_of_its_end_expired_is_reported() -> None:
    bus = MemoryBus()
    worker = Worker(bus)
    await bus.publish(Message(subjects.work("eu-1", KEY), b""))
    await worker.write(report(2, **GONE))
    # As its expiry does, nobody is told of it.
    await bus.purge(STATUS, subjects.status("eu-1", KEY), up_to=10)
    await worker.write(report(1))
    assert await lies(bus) == report(1)


class Counting(MemoryBus):
    """Counts, and may lose an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = self.reads = 0
        self.silent = False

    async def publish(
        self, message: Message, *, expected: int | None = None, ttl: timedelta | None = None
    ) -> int:
        self.writes += 1
        sequence = await super().publish(message, expected=expected, ttl=ttl)
        if self.silent:
            raise OutcomeUnknown("no answer")
        return sequence

    async def last(self, stream: Any, subject: str) -> Message | None:
        self.reads += 1
        return await super().last(stream, subject)


async def test_a_report_whose_answer_was_lost_is_recognised() -> None:
    bus = Counting()
    worker = Worker(bus)
    bus.silent = True
    with pytest.raises(OutcomeUnknown):
        await worker.write(report())
    bus.silent = False
    await worker.write(report())
    await worker.write(report(health="Degraded", resource_version="101"))
    found = await lies(bus)
    assert found is not None
    assert found.health == "Degraded"
    assert bus.writes == 3


def test_what_was_said_since_is_not_forgotten_for_what_stands_instead_of_an_older_word() -> None:
    worker = MemberWorker(
        "eu-1",
        cast("MemberApi", None),
        MemoryBus(),
        PatientClock(),
        WorkerSettings(),
        interpreters=ready_made(),
    )
    tracked = worker._objects.track(KEY)
    older, newer, theirs = report(), report(**REFUSED), report(health="Degraded")
    tracked.reported = newer
    worker._on_overtaken(KEY, older, theirs, is_open=False)
    assert tracked.reported is newer
    worker._on_overtaken(KEY, newer, theirs, is_open=False)
    assert tracked.reported is theirs
