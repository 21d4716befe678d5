"""Which members are at their posts by their own word, and which may be given up for stopped.

A lease that its member has not renewed for as long as it asked others to wait is revoked: by then
nothing fenced runs there (`services/propagator/core/fence.py` has the reckoning). Until then
silence proves nothing.
"""

from dataclasses import dataclass

import msgspec

from shared.api.cluster import Fence
from shared.events.heartbeat import Heartbeat

FRESH_SECONDS = 12.0
"""Who has renewed within so long is as good as heard: a few renewals may get lost."""


@dataclass(frozen=True, slots=True)
class _Heard:
    sequence: int
    heartbeat: Heartbeat
    at: float


@dataclass(frozen=True, slots=True)
class Revocation:
    """What to write over the message *expected* on the lease's subject."""

    heartbeat: Heartbeat
    expected: int


class Leases:
    """Those of all members; times are monotonic seconds of who listens."""

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}

    def hear(self, sequence: int, heartbeat: Heartbeat, now: float) -> bool:
        """Take note; whether its member's standing changed by it."""
        before = self._heard.get(heartbeat.cluster)
        if before is not None and sequence <= before.sequence:
            return False
        self._heard[heartbeat.cluster] = _Heard(sequence, heartbeat, now)
        return before is None or _fence(before.heartbeat) != _fence(heartbeat)

    def forget(self, cluster: str) -> int:
        """Returns the sequence of the last word, 0 where there was none."""
        found = self._heard.pop(cluster, None)
        return found.sequence if found is not None else 0

    def fence_of(self, cluster: str) -> Fence | None:
        """As the status of the Cluster is to say it; None where nothing was heard."""
        found = self._heard.get(cluster)
        return _fence(found.heartbeat) if found is not None else None

    def silence(self, cluster: str, now: float) -> float:
        """Seconds since the last word."""
        return now - self._heard[cluster].at

    def is_heard(self, cluster: str, now: float) -> bool:
        """Whether the member has given a sign of life lately."""
        return self.fresh_for(cluster, now) > 0

    def fresh_for(self, cluster: str, now: float) -> float:
        """For how many seconds the last sign of life still counts as one."""
        found = self._heard.get(cluster)
        if found is None or not found.heartbeat.held:
            return 0.0
        return max(0.0, found.at + FRESH_SECONDS - now)

    def is_able(self, cluster: str) -> bool:
        """Whether the member could stop what is fenced, by its last word."""
        found = self._heard.get(cluster)
        return found is not None and found.heartbeat.duration_seconds is not None

    def revocable_in(self, cluster: str, now: float) -> float | None:
        """Seconds until the lease may be revoked, 0 for now; None: not for any silence."""
        found = self._heard.get(cluster)
        if found is None or not found.heartbeat.held:
            return None
        duration = found.heartbeat.duration_seconds
        return None if duration is None else max(0.0, found.at + duration - now)

    def revocation(self, cluster: str, at: str, above: int) -> Revocation:
        """*above*: the highest term that was told; whoever holds a lower one holds nothing."""
        found = self._heard[cluster]
        term = max(found.heartbeat.term, above) + 1
        after = msgspec.structs.replace(found.heartbeat, term=term, held=False, observed_time=at)
        return Revocation(after, found.sequence)


def is_news(before: Fence | None, after: Fence) -> bool:
    """Whether *after* is later than *before*: within a term a lease is taken up, never lost."""
    return before is None or (after.term, after.held) > (before.term, before.held)


def _fence(heartbeat: Heartbeat) -> Fence:
    return Fence(term=heartbeat.term, held=heartbeat.held)
