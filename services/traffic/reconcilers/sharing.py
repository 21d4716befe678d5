"""Deciding all policies, for one term of the lease."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from services.traffic.core.catalogue import ServiceName
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.fleet import CLUSTERS, GROUPS, FleetView
from services.traffic.reconcilers.guarding import Guard
from services.traffic.reconcilers.measurements import MeasurementTable, PolicyName
from services.traffic.reconcilers.routes import RouteStandings
from services.traffic.reconcilers.splits import POLICIES, SplitReconciler, policy_key
from services.traffic.settings import Settings
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus
from shared.clock import Clock
from shared.controller.loop import Controller
from shared.store.port import ObjectStore


class Sharing:
    """`tasks` run once."""

    def __init__(
        self,
        store: ObjectStore,
        bus: Bus,
        catalogue: LiveCatalogue,
        *,
        standings: RouteStandings,
        clock: Clock,
        settings: Settings,
        guard: Guard,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._fleet = FleetView(store.mirror)
        self._measurements = MeasurementTable(bus, self._on_word, guard)
        self._reconciler = SplitReconciler(
            store,
            bus,
            catalogue,
            self._fleet,
            measurements=self._measurements,
            standings=standings,
            clock=clock,
            settings=settings,
        )
        standings.wake = self._on_word
        self.splits: Controller[ObjectKey] = Controller("split", self._reconciler, settings.loop)

    @property
    def tasks(self) -> Mapping[str, Callable[[], Coroutine[Any, Any, None]]]:
        return {
            "measurements": self._measurements.run,
            "splits": self._decide,
        }

    async def _decide(self) -> None:
        await self._catalogue.synced.wait()
        await self._measurements.known.wait()
        mirror, reconciler = self._store.mirror, self._reconciler
        self.splits.watch(mirror, POLICIES, reconciler.of_change)
        self.splits.watch(mirror, CLUSTERS, reconciler.all_if_it_matters)
        self.splits.watch(mirror, GROUPS, reconciler.all_of)
        stops = [self._catalogue.listen(self._on_service), self._fleet.stop]
        try:
            await self.splits.run()
        finally:
            for stop in stops:
                stop()

    def _on_service(self, name: ServiceName) -> None:
        for key in self._reconciler.of_service(name):
            self.splits.wake(key)

    def _on_word(self, policy: PolicyName) -> None:
        self.splits.wake(policy_key(policy))
