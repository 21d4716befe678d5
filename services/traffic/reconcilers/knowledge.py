"""All that traffic goes by, kept by every process, so that whoever takes over begins at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.export_table import ExportTable
from services.traffic.reconcilers.exports import ExportFollower
from services.traffic.reconcilers.guarding import Guard
from services.traffic.reconcilers.notes import NoteLog
from services.traffic.reconcilers.order_log import OrderLog
from services.traffic.reconcilers.strays import StrayFollower
from shared.bus.port import Bus
from shared.runtime.process import Runnable
from shared.store.port import Mirror


@dataclass(slots=True)
class Knowledge:
    """What members report, what they were ordered, and what their objects are to show."""

    bus: Bus
    mirror: Mirror
    catalogue: LiveCatalogue
    guard: Guard
    table: ExportTable = field(init=False)
    exports: ExportFollower = field(init=False)
    orders: OrderLog = field(init=False)
    notes: NoteLog = field(init=False)

    def __post_init__(self) -> None:
        self.table = ExportTable(self.mirror)
        self.exports = ExportFollower(self.bus, self.mirror, self.table, self.catalogue, self.guard)
        self.orders = OrderLog(self.bus, self.guard)
        self.notes = NoteLog(self.bus, self.guard)

    @property
    def tasks(self) -> Mapping[str, Runnable]:
        return {
            "exports": self.exports.run,
            "orders": self.orders.run,
            "notes": self.notes.run,
            "strays": StrayFollower(self.bus, self.orders, self.guard).run,
        }

    @property
    def is_complete(self) -> bool:
        """Whether everything that lay on NATS has been read once."""
        read = (self.catalogue.synced, self.orders.caught_up, self.notes.caught_up)
        return all(one.is_set() for one in read)
