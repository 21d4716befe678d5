"""That leaving never waits for whoever leaves: nothing is ordered there any more, come what may.

Judged where the hub itself had no trouble meanwhile; the member may have had any.
"""

import asyncio
from collections.abc import Callable

from shared.api.meta import GROUP
from shared.bus.memory_log import MemoryLog
from shared.events import subjects
from shared.events.work import is_end
from shared.store.port import Change, ChangeType
from tests.simulation.history import History
from tests.simulation.objects import Bucket

LEAVES_FREELY = "8 leaving never blocks on the leaver"

GONE_SECONDS = 45.0
_SETTLE_SECONDS = 12.0


class Leaving:
    """Looks at each cluster a while after it was deleted."""

    def __init__(
        self, history: History, bucket: Bucket, work: MemoryLog, disturbed: Callable[[], float]
    ) -> None:
        """*disturbed*: when anything was last wrong with the hub itself."""
        self._history = history
        self._bucket = bucket
        self._work = work
        self._disturbed = disturbed
        bucket.store.mirror.on_change(self._on_change)

    def _on_change(self, change: Change) -> None:
        key = change.stored.key
        left = change.type is ChangeType.DELETED
        if left and (key.group, key.resource) == (GROUP, "clusters"):
            loop = asyncio.get_running_loop()
            loop.call_later(GONE_SECONDS, self._check, change, loop.time())

    def _check(self, change: Change, since: float) -> None:
        key = change.stored.key
        if self._disturbed() >= since - _SETTLE_SECONDS:
            return
        if self._bucket.store.mirror.get(key) is not None:
            # It came back.
            return
        for message in self._work.all(()):
            cluster, what = subjects.parse_member_subject(message.subject)
            if cluster == key.name and not is_end(message.headers):
                self._history.violated(
                    LEAVES_FREELY,
                    f"{what} is still ordered in {cluster}, which left at {since:.1f}",
                )
