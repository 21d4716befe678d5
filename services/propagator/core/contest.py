"""Two who keep undoing each other: how long to wait with the next correction, and when it is over.

The first corrections come at once. From then on each waits twice as long as the one before, so
whoever insists is met ever more seldom. It is over once nothing was undone for as long as twice
the last wait, and a minute at least. Times are seconds of a monotonic clock.
"""

from dataclasses import dataclass

FREE = 3
CONTESTED = 5
QUIET_SECONDS = 60.0
WAIT_SECONDS_MAX = 300.0


@dataclass(slots=True)
class Contest:
    """About one object."""

    corrections: int = 0
    """In a row."""
    last: float = 0.0
    since: str = ""
    """When the first of them was seen, RFC 3339."""
    told: bool = False

    @property
    def is_on(self) -> bool:
        """Whether it is a fight, and no longer an accident."""
        return self.corrections >= CONTESTED

    @property
    def quiet(self) -> float:
        """How long nothing must happen for it to be over."""
        return max(QUIET_SECONDS, 2 * self._wait)

    @property
    def _wait(self) -> float:
        excess = self.corrections - FREE
        return 0.0 if excess < 0 else min(2.0 ** min(excess, 20), WAIT_SECONDS_MAX)

    def delay(self, now: float) -> float:
        """How long to wait with the next correction."""
        if self.is_over(now):
            return 0.0
        return max(self.last + self._wait - now, 0.0)

    def corrected(self, now: float, at: str) -> None:
        if self.is_over(now) or not self.corrections:
            self.corrections, self.since, self.told = 0, at, False
        self.corrections += 1
        self.last = now

    def is_over(self, now: float) -> bool:
        return now - self.last >= self.quiet
