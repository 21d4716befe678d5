"""Reports to STATUS and facts to EVENTS, coalesced: per object the newest, in batches.

At most one report per object and interval; one that equals the last is not sent. While the bus is
away the newest of each object waits, so the queue is bounded by the number of objects.
"""

import asyncio
from collections import deque
from datetime import timedelta
from functools import cache

import msgspec
import structlog

from services.propagator.apply.objects import TrackedObject
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, Message
from shared.clock import Clock, format_micro_time
from shared.errors import RetryableError
from shared.events import subjects
from shared.events.drift import DriftCorrected
from shared.events.envelope import Envelope
from shared.events.work import WorkReport, encode_report
from shared.events.work_facts import WorkFact, fact_key
from shared.telemetry.propagation import TRACEPARENT, current_traceparent

log = structlog.get_logger("hanse.propagator")

FACTS_MAX = 20_000
_BATCH = 256
_RETRY_SECONDS = 1.0

Fact = WorkFact | DriftCorrected


class Reporter:
    """Of one member; `run` sends."""

    def __init__(self, cluster: str, bus: Bus, clock: Clock, interval: timedelta) -> None:
        self._cluster = cluster
        self._bus = bus
        self._clock = clock
        self._interval = interval.total_seconds()
        self._reports: dict[ObjectKey, tuple[WorkReport, str | None]] = {}
        self._facts: deque[Message] = deque(maxlen=FACTS_MAX)
        self._arrival = asyncio.Event()

    @property
    def idle(self) -> bool:
        return not self._reports and not self._facts

    def report(self, tracked: TrackedObject, report: WorkReport) -> None:
        """Send *report* soon, unless nothing but its time is new."""
        if tracked.reported is not None and _same(tracked.reported, report):
            return
        tracked.reported = report
        self._reports[tracked.key] = (report, current_traceparent())
        self._arrival.set()

    def state(self, key: ObjectKey, fact: Fact, identity: str) -> None:
        """Publish *fact*; the same *identity* is published once."""
        noun, past_tense = _subject_of(type(fact))
        subject_key = fact_key(self._cluster, key)
        # The identity tells repeats apart by itself: no need to digest it.
        headers = Envelope(
            type=f"dev.hanse.{noun}.{past_tense}.v1",
            source="hanse/propagator",
            id=f"{subject_key}/{identity}",
            time=format_micro_time(self._clock.now()),
        ).headers()
        trace = current_traceparent()
        if trace is not None:
            headers[TRACEPARENT] = trace
        subject = subjects.fact(noun, past_tense, subject_key)
        self._facts.append(Message(subject, msgspec.json.encode(fact), headers))
        self._arrival.set()

    async def run(self) -> None:
        """Send until cancelled, then once more what is left."""
        try:
            while True:
                await self._arrival.wait()
                self._arrival.clear()
                await self.flush()
                await self._clock.sleep(self._interval)
        finally:
            if not self.idle:
                async with asyncio.timeout(5):
                    await self.flush()

    async def flush(self) -> None:
        reports, self._reports = self._reports, {}
        facts, self._facts = self._facts, deque(maxlen=FACTS_MAX)
        pairs = list(reports.items())
        for start in range(0, len(pairs), _BATCH):
            batch = pairs[start : start + _BATCH]
            outcomes = await asyncio.gather(
                *(self._publish(key, report, trace) for key, (report, trace) in batch),
                return_exceptions=True,
            )
            failed = False
            for (key, entry), outcome in zip(batch, outcomes, strict=True):
                if outcome is None:
                    continue
                if not isinstance(outcome, RetryableError):
                    raise outcome
                failed = True
                # A newer one may have come in the meantime.
                self._reports.setdefault(key, entry)
            if failed:
                for key, entry in pairs[start + _BATCH :]:
                    self._reports.setdefault(key, entry)
                self._facts.extendleft(reversed(facts))
                await self._wait()
                return
        await self._send_facts(facts)

    async def _send_facts(self, facts: deque[Message]) -> None:
        while facts:
            batch = [facts.popleft() for _ in range(min(_BATCH, len(facts)))]
            outcomes = await asyncio.gather(
                *(self._bus.publish(message) for message in batch), return_exceptions=True
            )
            failed = [
                message
                for message, outcome in zip(batch, outcomes, strict=True)
                if isinstance(outcome, BaseException)
            ]
            if failed:
                # Their message ids make repeating harmless.
                self._facts.extendleft(reversed([*failed, *facts]))
                await self._wait()
                return

    async def _wait(self) -> None:
        log.warning("report.waiting", cluster=self._cluster, reports=len(self._reports))
        self._arrival.set()
        await self._clock.sleep(_RETRY_SECONDS)

    async def _publish(self, key: ObjectKey, report: WorkReport, trace: str | None) -> None:
        headers = {
            "ce-specversion": "1.0",
            "ce-type": "dev.hanse.work.reported.v1",
            "ce-source": "hanse/propagator",
            "ce-id": f"{self._cluster}-{report.generation}-{report.resource_version}",
            "content-type": "application/json",
        }
        if trace is not None:
            headers[TRACEPARENT] = trace
        subject = subjects.status(self._cluster, key)
        await self._bus.publish(Message(subject, encode_report(report), headers))


def _same(old: WorkReport, new: WorkReport) -> bool:
    return old == msgspec.structs.replace(
        new, observed_time=old.observed_time, resource_version=old.resource_version
    )


@cache
def _subject_of(fact: type[Fact]) -> tuple[str, str]:
    """`work.applied.v1` -> (`work`, `applied`)."""
    noun, past_tense, _ = str(fact.__struct_config__.tag).split(".")
    return noun, past_tense
