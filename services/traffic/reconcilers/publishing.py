"""Putting traffic's orders into WORK, and taking them back."""

import asyncio
from collections.abc import Awaitable, Iterable

from services.traffic.core.orders import Held, Plan, make_tombstone
from services.traffic.reconcilers.order_log import OrderLog, Place
from shared.bus.port import Bus
from shared.events.orders import Encoded
from shared.orders.writer import OrderWriter

_BATCH = 512


class OrderPublisher:
    def __init__(self, bus: Bus, log: OrderLog) -> None:
        self._log = log
        self._writer = OrderWriter(bus, log, source="traffic")

    async def carry_out(self, plan: Plan, owner: str) -> None:
        """Publish, revoke and forget; raises `StaleRevision` where somebody else wrote.

        Everything that can be told is told before the first error is raised.
        """
        held = self._log.of(owner)
        writes = [
            self._publish(place, encoded, changed=place in held)
            for place, encoded in plan.publish.items()
            if not self._log.is_anothers(place, owner)
        ]
        for cluster, key in plan.revoke:
            tombstone = make_tombstone(key, held[cluster, key])
            writes.append(self._writer.publish(key, cluster, tombstone))
        for cluster, key in plan.forget:
            known = held[cluster, key]
            tombstone = make_tombstone(key, known)
            writes.append(self._writer.forget(key, cluster, tombstone, known.sequence))
        await _all(writes)

    async def settle(self, owner: str) -> bool:
        """End the removals that members confirmed; False while there are others."""
        waiting = [(place, one) for place, one in self._log.of(owner).items() if one.deleted]
        outcomes = await asyncio.gather(*(self._confirm(*one) for one in waiting))
        return all(outcomes)

    async def _confirm(self, place: Place, held: Held) -> bool:
        cluster, key = place
        if not await self._writer.is_removed(key, cluster, held.sequence):
            return False
        await self._writer.end(key, cluster, make_tombstone(key, held), held.sequence)
        return True

    async def _publish(self, place: Place, encoded: Encoded, *, changed: bool) -> None:
        cluster, key = place
        # Clients go where it says now: it does not wait behind what is rolled out.
        urgent = "endpoints" if changed and encoded.order.kind == "EndpointSlice" else ""
        await self._writer.publish(key, cluster, encoded, urgent=urgent)


async def _all(writes: Iterable[Awaitable[None]]) -> None:
    """Wait for every one of them, so many at a time, before the first error is raised."""
    left = list(writes)
    error: BaseException | None = None
    while left:
        batch, left = left[:_BATCH], left[_BATCH:]
        for outcome in await asyncio.gather(*batch, return_exceptions=True):
            if isinstance(outcome, BaseException) and error is None:
                error = outcome
    if error is not None:
        raise error
