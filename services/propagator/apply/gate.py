"""Whether a member can be called now: one failure speaks for all calls that would follow."""

from datetime import timedelta

from shared.clock import Clock
from shared.errors import RetryableError

PAUSE_FIRST = 0.2
PAUSE_MAX = 10.0


class MemberGate:
    """Closes for longer and longer while a member is silent; the first answer opens it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    @property
    def pause(self) -> timedelta:
        """How long to wait before the next call; zero when it may be made."""
        return timedelta(seconds=max(self._until - self._clock.monotonic(), 0.0))

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, err: RetryableError) -> timedelta:
        """Take note of a failed call; returns the pause. Calls that failed together count once."""
        now = self._clock.monotonic()
        if now >= self._until:
            seconds = min(PAUSE_FIRST * 2 ** min(self._failures, 10), PAUSE_MAX)
            if err.retry_after is not None:
                seconds = max(seconds, err.retry_after.total_seconds())
            self._failures += 1
            self._until = now + seconds
        return self.pause
