"""Ages as `kubectl get` writes them: short, and coarser the longer ago."""

from datetime import datetime, timedelta
from typing import Any

from shared.clock import parse_time

UNKNOWN = "<unknown>"
INVALID = "<invalid>"

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_YEAR = 365 * _DAY


def human_duration(duration: timedelta) -> str:
    """`45s`, `3m20s`, `2h`, `3d4h`, `2y31d`: two units while they matter, then one.

    The thresholds are those of `k8s.io/apimachinery/pkg/util/duration.HumanDuration`.
    """
    seconds = int(duration.total_seconds())
    if seconds < 0:
        # A second is what clocks may honestly differ by.
        return "0s" if seconds >= -1 else INVALID
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _pair(seconds, (_MINUTE, "m"), (1, "s"))
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _pair(seconds, (_HOUR, "h"), (_MINUTE, "m"))
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _pair(seconds, (_DAY, "d"), (_HOUR, "h"))
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY}d"
    if seconds < 8 * _YEAR:
        return _pair(seconds, (_YEAR, "y"), (_DAY, "d"))
    return f"{seconds // _YEAR}y"


def _pair(seconds: int, large: tuple[int, str], small: tuple[int, str]) -> str:
    rest = seconds % large[0] // small[0]
    head = f"{seconds // large[0]}{large[1]}"
    return f"{head}{rest}{small[1]}" if rest else head


def age_of(moment: Any, now: datetime) -> str:
    """Return the age of an RFC 3339 time; `<unknown>` without one."""
    if not moment:
        return UNKNOWN
    try:
        return human_duration(now - parse_time(str(moment)))
    except ValueError:
        return INVALID
