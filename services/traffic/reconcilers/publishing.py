"""Putting traffic's orders into WORK, and taking them back, by compare-and-set.

A removal takes two messages, as dispatch's do: the tombstone, and once the member reported that it
was carried out, the end, which expires.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import timedelta

from services.traffic.core.orders import Held, Plan, held_of, make_tombstone
from services.traffic.reconcilers.order_log import OrderLog, Place
from shared.bus.port import Bus, Message
from shared.bus.topology import ENDS_KEPT, STATUS
from shared.errors import StaleRevision
from shared.events import subjects
from shared.events.orders import Encoded, order_headers
from shared.events.work import ENDED, REMOVED, URGENT, decode_report

_BATCH = 512
SOURCE = "traffic"


class OrderPublisher:
    def __init__(self, bus: Bus, log: OrderLog) -> None:
        self._bus = bus
        self._log = log

    async def carry_out(self, plan: Plan, owner: str) -> None:
        """Publish, revoke and forget; raises `StaleRevision` where somebody else wrote.

        Everything that can be told is told before the first error is raised.
        """
        held = self._log.of(owner)
        writes = [
            self._publish(place, encoded, changed=place in held)
            for place, encoded in plan.publish.items()
            if place not in self._log.foreign
        ]
        writes += [self._revoke(place, held[place]) for place in plan.revoke]
        writes += [self._forget(place, held[place]) for place in plan.forget]
        await _all(writes)

    async def settle(self, owner: str) -> bool:
        """End the removals that members confirmed; False while there are others."""
        waiting = [(place, one) for place, one in self._log.of(owner).items() if one.deleted]
        outcomes = await asyncio.gather(*(self._confirm(*one) for one in waiting))
        return all(outcomes)

    async def _confirm(self, place: Place, held: Held) -> bool:
        cluster, key = place
        message = await self._bus.last(STATUS, subjects.status(cluster, key))
        if message is None or not message.body:
            return False
        report = decode_report(message.body)
        if report.is_removed and report.generation == held.sequence:
            await self._end(place, held, REMOVED)
            return True
        return False

    async def _publish(self, place: Place, encoded: Encoded, *, changed: bool) -> None:
        headers = order_headers(encoded, self._log.last_of(place), source=SOURCE)
        if changed and encoded.order.kind == "EndpointSlice":
            # Clients go where it says now: it does not wait behind what is rolled out.
            headers[URGENT] = "endpoints"
        sequence = await self._write(place, encoded, headers)
        self._log.record(place, held_of(encoded.order, sequence))

    async def _revoke(self, place: Place, held: Held) -> None:
        tombstone = make_tombstone(place[1], held)
        headers = {**order_headers(tombstone, held.sequence, source=SOURCE), URGENT: "removal"}
        sequence = await self._write(place, tombstone, headers)
        self._log.record(place, held_of(tombstone.order, sequence))

    async def _forget(self, place: Place, held: Held) -> None:
        """The member has left: nobody is there to obey, or to report."""
        await self._bus.publish(Message(subjects.status(*place), b""), ttl=ENDS_KEPT)
        await self._end(place, held, "left")

    async def _end(self, place: Place, held: Held, why: str) -> None:
        tombstone = make_tombstone(place[1], held)
        headers = {**order_headers(tombstone, held.sequence, source=SOURCE), ENDED: why}
        sequence = await self._write(place, tombstone, headers, ttl=ENDS_KEPT)
        self._log.end(place, sequence)

    async def _write(
        self, place: Place, encoded: Encoded, headers: dict[str, str], ttl: timedelta | None = None
    ) -> int:
        message = Message(subjects.work(*place), encoded.body, headers)
        try:
            expected = self._log.last_of(place)
            return await self._bus.publish(message, expected=expected, ttl=ttl)
        except StaleRevision:
            await self._log.refresh(place)
            raise


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
