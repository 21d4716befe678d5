"""When a template's status is written: soon after the last report, meanwhile at most so often.

A Deployment that starts in ten members is reported on dozens of times within seconds, and each
write of its status wakes every process that mirrors the store. So what is under way is gathered,
and what has come to rest is written at once. While a share moves nothing waits: the scheduler goes
by what is written here.
"""

from collections.abc import Callable
from datetime import timedelta

from shared.apimachinery.manifest import ObjectKey
from shared.clock import Clock

_LATE = 5
"""Intervals that pass before it is worth saying that no member has reported yet."""

_UNDER_WAY_PER_SECOND = 20
"""Templates under way that are written in a second, all together: the more, the less often each."""


class Pace:
    """Wakes templates by *wake_after*; told of each look by `looked`, and of each write by `wrote`.

    Used from one event loop.
    """

    def __init__(
        self,
        wake_after: Callable[[ObjectKey, timedelta], None],
        clock: Clock,
        *,
        delay: timedelta,
        interval: timedelta,
    ) -> None:
        self._wake_after = wake_after
        self._clock = clock
        self._delay = delay
        self._interval = interval
        self._written: dict[ObjectKey, float] = {}
        self._under_way: set[ObjectKey] = set()

    def wake(self, template: ObjectKey, *, settled: bool) -> None:
        """There is news of *template*; *settled*: and no more to be expected soon."""
        if not settled:
            self._under_way.add(template)
            share = timedelta(seconds=len(self._under_way) / _UNDER_WAY_PER_SECOND)
            self._wake_after(template, max(self._delay, self._interval, share))
            return
        written = self._written.get(template)
        wait = self._delay
        if written is not None:
            passed = timedelta(seconds=self._clock.monotonic() - written)
            wait = max(wait, self._interval - passed)
        self._wake_after(template, wait)

    def wake_late(self, template: ObjectKey) -> None:
        """Nobody has reported on *template* as it is now: most likely somebody is about to."""
        self._wake_after(template, self._interval * _LATE)

    def wake_soon(self, template: ObjectKey) -> None:
        """What hangs on the status of *template* cannot wait."""
        self._wake_after(template, self._delay)

    def looked(self, template: ObjectKey) -> None:
        """Remember that *template* was looked at: it waits no more."""
        self._under_way.discard(template)

    def wrote(self, template: ObjectKey) -> None:
        """Remember that a status was written now."""
        # Written anew, so that the oldest come first.
        self._written.pop(template, None)
        now = self._written[template] = self._clock.monotonic()
        oldest = next(iter(self._written))
        if now - self._written[oldest] > self._interval.total_seconds():
            del self._written[oldest]
