"""Reports to STATUS and facts to EVENTS, coalesced: per object the newest, in batches.

A report that equals the last is not sent. While the bus is
away the newest of each object waits, so the queue is bounded by the number of objects.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from functools import cache

import msgspec
import structlog

from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reporting.status_log import StatusLog
from services.propagator.core.overtaking import says_the_same
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, Message
from shared.clock import Clock, format_micro_time
from shared.errors import RetryableError, TerminalError
from shared.events import subjects
from shared.events.drift import DriftFact
from shared.events.envelope import Envelope
from shared.events.work import WorkReport
from shared.events.work_facts import WorkFact, fact_key
from shared.telemetry.propagation import TRACEPARENT, current_traceparent

log = structlog.get_logger("hanse.propagator")

FACTS_MAX = 20_000
_BATCH = 256
_RETRY_SECONDS = 1.0
_LINGER_SECONDS = 0.002
# Beyond so many reports a second, each waits longer and more of them are overtaken by newer ones.
_PER_SECOND = 20
_INTERVAL_MAX_SECONDS = 1.0

Fact = WorkFact | DriftFact
# Each report with the trace it belongs to.
Pending = dict[ObjectKey, tuple[WorkReport, str | None]]


class Reporter:
    """Of one member; `run` sends.

    That an order was carried out, refused or undone is news and is sent at once, unless there was
    much of it just now. How an object does from then on changes many times a second while it
    starts, and waits for the interval.
    """

    def __init__(self, cluster: str, bus: Bus, clock: Clock, interval: timedelta) -> None:
        self._cluster = cluster
        self._bus = bus
        self._clock = clock
        self._interval = interval.total_seconds()
        self.status = StatusLog(cluster, bus)
        self._news: Pending = {}
        self._changes: Pending = {}
        # What becomes a report when changes are sent next; only the last look at an object counts.
        self._looks: dict[ObjectKey, Callable[[], None]] = {}
        self._facts: deque[Message] = deque(maxlen=FACTS_MAX)
        self._arrival = asyncio.Event()
        self._hurry = asyncio.Event()

    @property
    def idle(self) -> bool:
        return not (self._news or self._changes or self._looks or self._facts)

    def report(self, tracked: TrackedObject, report: WorkReport) -> None:
        """Send *report* soon, unless nothing but its time is new."""
        before = tracked.reported
        if before is not None and says_the_same(before, report):
            return
        tracked.reported = report
        key = tracked.key
        waiting = self._news.get(key) or self._changes.get(key)
        # What a watch shows belongs to no trace; what it replaces may.
        entry = (report, current_traceparent() or (waiting[1] if waiting is not None else None))
        if key in self._news or before is None or _outcome(before) != _outcome(report):
            self._changes.pop(key, None)
            self._news[key] = entry
            self._hurry.set()
        else:
            self._changes[key] = entry
        self._arrival.set()

    def look(self, key: ObjectKey, report: Callable[[], None]) -> None:
        """Have *report* called when changes are sent next, unless a later look takes its place."""
        self._looks[key] = report
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
        due = rested = 0.0
        try:
            while True:
                await self._arrival.wait()
                await self._wait_for_news(due - self._clock.monotonic())
                # A breath, so that what is carried out together is sent together.
                await self._clock.sleep(max(rested - self._clock.monotonic(), _LINGER_SECONDS))
                rested = self._clock.monotonic() + _burst(self._news)
                sent = await self._send_news()
                if sent and self._clock.monotonic() >= due:
                    self._take_looks()
                    due = self._clock.monotonic() + max(self._interval, _burst(self._changes))
                    sent = await self._send_changes() and await self._send_facts()
                if self.idle:
                    self._arrival.clear()
                if not sent:
                    log.warning("report.waiting", cluster=self._cluster)
                    await self._clock.sleep(_RETRY_SECONDS)
        finally:
            if not self.idle:
                # What is not sent in time the next worker reports anew.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(5):
                        await self.flush()

    def _take_looks(self) -> None:
        looks, self._looks = self._looks, {}
        for report in looks.values():
            report()

    async def flush(self) -> bool:
        """Send everything now; False where something could not be sent and waits."""
        self._take_looks()
        return await self._send_news() and await self._send_changes() and await self._send_facts()

    async def _wait_for_news(self, seconds: float) -> None:
        if seconds > 0 and not self._news:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._hurry.wait()
        self._hurry.clear()

    async def _send_news(self) -> bool:
        for key in self._looks.keys() & self._news.keys():
            # One report instead of two: what was seen since belongs to it.
            self._looks.pop(key)()
        reports, self._news = self._news, {}
        return await self._send(reports)

    async def _send_changes(self) -> bool:
        reports, self._changes = self._changes, {}
        return await self._send(reports)

    async def _send(self, reports: Pending) -> bool:
        """Publish *reports*; what cannot be sent waits, unless something newer does already.

        Never runs twice at once, so nothing older is sent after something newer.
        """
        pairs = list(reports.items())
        while pairs:
            batch, pairs = pairs[:_BATCH], pairs[_BATCH:]
            outcomes = await asyncio.gather(
                *(self.status.write(key, report, trace) for key, (report, trace) in batch),
                return_exceptions=True,
            )
            failed = []
            for pair, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, TerminalError):
                    log.error("report.refused", key=str(pair[0]), error=str(outcome))
                elif isinstance(outcome, RetryableError):
                    failed.append(pair)
                elif outcome is not None:
                    raise outcome
            if failed:
                for key, entry in (*failed, *pairs):
                    if key not in self._news:
                        self._changes.setdefault(key, entry)
                return False
        return True

    async def _send_facts(self) -> bool:
        facts, self._facts = self._facts, deque(maxlen=FACTS_MAX)
        while facts:
            batch = [facts.popleft() for _ in range(min(_BATCH, len(facts)))]
            outcomes = await asyncio.gather(
                *(self._bus.publish(message) for message in batch), return_exceptions=True
            )
            failed = [
                message
                for message, outcome in zip(batch, outcomes, strict=True)
                if isinstance(outcome, RetryableError)
            ]
            if failed:
                # Their message ids make repeating harmless.
                self._facts.extendleft(reversed([*failed, *facts]))
                return False
        return True


def _burst(reports: Pending) -> float:
    """Seconds to wait after *reports* until the next are sent."""
    return min(len(reports) / _PER_SECOND, _INTERVAL_MAX_SECONDS)


def _outcome(report: WorkReport) -> tuple[object, ...]:
    return report.generation, report.applied, report.present, report.reason


@cache
def _subject_of(fact: type[Fact]) -> tuple[str, str]:
    """`work.applied.v1` -> (`work`, `applied`)."""
    noun, past_tense, _ = str(fact.__struct_config__.tag).split(".")
    return noun, past_tense
