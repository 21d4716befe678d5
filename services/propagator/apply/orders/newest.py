"""The newest order for an object: read from WORK when it is needed, and only then.

An order that has waited for its turn for long is read again: a member that was away is then told
the last word on each object once, and nothing that has been said before it.
"""

import msgspec

from services.propagator.apply.objects import Objects, TrackedObject
from services.propagator.apply.orders.presence import Presence
from shared.bus.port import Bus, Message
from shared.bus.topology import WORK
from shared.clock import Clock
from shared.events import subjects
from shared.events.work import ENDED, REMOVED, WorkOrder, decode_order, is_end

LONG_SECONDS = 60.0


class NewestOrders:
    """Of one member."""

    def __init__(
        self,
        cluster: str,
        bus: Bus,
        clock: Clock,
        objects: Objects,
        presence: Presence | None = None,
    ) -> None:
        self._cluster = cluster
        self._bus = bus
        self._clock = clock
        self._objects = objects
        self._presence = presence or Presence(bus, clock)

    async def read(self, tracked: TrackedObject) -> WorkOrder | None:
        """The newest order for the object; None where there is none any more."""
        if tracked.message is None or self._may_be_late(tracked):
            message = await self._bus.last(WORK, subjects.work(self._cluster, tracked.key))
            if message is None or is_end(message.headers):
                message = self._objects.tombstone_of(tracked) or _removal_of(tracked, message)
            if message is None:
                # Dispatch asks for nothing here, so there is nothing to do.
                self._objects.drop(tracked)
                if tracked.delivery is not None:
                    delivery, tracked.delivery = tracked.delivery, None
                    await delivery.acknowledge()
                return None
            tracked.take_up(message, self._clock.monotonic())
        body = tracked.message.body if tracked.message is not None else b""
        try:
            order = decode_order(body)
        except msgspec.DecodeError:
            tracked.pending, tracked.message = False, None
            if tracked.delivery is not None:
                delivery, tracked.delivery = tracked.delivery, None
                await delivery.reject("the order cannot be decoded", body)
            return None
        tracked.read(order)
        return order

    def _may_be_late(self, tracked: TrackedObject) -> bool:
        waited = self._clock.monotonic() - tracked.received
        return waited > LONG_SECONDS or not self._presence.is_certain_of(tracked.received)

    async def is_outdated(self, tracked: TrackedObject) -> bool:
        """Whether our order is no longer the last word in WORK, as the live object suggests.

        It still is, where WORK itself began anew; it is not, where another worker has taken over.
        """
        last = await self._bus.last(WORK, subjects.work(self._cluster, tracked.key))
        return last is None or last.sequence != tracked.sequence


def _removal_of(tracked: TrackedObject, end: Message | None) -> Message | None:
    """The *end* of an order, where it tells that a stray was removed after it was as it is.

    What a member keeps since it has left is its own.
    """
    if end is None or end.headers.get(ENDED) != REMOVED or tracked.seen is None:
        return None
    older = 0 < tracked.seen.work_generation < end.sequence
    return end if tracked.stray and older else None
