"""The newest order for an object: read from WORK when it is needed, and only then."""

import msgspec

from services.propagator.apply.objects import Objects, TrackedObject
from shared.bus.port import Bus
from shared.bus.topology import WORK
from shared.events import subjects
from shared.events.work import WorkOrder, decode_order


class NewestOrders:
    """Of one member."""

    def __init__(self, cluster: str, bus: Bus, objects: Objects) -> None:
        self._cluster = cluster
        self._bus = bus
        self._objects = objects

    async def read(self, tracked: TrackedObject) -> WorkOrder | None:
        """The newest order for the object; None where there is none any more."""
        if tracked.message is None:
            message = await self._bus.last(WORK, subjects.work(self._cluster, tracked.key))
            if message is None:
                # Purged: dispatch asks for nothing here, so there is nothing to do.
                self._objects.drop(tracked)
                return None
            tracked.message, tracked.sequence = message, message.sequence
        try:
            order = decode_order(tracked.message.body)
        except msgspec.DecodeError:
            tracked.pending, tracked.message = False, None
            if tracked.delivery is not None:
                delivery, tracked.delivery = tracked.delivery, None
                await delivery.reject("the order cannot be decoded")
            return None
        tracked.read(order)
        return order

    async def is_outdated(self, tracked: TrackedObject) -> bool:
        """Whether our order is no longer the last word in WORK, as the live object suggests.

        It still is, where WORK itself began anew; it is not, where another worker has taken over.
        """
        last = await self._bus.last(WORK, subjects.work(self._cluster, tracked.key))
        return last is None or last.sequence != tracked.sequence
