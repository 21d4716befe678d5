"""No more of the same answer to one network per second than people ask for.

UDP proves no address: who forges one makes us send to somebody else what that one never asked
for. What is over the rate is dropped, and every second of it answered by "ask again over TCP",
which only who really asked can do (response rate limiting, as in BIND).
"""

from enum import Enum


class Verdict(Enum):
    ANSWER = 0
    CUT = 1
    """Say nothing but that it is to be asked over TCP."""
    DROP = 2


_PREFIX = {4: 3, 16: 7}
"""Bytes of an address that make a network: /24 and /56."""
_COUNTED_MAX = 100_000


class Pacing:
    """Counts answers over UDP within whole seconds; nothing is kept longer."""

    def __init__(self, per_second: int) -> None:
        """0: no limit."""
        self._per_second = per_second
        self._second = 0
        self._counts: dict[tuple[bytes, bytes], int] = {}

    def judge(self, address: bytes, what: bytes, now: float) -> Verdict:
        """*what* tells one answer from another: a name; or the zone, of names that are not."""
        if not self._per_second:
            return Verdict.ANSWER
        second = int(now)
        if second != self._second or len(self._counts) > _COUNTED_MAX:
            self._second = second
            self._counts.clear()
        key = (address[: _PREFIX.get(len(address), 0)], what)
        count = self._counts.get(key, 0) + 1
        self._counts[key] = count
        if count <= self._per_second:
            return Verdict.ANSWER
        return Verdict.CUT if count % 2 else Verdict.DROP
