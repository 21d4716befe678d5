"""When what must not run in two places may run here, and how long others wait for that to end.

The worst that the wait must cover: the propagator dies right after a renewal, a new one takes its
place and waits for NATS in vain, the member's API takes the order to stop, pods take their grace.
All of it is measured by clocks whose rates differ from true time by at most `CLOCK_RATE_ERROR`.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

CLOCK_RATE_ERROR = 0.01
"""How much faster or slower than true time a monotonic clock may run; where a clock says what time
of day it is does not matter. Machines without NTP are a hundred times better."""


def by_any_clock(seconds: float) -> float:
    """Count so many, and *seconds* have passed by whichever other clock."""
    return seconds * (1 + CLOCK_RATE_ERROR) / (1 - CLOCK_RATE_ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceSettings:
    """How long a member is taken at its word, and how long stopping may take."""

    renewal: timedelta = timedelta(seconds=2)
    """From one renewal of the lease to the next."""

    patience: timedelta = timedelta(seconds=15)
    """A propagator that has not renewed for so long stops what is fenced. A NATS of several nodes
    takes up to nine seconds to choose another leader, which is to stop nothing."""

    restart: timedelta = timedelta(seconds=10)
    """How long it may take until another propagator runs where one died."""

    act: timedelta = timedelta(seconds=20)
    """How long it may take until the member's API has taken the order to stop."""

    def __post_init__(self) -> None:
        if not self.renewal < self.patience:
            raise ValueError("a lease is renewed before its patience is over")

    def duration_seconds(self, grace_seconds: float) -> float:
        """So long the hub waits, where pods take at most *grace_seconds* to end."""
        patience = self.patience.total_seconds()
        stopping = self.restart.total_seconds() + self.act.total_seconds() + grace_seconds
        return by_any_clock(2 * patience + stopping)


class Standing(Enum):
    """What becomes of an order."""

    RUN = "run"
    WAIT = "wait"
    """As it is: the next renewal decides."""
    STOP = "stop"
    """It is held without a replica."""


class Hold:
    """One process's hold on the lease of its member; times are its own monotonic seconds."""

    def __init__(self, settings: FenceSettings, now: float) -> None:
        """A process that begins is taken to have renewed: the wait covers it, and its work."""
        self._patience = settings.patience.total_seconds()
        self._since = now
        self.released = False
        self.term = 0
        """Of the last renewal; 0 before the first."""
        self.grace_seconds = 0.0
        """How long pods may take to end for which others wait long enough."""

    def renewed(self, term: int, grace_seconds: float, began: float) -> None:
        """A renewal that was sent at *began* is stored."""
        self.term, self.grace_seconds, self._since = term, grace_seconds, began

    def release(self) -> None:
        """Nobody waits for the member: by an administrator's word it is on its own."""
        self.released = True

    def revoked(self) -> None:
        """The hub has given the member up; what it was to run is another's."""
        self.term, self._since = 0, float("-inf")

    def seconds_left(self, now: float) -> float:
        """Until what is fenced must stop; 0 or less: it must not run."""
        return float("inf") if self.released else self._since + self._patience - now

    def judge(self, term: int, grace_seconds: float, now: float) -> Standing:
        """What becomes of an order given under *term*, whose pods end within *grace_seconds*.

        One of term 0 was given when the member held no lease: nobody takes its place for silence.
        """
        if self.seconds_left(now) <= 0 or 0 < term < self.term:
            return Standing.STOP
        if self.term == 0 or term > self.term or grace_seconds > self.grace_seconds:
            return Standing.WAIT
        return Standing.RUN
