"""Carrying out a plan on WORK: orders, tombstones and ends, all of one object in one batch.

Members confirm a removal by a fact; should it be lost, by their report.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import timedelta

from services.propagator.core.farewell import PLAIN_FAREWELL, Farewell
from services.propagator.core.works import Plan, make_tombstone
from services.propagator.dispatch.work_log import WorkLog
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus
from shared.events.orders import Encoded
from shared.orders.writer import OrderWriter

POLL_FIRST = timedelta(seconds=1)
"""Facts tell of removals sooner."""
POLL_MAX = timedelta(seconds=10)


class WorkPublisher:
    """Has written what changes of one object, by what the log knows."""

    def __init__(self, bus: Bus, log: WorkLog) -> None:
        self._log = log
        self._writer = OrderWriter(bus, log, source="propagator")

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
        await _all(self._ask(key, one, held[one].sequence) for one in open_ones if ask)
        held = self._log.of(key)
        left = [one for one in waiting if one in held and held[one].deleted]
        ends = [self._end(key, one) for one in left if held[one].confirmed]
        await _all(ends)
        return len(ends) == len(left)

    async def _ask(self, key: ObjectKey, cluster: str, sequence: int) -> None:
        if await self._writer.is_removed(key, cluster, sequence):
            self._log.confirm(key, cluster, sequence)

    async def _publish(
        self, key: ObjectKey, cluster: str, encoded: Encoded, trace: str | None
    ) -> None:
        urgent = "move" if encoded.order.since else ""
        await self._writer.publish(key, cluster, encoded, urgent=urgent, trace=trace)

    async def _forget(self, key: ObjectKey, cluster: str) -> None:
        held = self._log.of(key).get(cluster)
        if held is not None:
            await self._writer.forget(key, cluster, make_tombstone(key, held), held.sequence)

    async def _end(self, key: ObjectKey, cluster: str) -> None:
        held = self._log.of(key).get(cluster)
        if held is not None:
            await self._writer.end(key, cluster, make_tombstone(key, held), held.sequence)


async def _all(writes: Iterable[Awaitable[None]]) -> None:
    """Wait for every one of them before the first error is raised."""
    for outcome in await asyncio.gather(*writes, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
