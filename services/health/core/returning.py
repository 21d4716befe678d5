"""How long a member that comes back is kept from new shares: the longer, the oftener it failed.

Work returns by itself, and at once after a single outage. A member that comes and goes would carry
its share back and forth with it, so from the second outage within an hour on it has to stay well
for a while first, twice as long each time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.clock import format_time, parse_time

MEMORY = timedelta(hours=1)
"""For how long an outage counts."""

OUTAGES_MAX = 8
_SETTLING_MAX = timedelta(minutes=15)


def settling_of(outages: Sequence[str], base: timedelta, now: datetime) -> timedelta:
    """Return how long to stay well before new shares come; *base* after two outages."""
    recent = len(_recent(outages, now))
    return min(base * 2 ** (recent - 2), _SETTLING_MAX) if recent >= 2 else timedelta(0)


def outages_with(outages: Sequence[str], now: datetime) -> tuple[str, ...]:
    """Return *outages* with one that begins *now*, without those that count no more."""
    return (*_recent(outages, now), format_time(now))[-OUTAGES_MAX:]


def _recent(outages: Sequence[str], now: datetime) -> list[str]:
    return [one for one in outages if now - parse_time(one) < MEMORY]
