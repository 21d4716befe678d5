"""How a turn at an object ends: told to the loop, reported, acknowledged; and when the next is.

What the member refuses is reported and tried again ever more slowly, for members change. Its order
is acknowledged then, so that refused objects never hold up the queue; it is read again from WORK.
"""

from collections.abc import Callable
from datetime import timedelta

from services.propagator.apply.objects import Objects, TrackedObject
from services.propagator.apply.reporting.reports import Reports
from services.propagator.apply.retries import RetrySettings
from services.propagator.core.unserved import in_words
from shared.apimachinery.manifest import ObjectKey
from shared.controller.result import Again, Done, Result
from shared.errors import MemberRefused
from shared.telemetry import metrics

SOON_ATTEMPTS = 6

Settled = Callable[[ObjectKey, bool], None]
"""Told when a key is done for now: (key, whether the member obeyed)."""


class Outcomes:
    """Of one member."""

    def __init__(
        self,
        cluster: str,
        objects: Objects,
        reports: Reports,
        settled: Settled,
        retries: RetrySettings,
    ) -> None:
        self._cluster = cluster
        self._objects = objects
        self._reports = reports
        self._settled = settled
        self._retries = retries
        self._applied = metrics.WORKS_APPLIED.labels(cluster, "applied")

    async def obeyed(self, tracked: TrackedObject) -> Result:
        """Nothing is left to do."""
        tracked.pending, tracked.failures, tracked.message = False, 0, None
        self._report_latest(tracked)
        self._applied.inc()
        self._settled(tracked.key, True)
        await self.acknowledge(tracked)
        return Done()

    async def removed(
        self, tracked: TrackedObject, *, preserved: bool = False, kept_for: str = ""
    ) -> Result:
        """The member holds it no longer, or keeps it as its own (*kept_for* something in it)."""
        tombstone = tracked.message
        self._reports.removed(tracked, preserved=preserved, kept_for=kept_for)
        self._objects.note_removed(tracked)
        await self.obeyed(tracked)
        self._objects.bury(tracked, tombstone)
        return Done()

    def unordered(self, tracked: TrackedObject) -> None:
        """Nothing is asked for here: what is there all the same stays, and is told of."""
        if tracked.stray is not None and tracked.seen is not None:
            self._reports.strayed(tracked, tracked.stray, tracked.seen)
        self._settled(tracked.key, False)

    async def underway(self, tracked: TrackedObject) -> Result:
        """The member agreed, and the end of it may take long: look again, ever more seldom.

        The watch shows the end sooner. Until then nothing is in place that others could wait for.
        """
        await self.acknowledge(tracked)
        self._settled(tracked.key, False)
        retries = self._retries
        delay = min(retries.held * 2 ** min(tracked.looks, 10), retries.held_max)
        tracked.looks += 1
        return Again(delay)

    async def awaiting(self, tracked: TrackedObject) -> Result:
        """Its turn comes after something else's: nothing was asked of the member yet."""
        await self.acknowledge(tracked)
        return self.postponed(tracked, self._retries.held)

    def postponed(self, tracked: TrackedObject, delay: timedelta) -> Result:
        self._settled(tracked.key, False)
        return Again(delay)

    async def gave_way(self, tracked: TrackedObject) -> Result:
        """Another worker carried out a newer order: leave ours, and read that one."""
        metrics.WORKS_APPLIED.labels(self._cluster, "stale").inc()
        tracked.message = None
        self._settled(tracked.key, False)
        await self.acknowledge(tracked)
        return Again(timedelta(0))

    async def refused(self, tracked: TrackedObject, err: MemberRefused) -> Result:
        tracked.failures += 1
        retries = self._retries
        in_the_way = err.reason == "AlreadyExists"
        soon = not in_the_way and (err.status in (404, 409) or "being terminated" in str(err))
        if soon and tracked.failures <= SOON_ATTEMPTS:
            return self.postponed(tracked, retries.soon * 2 ** (tracked.failures - 1))
        metrics.WORKS_APPLIED.labels(self._cluster, "refused").inc()
        assert tracked.kind is not None
        self._reports.refused(tracked, in_words(err, tracked.kind, self._cluster))
        await self.acknowledge(tracked)
        tracked.message = None
        self._settled(tracked.key, False)
        excess = tracked.failures - (SOON_ATTEMPTS if soon else 1)
        most = retries.in_the_way_max if in_the_way else retries.slow_max
        return Again(min(retries.slow * 2 ** min(max(excess, 0), 10), most))

    async def acknowledge(self, tracked: TrackedObject) -> None:
        if tracked.delivery is not None:
            delivery, tracked.delivery = tracked.delivery, None
            await delivery.acknowledge()

    def _report_latest(self, tracked: TrackedObject) -> None:
        """Report what the watch showed before the answer to our apply came, if it is newer."""
        latest, tracked.latest = tracked.latest, None
        if (
            latest is not None
            and tracked.seen is not None
            and latest.metadata.resource_version == tracked.seen.resource_version
            and tracked.applied == tracked.sequence
            and not tracked.deleted
        ):
            self._reports.seen(tracked, latest)
