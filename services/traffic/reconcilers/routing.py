"""Keeping the routes of all policies, for one term of the lease."""

from collections.abc import Mapping

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.routes import policy_of
from services.traffic.reconcilers.fleet import CLUSTERS, GROUPS, FleetView, matters
from services.traffic.reconcilers.hub_objects import HubObjects
from services.traffic.reconcilers.knowledge import Knowledge
from services.traffic.reconcilers.measurements import PolicyName
from services.traffic.reconcilers.publishing import OrderPublisher
from services.traffic.reconcilers.routes import RouteReconciler, RouteStandings
from services.traffic.reconcilers.splits import POLICIES, policies_of, policy_key
from services.traffic.settings import Settings
from shared.apimachinery.manifest import ObjectKey, part_of
from shared.bus.port import Bus
from shared.clock import Clock
from shared.controller.loop import Controller
from shared.runtime.process import Runnable
from shared.store.port import Change, ObjectStore


class Routing:
    """`tasks` run once."""

    def __init__(
        self,
        store: ObjectStore,
        bus: Bus,
        known: Knowledge,
        standings: RouteStandings,
        *,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._store = store
        self._known = known
        self._clock = clock
        self._fleet = FleetView(store.mirror)
        self._routes: Controller[ObjectKey] = Controller(
            "route",
            RouteReconciler(
                store=store,
                known=known,
                fleet=self._fleet,
                publisher=OrderPublisher(bus, known.orders),
                hub=HubObjects(store, clock),
                standings=standings,
            ),
            settings.loop,
        )

    @property
    def tasks(self) -> Mapping[str, Runnable]:
        return {"routes": self._keep}

    async def _keep(self) -> None:
        while not self._known.is_complete:
            await self._clock.sleep(0.02)
        mirror = self._store.mirror
        self._routes.watch(mirror, POLICIES, lambda change: [change.stored.key])
        self._routes.watch(mirror, CLUSTERS, lambda one: self._all() if matters(one) else [])
        self._routes.watch(mirror, GROUPS, self._all)
        stops = [
            self._known.catalogue.listen(self._on_service),
            self._known.orders.on_change(self._on_owner),
            self._fleet.stop,
        ]
        try:
            await self._routes.run()
        finally:
            for stop in stops:
                stop()

    def _all(self, _change: Change | None = None) -> list[ObjectKey]:
        return [
            stored.key
            for stored in self._store.mirror.items(POLICIES)
            if part_of(stored.manifest, "spec").get("routes")
        ]

    def _on_service(self, name: ServiceName) -> None:
        for stored in policies_of(self._store.mirror, name):
            if part_of(stored.manifest, "spec").get("routes"):
                self._routes.wake(stored.key)

    def _on_owner(self, owner: str) -> None:
        name = policy_of(owner)
        if name is not None:
            self._routes.wake(policy_key(PolicyName(*name)))
