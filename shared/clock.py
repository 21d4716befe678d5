"""The only module that asks what time it is, so that time can be an argument elsewhere."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol

_LONGEST_SECONDS = 100 * 365 * 86_400


def span_of(seconds: float) -> timedelta:
    """Return so many seconds as users write them; what is longer than a century is a century.

    So that no number takes a moment beyond the times that can be told.
    """
    return timedelta(seconds=min(seconds, _LONGEST_SECONDS))


class Clock(Protocol):
    """Wall time, monotonic seconds and sleep: what a shell needs of time."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock and the running event loop's timer."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the one place.

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC to the second, as `metav1.Time` is written."""
    # Several times as fast as strftime, and on hot paths.
    return moment.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def format_micro_time(moment: datetime) -> str:
    """RFC 3339 in UTC to the microsecond, as `metav1.MicroTime` is written."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_time(text: str) -> datetime:
    """Read RFC 3339; raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
