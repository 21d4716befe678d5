"""Putting right what drifted: at once at first, ever more slowly where it is undone again."""

from datetime import timedelta

import structlog

from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reporting.drift_reports import DriftReports
from services.propagator.core.drift import LostField
from shared.clock import Clock, format_time
from shared.controller.result import Again, Done, Result
from shared.telemetry import metrics

log = structlog.get_logger("hanse.propagator")


class Corrections:
    """Of one member."""

    def __init__(self, cluster: str, clock: Clock, reports: DriftReports) -> None:
        self._cluster = cluster
        self._clock = clock
        self._reports = reports

    def delay(self, tracked: TrackedObject) -> timedelta:
        """How long to wait with the next; zero at first."""
        if not tracked.drift:
            return timedelta(0)
        return timedelta(seconds=tracked.contest.delay(self._clock.monotonic()))

    def done(self, tracked: TrackedObject, lost: tuple[LostField, ...]) -> None:
        """Take note of one, and tell of it."""
        at = format_time(self._clock.now())
        contest = tracked.contest
        contest.corrected(self._clock.monotonic(), at)
        metrics.DRIFT_CORRECTED.labels(self._cluster).inc()
        log.info(
            "drift.corrected", cluster=self._cluster, key=str(tracked.key), change=tracked.drift
        )
        self._reports.corrected(tracked, lost)
        if contest.is_on:
            self._reports.contested(tracked, lost)
        tracked.drift = ""

    def watch_over(self, tracked: TrackedObject) -> Result:
        """Come back to a fight to see whether it is over."""
        contest, now = tracked.contest, self._clock.monotonic()
        if not contest.is_on:
            return Done()
        if not contest.is_over(now):
            return Again(timedelta(seconds=contest.last + contest.quiet - now))
        contest.corrections = 0
        self._reports.settled(tracked)
        return Done()
