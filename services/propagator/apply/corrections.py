"""Putting right what drifted: at once at first, ever more slowly where it is undone again."""

from datetime import timedelta

import structlog

from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reports import Reports
from services.propagator.core.drift import LostField
from shared.clock import Clock
from shared.telemetry import metrics

log = structlog.get_logger("hanse.propagator")

WINDOW = 60.0
FREE = 3
SLOW_MAX = 300.0


class Corrections:
    """Of one member."""

    def __init__(self, cluster: str, clock: Clock, reports: Reports) -> None:
        self._cluster = cluster
        self._clock = clock
        self._reports = reports

    def delay(self, tracked: TrackedObject) -> timedelta:
        """How long to wait with the next; zero at first."""
        if not tracked.drift:
            return timedelta(0)
        now = self._clock.monotonic()
        recent = [one for one in tracked.corrections if now - one < WINDOW * 10]
        tracked.corrections = recent[-20:]
        excess = len(recent) - FREE
        if excess < 0:
            return timedelta(0)
        due = recent[-1] + min(2.0**excess, SLOW_MAX)
        return timedelta(seconds=max(due - now, 0.0))

    def done(self, tracked: TrackedObject, lost: tuple[LostField, ...]) -> None:
        """Take note of one, and tell of it."""
        tracked.corrections.append(self._clock.monotonic())
        metrics.DRIFT_CORRECTED.labels(self._cluster).inc()
        log.info(
            "drift.corrected", cluster=self._cluster, key=str(tracked.key), change=tracked.drift
        )
        self._reports.corrected(tracked, lost)
        tracked.drift = ""
