"""What dispatch goes by, kept current by the process that orders and by those that stand by.

All of them answer questions from it.
"""

from services.propagator.dispatch.bindings import BindingIndex
from services.propagator.dispatch.orders import ParsedObjects
from services.propagator.dispatch.render_door import RenderDoor
from services.propagator.dispatch.work_log import WorkLog
from shared.bus.port import Bus
from shared.interpretation import LiveInterpreters
from shared.store.port import ObjectStore


class DispatchView:
    """Indexes over the store's mirror, and the mirror of WORK."""

    def __init__(self, store: ObjectStore, bus: Bus) -> None:
        # Before whoever is woken by a change: the indexes must have seen it first.
        self.interpreters = LiveInterpreters(store.mirror)
        self.bindings = BindingIndex(store)
        self.parsed = ParsedObjects(store.mirror)
        self.log = WorkLog(bus)
        self._door = RenderDoor(bus, store.mirror, self.bindings, self.parsed, self.interpreters)

    async def run_requests(self) -> None:
        """Answer what members would hold until cancelled."""
        await self._door.run()

    def close(self) -> None:
        """Follow the store no longer."""
        self.bindings.close()
        self.interpreters.close()
