"""Carrying out a plan on WORK: orders, tombstones and ends, all of one object in one batch.

A removal takes two messages: the tombstone, and once the member has done it, the end, which all who
follow WORK see and which expires. Members confirm by a fact; should it be lost, by their report.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import timedelta

from services.propagator.core.farewell import PLAIN_FAREWELL, Farewell
from services.propagator.core.works import Plan, held_by, make_tombstone
from services.propagator.dispatch.reminders import Reminders
from services.propagator.dispatch.work_log import WorkLog
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, Message
from shared.bus.topology import ENDS_KEPT, STATUS, WORK
from shared.errors import StaleRevision
from shared.events import subjects
from shared.events.orders import Encoded, order_headers
from shared.events.work import ENDED, REMOVED, URGENT, decode_order, decode_report
from shared.telemetry.propagation import TRACEPARENT

POLL_FIRST = timedelta(seconds=1)
"""Facts tell of removals sooner."""
POLL_MAX = timedelta(seconds=10)


class WorkPublisher:
    """Writes WORK by compare-and-set, and the log with what was acknowledged."""

    def __init__(self, bus: Bus, log: WorkLog) -> None:
        self._bus = bus
        self._log = log
        self._reminders = Reminders()

    async def carry_out(
        self,
        key: ObjectKey,
        plan: Plan,
        orders: Mapping[str, Encoded],
        trace: str | None,
        farewell: Farewell = PLAIN_FAREWELL,
    ) -> None:
        """Publish, revoke and forget; raises `StaleRevision` where another dispatcher wrote.

        Clusters are independent: each that can be told is told before the first error is raised.
        """
        held = self._log.of(key)
        writes = [self._publish(key, cluster, orders[cluster], trace) for cluster in plan.publish]
        for cluster in plan.revoke:
            tombstone = make_tombstone(key, held[cluster], farewell)
            writes.append(self._publish(key, cluster, tombstone, trace))
        writes += [self._forget(key, cluster) for cluster in plan.forget]
        if len(writes) == 1:
            await writes[0]
        else:
            await _all(writes)

    async def settle(self, key: ObjectKey, waiting: Sequence[str], *, ask: bool = True) -> bool:
        """End what members have done with; False while there are removals they did not confirm.

        *ask*: read what they reported, should their facts have been lost.
        """
        held = self._log.of(key)
        open_ones = [one for one in waiting if one in held and not held[one].confirmed]
        await _all(self._ask(key, one) for one in open_ones if ask)
        held = self._log.of(key)
        left = [one for one in waiting if one in held and held[one].deleted]
        ends = [self._end(key, one, REMOVED) for one in left if held[one].confirmed]
        await _all(ends)
        return len(ends) == len(left)

    async def _ask(self, key: ObjectKey, cluster: str) -> None:
        message = await self._bus.last(STATUS, subjects.status(cluster, key))
        report = decode_report(message.body) if message is not None and message.body else None
        if report is not None:
            if report.is_removed:
                self._log.confirm(key, cluster, report.generation)
            return
        if self._reminders.is_due(key, cluster):
            # It may have been done with, and the report of that have expired.
            await self._order_again(key, cluster)

    async def _publish(
        self, key: ObjectKey, cluster: str, encoded: Encoded, trace: str | None
    ) -> None:
        expected = self._log.last_of(key, cluster)
        headers = _headers(encoded, expected, trace)
        message = Message(subjects.work(cluster, key), encoded.body, headers)
        sequence = await self._write(key, cluster, message, expected=expected)
        self._log.record(key, cluster, held_by(encoded.order, sequence))

    async def _order_again(self, key: ObjectKey, cluster: str) -> None:
        subject = subjects.work(cluster, key)
        held, last = self._log.of(key).get(cluster), await self._bus.last(WORK, subject)
        if held is None or last is None or last.sequence != held.sequence:
            return
        tombstone = Encoded(decode_order(last.body), last.body)
        await self._publish(key, cluster, tombstone, None)

    async def _forget(self, key: ObjectKey, cluster: str) -> None:
        """The member has left: nobody is there to obey, or to report."""
        status = Message(subjects.status(cluster, key), b"")
        await self._bus.publish(status, ttl=ENDS_KEPT)
        await self._end(key, cluster, "left")

    async def _end(self, key: ObjectKey, cluster: str, why: str) -> None:
        """Tell whoever follows that there is nothing to hold or remove; that expires by itself."""
        held = self._log.of(key).get(cluster)
        if held is None:
            return
        end = make_tombstone(key, held)
        headers = {**_headers(end, held.sequence, None), ENDED: why}
        message = Message(subjects.work(cluster, key), end.body, headers)
        sequence = await self._write(key, cluster, message, expected=held.sequence, ttl=ENDS_KEPT)
        self._log.end(key, cluster, sequence)
        self._reminders.forget(key, cluster)

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
            await self._log.refresh(key, cluster)
            raise


async def _all(writes: Iterable[Awaitable[None]]) -> None:
    """Wait for every one of them before the first error is raised."""
    for outcome in await asyncio.gather(*writes, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _headers(encoded: Encoded, expected: int, trace: str | None) -> dict[str, str]:
    headers = order_headers(encoded, expected, source="propagator")
    if encoded.order.is_urgent:
        headers[URGENT] = "removal" if encoded.order.is_tombstone else "move"
    if trace:
        headers[TRACEPARENT] = trace
    return headers
