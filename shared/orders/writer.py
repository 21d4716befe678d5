"""Writing WORK by compare-and-set: orders, tombstones and ends, each on a subject of its own.

A removal takes two messages: the tombstone, and once the member has done it, the end, which all
who follow WORK see and which expires. That it is done lies in STATUS, and expires as well: where
whoever ordered it was away for so long, it is ordered again, and the member says once more what it
knows.
"""

from datetime import timedelta
from typing import Protocol

from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, Message
from shared.bus.topology import ENDS_KEPT, STATUS, WORK
from shared.errors import StaleRevision
from shared.events import subjects
from shared.events.orders import Encoded, order_headers
from shared.events.work import (
    ENDED,
    REMOVED,
    URGENT,
    WorkOrder,
    decode_order,
    decode_report,
)
from shared.orders.reminders import Reminders
from shared.telemetry.propagation import TRACEPARENT


class Ledger(Protocol):
    """What is known of the subjects that are written; each by object and cluster."""

    def last_of(self, key: ObjectKey, cluster: str) -> int:
        """The sequence that the next write must expect; 0 where the subject is empty."""
        ...

    def record(self, key: ObjectKey, cluster: str, order: WorkOrder, sequence: int) -> None:
        """Remember a write of our own that was acknowledged."""
        ...

    def end(self, key: ObjectKey, cluster: str, sequence: int) -> None:
        """Remember that the subject ended with message *sequence*, which expires by itself."""
        ...

    async def refresh(self, key: ObjectKey, cluster: str) -> None:
        """Read the subject again: somebody else wrote it, or its end expired."""
        ...


class OrderWriter:
    """Writes, and the ledger with what was acknowledged.

    Every method raises `StaleRevision` where somebody else wrote; the ledger knows it by then.
    """

    def __init__(self, bus: Bus, ledger: Ledger, *, source: str) -> None:
        self._bus = bus
        self._ledger = ledger
        self._source = source
        self._reminders = Reminders()

    async def publish(
        self,
        key: ObjectKey,
        cluster: str,
        encoded: Encoded,
        *,
        urgent: str = "",
        trace: str | None = None,
    ) -> None:
        """Order it. *urgent* says why it is not to wait behind others; a removal never does."""
        expected = self._ledger.last_of(key, cluster)
        headers = order_headers(encoded, expected, source=self._source)
        if encoded.order.is_tombstone:
            urgent = "removal"
        if urgent:
            headers[URGENT] = urgent
        if trace:
            headers[TRACEPARENT] = trace
        message = Message(subjects.work(cluster, key), encoded.body, headers)
        sequence = await self._write(key, cluster, message, expected=expected)
        self._ledger.record(key, cluster, encoded.order, sequence)

    async def end(
        self, key: ObjectKey, cluster: str, tombstone: Encoded, after: int, why: str = REMOVED
    ) -> None:
        """Tell whoever follows that there is nothing to hold or remove; that expires by itself.

        *after* is the sequence of the order that it ends.
        """
        headers = {**order_headers(tombstone, after, source=self._source), ENDED: why}
        message = Message(subjects.work(cluster, key), tombstone.body, headers)
        sequence = await self._write(key, cluster, message, expected=after, ttl=ENDS_KEPT)
        self._ledger.end(key, cluster, sequence)
        self._reminders.forget(key, cluster)

    async def forget(self, key: ObjectKey, cluster: str, tombstone: Encoded, after: int) -> None:
        """The member has left: nobody is there to obey, or to report."""
        status = Message(subjects.status(cluster, key), b"")
        await self._bus.publish(status, ttl=ENDS_KEPT)
        await self.end(key, cluster, tombstone, after, "left")

    async def is_removed(self, key: ObjectKey, cluster: str, sequence: int) -> bool:
        """Whether the member reported that it carried out tombstone *sequence*.

        One of which no report lies there is ordered again, ever more seldom.
        """
        message = await self._bus.last(STATUS, subjects.status(cluster, key))
        report = decode_report(message.body) if message is not None and message.body else None
        if report is not None:
            return report.is_removed and report.generation == sequence
        if self._reminders.is_due(key, cluster):
            # It may have been done with, and the report of that have expired.
            await self._order_again(key, cluster, sequence)
        return False

    async def _order_again(self, key: ObjectKey, cluster: str, sequence: int) -> None:
        last = await self._bus.last(WORK, subjects.work(cluster, key))
        if last is not None and last.sequence == sequence:
            await self.publish(key, cluster, Encoded(decode_order(last.body), last.body))

    async def _write(
        self,
        key: ObjectKey,
        cluster: str,
        message: Message,
        *,
        expected: int,
        ttl: timedelta | None = None,
    ) -> int:
        try:
            return await self._bus.publish(message, expected=expected, ttl=ttl)
        except StaleRevision:
            await self._ledger.refresh(key, cluster)
            raise
