"""Carrying out a plan on WORK: orders, tombstones and purges, all of one object in one batch."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from services.propagator.core.farewell import PLAIN_FAREWELL, Farewell
from services.propagator.core.works import Encoded, Held, Plan, held_by, make_tombstone
from services.propagator.dispatch.work_log import WorkLog
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, Message
from shared.bus.topology import STATUS, WORK
from shared.errors import StaleRevision
from shared.events import subjects
from shared.events.work import URGENT, decode_report
from shared.telemetry.propagation import TRACEPARENT

POLL_FIRST = timedelta(milliseconds=50)
POLL_MAX = timedelta(seconds=10)


class WorkPublisher:
    """Writes WORK by compare-and-set, and the log with what was acknowledged."""

    def __init__(self, bus: Bus, log: WorkLog) -> None:
        self._bus = bus
        self._log = log
        # Removals whose report was seen, and may be purged already: the sequence of each.
        self._confirmed: dict[tuple[ObjectKey, str], int] = {}

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
            return
        for outcome in await asyncio.gather(*writes, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def settle(self, key: ObjectKey, waiting: Sequence[str]) -> bool:
        """Purge the tombstones that members confirmed; False while some are not."""
        outcomes = [await self._settle_one(key, cluster) for cluster in waiting]
        return all(outcomes)

    async def _settle_one(self, key: ObjectKey, cluster: str) -> bool:
        held = self._log.of(key).get(cluster)
        if held is None or not held.deleted:
            return True
        message = await self._bus.last(STATUS, subjects.status(cluster, key))
        if message is None and self._confirmed.get((key, cluster)) == held.sequence:
            # It was purged, and the answer to that was lost.
            await self._purge(key, cluster, held.sequence, None)
            return True
        if message is None:
            # Another dispatcher may have purged it, of which no follower is told.
            await self._log.refresh(key, cluster)
            now = self._log.of(key).get(cluster)
            gone = now is None or not now.deleted
            if gone:
                self._confirmed.pop((key, cluster), None)
            return gone
        report = decode_report(message.body)
        if report.generation != held.sequence or not report.is_removed:
            return False
        self._confirmed[key, cluster] = held.sequence
        await self._purge(key, cluster, held.sequence, message)
        return True

    async def _publish(
        self, key: ObjectKey, cluster: str, encoded: Encoded, trace: str | None
    ) -> None:
        known = self._log.of(key).get(cluster)
        expected = 0 if known is None else known.sequence
        message = Message(
            subjects.work(cluster, key), encoded.body, _headers(encoded, expected, trace)
        )
        try:
            sequence = await self._bus.publish(message, expected=expected)
        except StaleRevision:
            await self._log.refresh(key, cluster)
            raise
        self._log.record(key, cluster, held_by(encoded.order, sequence))

    async def _forget(self, key: ObjectKey, cluster: str) -> None:
        held: Held = self._log.of(key)[cluster]
        last = await self._bus.last(STATUS, subjects.status(cluster, key))
        await self._purge(key, cluster, held.sequence, last)

    async def _purge(
        self, key: ObjectKey, cluster: str, sequence: int, report: Message | None
    ) -> None:
        """Status first: should we die in between, the work still says what is to be purged.

        Nothing later than the order *sequence* and its *report* goes: there may be a new order.
        """
        if report is not None:
            status = subjects.status(cluster, key)
            await self._bus.purge(STATUS, status, up_to=report.sequence)
        await self._bus.purge(WORK, subjects.work(cluster, key), up_to=sequence)
        self._log.forget(key, cluster, sequence)
        self._confirmed.pop((key, cluster), None)


def _headers(encoded: Encoded, expected: int, trace: str | None) -> dict[str, str]:
    """A CloudEvent without a message id: compare-and-set makes repeats harmless already."""
    headers = {
        "ce-specversion": "1.0",
        "ce-type": "dev.hanse.work.ordered.v1",
        "ce-source": "hanse/propagator",
        "ce-id": f"{encoded.order.digest}-{expected}",
        "content-type": "application/json",
    }
    if encoded.order.is_urgent:
        headers[URGENT] = "removal" if encoded.order.is_tombstone else "move"
    if trace:
        headers[TRACEPARENT] = trace
    return headers
