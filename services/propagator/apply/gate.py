"""Whether a member can be called now, and how much at the same time.

One failure speaks for all calls that would follow.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from services.propagator.apply.retries import RetrySettings
from services.propagator.core.pace import Pace
from shared.clock import Clock
from shared.errors import MemberThrottled, RetryableError
from shared.telemetry import metrics


class Driven(Protocol):
    """The part of the loop that is steered from here."""

    def limit(self, keys: int) -> None: ...

    def hold(self, delay: timedelta) -> None: ...


class MemberGate:
    """Closes for longer and longer while a member is silent; the first answer opens it.

    A member that asks for patience gets what it asks for. How much is in hand is up to `Pace`.
    """

    def __init__(self, cluster: str, clock: Clock, most: int, retries: RetrySettings) -> None:
        self._clock = clock
        self._pace = Pace(most)
        self._retries = retries
        self._in_hand = 0
        self._failures = 0
        self._until = 0.0
        self._driven: Driven | None = None
        self._limit = 0
        self.opened: Callable[[], None] = lambda: None
        """Called when the member answers that was silent."""
        self._shown = metrics.MEMBER_CONCURRENCY.labels(cluster)

    def drive(self, driven: Driven) -> None:
        """Tell *driven* how much to do, now and whenever that changes."""
        self._driven = driven
        self._adjust()

    @property
    def pause(self) -> timedelta:
        """How long to wait before the next call; zero when it may be made."""
        return timedelta(seconds=max(self._until - self._clock.monotonic(), 0.0))

    def enter(self) -> float:
        """Begin with an object; returns what `succeeded` is to be told. `leave` must follow."""
        self._in_hand += 1
        return self._clock.monotonic()

    def leave(self) -> None:
        self._in_hand -= 1

    def succeeded(self, since: float) -> None:
        """The member answered all that was asked of it for an object."""
        was_silent, self._failures = self._failures > 0, 0
        self._pace.answered(self._clock.monotonic() - since, self._in_hand)
        self._adjust()
        if was_silent:
            self.opened()

    def failed(self, err: RetryableError) -> timedelta:
        """Take note of a failed call; returns the pause. Calls that failed together count once."""
        now = self._clock.monotonic()
        if now >= self._until:
            retries = self._retries
            pause = min(retries.silent * 2 ** min(self._failures, 10), retries.silent_max)
            if err.retry_after is not None:
                pause = max(pause, err.retry_after)
            self._failures += 1
            self._until = now + pause.total_seconds()
            if isinstance(err, MemberThrottled):
                self._pace.refused()
            else:
                self._pace.unanswered()
            self._adjust()
            if self._driven is not None:
                self._driven.hold(pause)
        return self.pause

    def _adjust(self) -> None:
        limit = self._pace.limit
        if limit != self._limit and self._driven is not None:
            self._limit = limit
            self._shown.set(limit)
            self._driven.limit(limit)
