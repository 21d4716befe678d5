"""The composition root of traffic."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from services.traffic.dns.endpoints import ENDPOINTS
from services.traffic.dns.serving import Dns
from services.traffic.dns.upkeep import ZoneUpkeep
from services.traffic.dns.worldwide import POLICIES, ZONES
from services.traffic.front.balancing import Balancing
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.exports import CLUSTERS, HUB_EXPORTS
from services.traffic.reconcilers.feed import FeedDoor
from services.traffic.reconcilers.fleet import GROUPS
from services.traffic.reconcilers.guarding import Guard
from services.traffic.reconcilers.knowledge import Knowledge
from services.traffic.reconcilers.overview import OverviewDoor
from services.traffic.reconcilers.routes import RouteStandings
from services.traffic.reconcilers.routing import Routing
from services.traffic.reconcilers.sharing import Sharing
from services.traffic.reconcilers.writing import Writing
from services.traffic.settings import Settings
from shared.api.multicluster import CLUSTER_PROFILES, SERVICE_IMPORTS
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import Bus
from shared.bus.topology import STREAMS
from shared.clock import Clock, SystemClock
from shared.lease.duty import held
from shared.lease.lease import Lease
from shared.lease.life import living
from shared.runtime.probes import Readiness, serve_probes
from shared.runtime.process import Runnable, run_until_stopped
from shared.store.jetstream import open_store
from shared.store.port import UNWATCHED, ObjectStore, Scope
from shared.telemetry.setup import telemetry

SCOPES = (
    CLUSTERS,
    GROUPS,
    ZONES,
    POLICIES,
    HUB_EXPORTS,
    ENDPOINTS,
    *(Scope.of(one) for one in (SERVICE_IMPORTS, CLUSTER_PROFILES)),
)
"""What is mirrored here: no workload ever, so its number costs traffic nothing."""


async def serve(settings: Settings) -> None:
    """Keep the catalogue, and everything made of it, until told to stop."""
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        stack.enter_context(telemetry("traffic", settings.telemetry))
        settings = replace(settings, lease=stack.enter_context(living(settings.lease)))
        await stack.enter_async_context(serve_probes(settings.probes, readiness))
        connection = await stack.enter_async_context(connect(settings.nats, "traffic"))
        await ensure_topology(connection, STREAMS)
        bus = open_bus(connection, "traffic")
        if settings.dns.port is None and settings.front.config is None:
            readiness.checks["nats"] = lambda: bus.connected
        else:
            # Who answers for names, or balances, goes on without NATS, and must be asked on.
            readiness.notes["nats"] = lambda: "connected" if bus.connected else "away"
        if settings.front.config is not None:
            front = Balancing(bus, SystemClock(), settings.front)
            await run_until_stopped({"front": front.run}, readiness)
            return
        store = await stack.enter_async_context(open_store(connection, SCOPES, UNWATCHED))
        tasks = assemble(settings, store, bus, clock=SystemClock(), readiness=readiness)
        await run_until_stopped(tasks, readiness)


def assemble(
    settings: Settings, store: ObjectStore, bus: Bus, *, clock: Clock, readiness: Readiness
) -> Mapping[str, Runnable]:
    """Wire traffic over any ports; what is returned runs for as long as it lives."""
    traffic = Traffic(store, bus, clock=clock, settings=settings)
    readiness.checks["exports"] = traffic.catalogue.synced.is_set
    readiness.notes["lease traffic"] = lambda: traffic.lease.standing
    return traffic.tasks


class Traffic:
    """The parts of traffic, wired over any store and bus; `tasks` run for as long as it lives."""

    def __init__(self, store: ObjectStore, bus: Bus, *, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self.lease = Lease("traffic", bus, clock, settings.lease)
        self.catalogue = LiveCatalogue()
        self._guard = Guard(fail_fast=settings.loop.fail_fast)
        self.dns = Dns(
            store.mirror,
            bus,
            self.catalogue,
            clock=clock,
            settings=settings.dns,
            guard=self._guard,
        )
        self._feed = FeedDoor(bus, store.mirror, self.catalogue, self._guard)
        self.known = Knowledge(bus, store.mirror, self.catalogue, self._guard)
        self._overview = OverviewDoor(bus, store.mirror, self.known)

    @property
    def tasks(self) -> Mapping[str, Runnable]:
        if self._settings.dns.only:
            return {**self.dns.tasks, "exports": self.known.exports.run}
        return {
            # 1. Know: every process, and answer from it.
            **self.dns.tasks,
            "feed": self._feed.run,
            "overview": self._overview.run,
            **self.known.tasks,
            # 2. Write: one process for all.
            "lease": held(self.lease, self._store, self._clock, self._begin),
        }

    def _begin(self) -> Mapping[str, Runnable]:
        """What one term of the lease runs."""
        standings = RouteStandings()
        sharing = Sharing(
            self._store,
            self._bus,
            self.catalogue,
            standings=standings,
            clock=self._clock,
            settings=self._settings,
            guard=self._guard,
        )
        routing = Routing(
            self._store,
            self._bus,
            self.known,
            standings,
            clock=self._clock,
            settings=self._settings,
        )
        writing = Writing(
            self._store, self._bus, self.known, clock=self._clock, settings=self._settings
        )
        zones = ZoneUpkeep(self._store, self._bus, self.dns, self._clock)
        return {**sharing.tasks, **routing.tasks, **writing.tasks, "zones": zones.run}
