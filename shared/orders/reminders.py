"""Removals of which no report lies in STATUS: asked for again, ever more seldom.

Mostly the member has not come to it. But a report of what was removed expires, and whoever ordered
it may have been away for longer than that.
"""

import asyncio
from datetime import timedelta

from shared.apimachinery.manifest import ObjectKey

FIRST = timedelta(minutes=1)
SELDOM = timedelta(hours=1)


class Reminders:
    """When each is to be asked for next."""

    def __init__(self) -> None:
        # When it is due, and the seconds from there to the next.
        self._due: dict[tuple[ObjectKey, str], tuple[float, float]] = {}

    def is_due(self, key: ObjectKey, cluster: str) -> bool:
        """Whether to ask now; the first time it is only noted that there is something to ask."""
        now = asyncio.get_running_loop().time()
        first = FIRST.total_seconds()
        due, pause = self._due.setdefault((key, cluster), (now + first, 2 * first))
        if now < due:
            return False
        self._due[key, cluster] = now + pause, min(2 * pause, SELDOM.total_seconds())
        return True

    def forget(self, key: ObjectKey, cluster: str) -> None:
        self._due.pop((key, cluster), None)
