"""What one process of traffic at a time does: imports, profiles, and what is told of exports."""

from collections.abc import Mapping
from datetime import timedelta

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.orders import service_of
from services.traffic.reconcilers.definitions import KEYS, NAMESPACE_KEY, DefinitionReconciler
from services.traffic.reconcilers.exports import CLUSTERS
from services.traffic.reconcilers.hub_objects import HubObjects
from services.traffic.reconcilers.knowledge import Knowledge
from services.traffic.reconcilers.members import NETWORKS_LOOK, MemberReconciler, member_of
from services.traffic.reconcilers.publishing import OrderPublisher
from services.traffic.reconcilers.service_facts import ServiceFacts
from services.traffic.reconcilers.services import ServiceReconciler
from services.traffic.settings import Settings
from shared.api.multicluster import SERVICE_EXPORTS, SERVICE_IMPORTS
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus
from shared.clock import Clock
from shared.controller.loop import Controller
from shared.runtime.process import Runnable
from shared.store.port import Change, ObjectStore, Scope

_GATHER = timedelta(milliseconds=100)

_IMPORTS = Scope.of(SERVICE_IMPORTS)
_EXPORTS = Scope.of(SERVICE_EXPORTS)


class Writing:
    """Wired for one term of the lease; it begins once all that it reads is known."""

    def __init__(
        self, store: ObjectStore, bus: Bus, known: Knowledge, *, clock: Clock, settings: Settings
    ) -> None:
        self._store = store
        self._known = known
        self._clock = clock
        self._in_use = False
        hub = HubObjects(store, clock)
        publisher = OrderPublisher(bus, known.orders)
        self._services: Controller[ServiceName] = Controller(
            "service",
            ServiceReconciler(
                store=store,
                known=known,
                publisher=publisher,
                hub=hub,
                facts=ServiceFacts(bus, clock),
                clock=clock,
            ),
            settings.loop,
        )
        self._members: Controller[str] = Controller(
            "member",
            MemberReconciler(
                store=store,
                bus=bus,
                known=known,
                publisher=publisher,
                hub=hub,
                clock=clock,
                clusterset=settings.clusterset,
                in_use=lambda: self._in_use,
            ),
            settings.loop,
        )
        self._definitions: Controller[ObjectKey] = Controller(
            "definition", DefinitionReconciler(hub, clock), settings.loop
        )

    @property
    def tasks(self) -> Mapping[str, Runnable]:
        return {
            "services": self._keep_services,
            "members": self._keep_members,
            "definitions": self._keep_definitions,
        }

    async def _keep_services(self) -> None:
        await self._until_known()
        stops = [
            self._known.exports.listen(self._wake_service),
            self._known.orders.on_change(self._wake_owner),
        ]
        for scope in (_IMPORTS, _EXPORTS):
            self._services.watch(self._store.mirror, scope, _service_keys)
        try:
            await self._services.run()
        finally:
            for stop in stops:
                stop()

    async def _keep_members(self) -> None:
        await self._until_known()
        self._members.watch(self._store.mirror, CLUSTERS, lambda change: [change.stored.key.name])
        # Of members that left while nobody looked.
        for name in self._known.table.reporters:
            self._members.wake(name)
        await self._members.run()

    async def _keep_definitions(self) -> None:
        for key in (NAMESPACE_KEY, *KEYS):
            self._definitions.wake(key)
        await self._definitions.run()

    async def _until_known(self) -> None:
        while not self._known.is_complete:
            await self._clock.sleep(0.02)

    def _wake_service(self, name: ServiceName, pressing: bool = False) -> None:  # noqa: FBT001, FBT002 - a callback.
        if pressing:
            self._services.wake(name)
        else:
            # What all members say of one service in turn is taken in together.
            self._services.wake_after(name, _GATHER)
        for cluster in self._known.table.reports.get(name, ()):
            self._members.wake_after(cluster, NETWORKS_LOOK)
        if not self._in_use:
            # From now on members need the standard's kinds.
            self._in_use = True
            for cluster in self._known.table.fleet:
                self._members.wake(cluster)

    def _wake_owner(self, owner: str) -> None:
        name = service_of(owner)
        if name is not None:
            self._wake_service(name)
            return
        member = member_of(owner)
        if member is not None:
            self._members.wake(member)


def _service_keys(change: Change) -> list[ServiceName]:
    key = change.stored.key
    return [ServiceName(key.namespace, key.name)]
