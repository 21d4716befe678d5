"""The rules of a lease, as one process sees it: when it may take it, and whether it holds it.

The protocol is that of client-go's `tools/leaderelection`: a record that its holder rewrites by
compare-and-set, and that others may overwrite once they have not seen it change for as long as it
says. Every span is measured on one clock: the holder counts from *before* it sent its last renewal,
others from *after* they saw it. So a holder has ended before another may begin, whatever the hour
is to either of them. What remains to be assumed is that no clock runs more than a third faster
than another (`LeaseSettings`), and that a process which was stopped learns of it: what it had under
way may still arrive, and is refused by the compare-and-set of whatever it writes.

A time to live kept by the server, as locks on a key-value bucket of NATS have it, would be judged
by the hour of whichever server leads the stream, and end early when that is set forward.
"""

from dataclasses import dataclass

from shared.events.lease import LeaseRecord
from shared.lease.settings import LeaseSettings, Life


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write of *record* over the one at *expected*, begun at *began*."""

    record: LeaseRecord
    expected: int
    began: float


class Claim:
    """Of one process on one lease. Times are seconds of its own monotonic clock."""

    def __init__(self, settings: LeaseSettings, life: Life) -> None:
        self._settings = settings
        self._identity = life.identity
        self._dead = life.dead
        self._sequence = 0
        self._record: LeaseRecord | None = None
        self._heard_at = 0.0
        # Since when it is held for certain; None where it is not held.
        self._renewed_at: float | None = None

    @property
    def record(self) -> LeaseRecord | None:
        """What lies on the board, as far as is known."""
        return self._record

    def hear(self, sequence: int, record: LeaseRecord | None, now: float) -> None:
        """*record* lies on the board at *sequence*; None for one that is gone or unreadable."""
        if sequence <= self._sequence and record is not None:
            # The echo of our own write, or older.
            return
        if self._renewed_at is not None and not self._is_ours(record):
            self._renewed_at = None
        self._sequence, self._record, self._heard_at = sequence, record, now

    def _is_ours(self, record: LeaseRecord | None) -> bool:
        known = self._record
        return record is not None and known is not None and _who(record) == _who(known)

    # Standing by.

    def vacant_in(self, now: float) -> float:
        """Seconds until it may be taken; 0 for now."""
        record = self._record
        if record is None or record.holder in ("", self._identity):
            # Our own that is not held: we ended our work, or a write that we gave up arrived.
            return 0.0
        if record.holder in self._dead:
            # It cannot be at work: nothing is left to wait for.
            return 0.0
        return max(0.0, self._heard_at + record.duration_seconds - now)

    def take(self, now: float) -> Attempt:
        assert self.vacant_in(now) == 0.0, "another may hold it"
        term = 1 if self._record is None else self._record.term + 1
        return self._attempt(self._identity, term, now)

    # Holding.

    def holds(self, now: float) -> bool:
        return self.seconds_left(now) > 0

    def seconds_left(self, now: float) -> float:
        """How long the lease is held yet if it is not renewed; 0 or less where it is not held."""
        if self._renewed_at is None:
            return 0.0
        return self._renewed_at + self._settings.deadline.total_seconds() - now

    def renew(self, now: float) -> Attempt:
        return self._attempt(self._identity, self._term, now)

    def release(self, now: float) -> Attempt:
        """To be written when the work has ended: whoever comes next need not wait."""
        return self._attempt("", self._term, now)

    @property
    def _term(self) -> int:
        assert self._record is not None, "asked of one that holds it"
        return self._record.term

    def _attempt(self, holder: str, term: int, now: float) -> Attempt:
        seconds = self._settings.duration.total_seconds()
        record = LeaseRecord(holder=holder, term=term, duration_seconds=seconds)
        return Attempt(record, self._sequence, now)

    def wrote(self, attempt: Attempt, sequence: int) -> None:
        """*attempt* was stored at *sequence*."""
        self._sequence, self._record = sequence, attempt.record
        self._heard_at = attempt.began
        self._renewed_at = attempt.began if attempt.record.holder else None

    def lose(self) -> None:
        """The work on it has ended, whatever the board says."""
        self._renewed_at = None


def _who(record: LeaseRecord) -> tuple[str, int]:
    return record.holder, record.term
