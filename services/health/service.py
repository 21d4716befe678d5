"""The composition root of health."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace

from services.health.core.fences import Leases
from services.health.reconcilers.door import HealthDoor
from services.health.reconcilers.fences import FenceReconciler, HeartbeatFollower
from services.health.reconcilers.judging import Judging
from services.health.reconcilers.probing import Connect, Probing
from services.health.reconcilers.reports import ReportFollower, ReportTable
from services.health.reconcilers.standings import CLUSTERS
from services.health.reconcilers.verdicts import ObservationFollower, ObservationTable, brake_of
from services.health.settings import Settings
from shared.apimachinery.manifest import ObjectKey
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import Bus
from shared.bus.topology import STREAMS
from shared.clock import Clock, SystemClock
from shared.controller.loop import Controller
from shared.interpretation import LiveInterpreters
from shared.lease.duty import held
from shared.lease.lease import Lease
from shared.lease.life import living
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import MemberLimits, open_member
from shared.memberapi.port import MemberApi
from shared.memberapi.sealing import EnvelopeKey, load_key
from shared.runtime.probes import Readiness, serve_probes
from shared.runtime.process import Runnable, run_until_stopped
from shared.store.jetstream import open_store
from shared.store.port import EVERYTHING, UNWATCHED, ObjectStore
from shared.telemetry.setup import telemetry

# A probe must never wait behind the pages of a large list.
# Late answers are waited for beside the next probes.
_LIMITS = MemberLimits(connections=8)


async def serve(settings: Settings) -> None:
    """Watch over the members until told to stop."""
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        stack.enter_context(telemetry("health", settings.telemetry))
        settings = replace(settings, lease=stack.enter_context(living(settings.lease)))
        await stack.enter_async_context(serve_probes(settings.probes, readiness))
        key = load_key(settings.envelope_key_file, settings.envelope_key)
        connection = await stack.enter_async_context(connect(settings.nats, "health"))
        await ensure_topology(connection, STREAMS)
        bus = open_bus(connection, "health")
        scopes = (CLUSTERS,) if settings.observes_only else (EVERYTHING,)
        store = await stack.enter_async_context(open_store(connection, scopes, UNWATCHED))
        readiness.checks["nats"] = lambda: bus.connected
        tasks = assemble(
            settings,
            store,
            bus,
            clock=SystemClock(),
            key=key,
            connect=_connect,
            readiness=readiness,
        )
        await run_until_stopped(tasks, readiness)


def assemble(
    settings: Settings,
    store: ObjectStore,
    bus: Bus,
    *,
    clock: Clock,
    key: EnvelopeKey,
    connect: Connect,
    readiness: Readiness,
) -> Mapping[str, Runnable]:
    """Wire health over any ports; what is returned runs for as long as it lives."""
    if settings.observes_only:
        eyes = Probing(bus, store.mirror, key=key, connect=connect, clock=clock, settings=settings)
        return {"probing": eyes.run}
    health = Health(store, bus, key=key, connect=connect, clock=clock, settings=settings)
    readiness.checks["reports"] = health.reports_known.is_set
    readiness.notes["lease health"] = lambda: health.lease.standing
    return health.tasks


def _connect(name: str, credentials: MemberCredentials) -> AbstractAsyncContextManager[MemberApi]:
    return open_member(credentials, name=name, limits=_LIMITS)


class Health:
    """The parts of health, wired over any store and bus; `tasks` run for as long as it lives."""

    def __init__(
        self,
        store: ObjectStore,
        bus: Bus,
        *,
        key: EnvelopeKey,
        connect: Connect,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._interpreters = LiveInterpreters(store.mirror)
        self.lease = Lease("health", bus, clock, settings.lease)
        self._judging: Judging | None = None
        self.observations_known = asyncio.Event()
        self.reports_known = asyncio.Event()

        # 1. Look: one loop per member, its word on the board HEALTH.
        self._probing = Probing(
            bus, store.mirror, key=key, connect=connect, clock=clock, settings=settings
        )
        # 2. Hear what all observers say of the members, and what all members report.
        self._table = ObservationTable(brake_of(settings), clock)
        self._words = ObservationFollower(bus, self._table, store.mirror, self._on_word)
        self._door = HealthDoor(bus, store.mirror, self._table, clock)
        self._reports = ReportTable()
        self._following = ReportFollower(bus, self._reports, self._on_report)
        # What members say of themselves stands beside that.
        leases = Leases()
        self._fences: Controller[str] = Controller(
            "fence",
            FenceReconciler(
                store,
                bus,
                leases,
                self._table,
                clock=clock,
                judge=self._on_word,
                on_duty=lambda: self.lease.held,
            ),
        )
        self._heartbeats = HeartbeatFollower(bus, leases, clock, self._fences.wake)

    @property
    def tasks(self) -> Mapping[str, Runnable]:
        return {
            "probing": self._probing.run,
            "observations": lambda: self._words.run(self.observations_known.set),
            "reports": lambda: self._following.run(self.reports_known.set),
            "heartbeats": self._heartbeats.run,
            "fences": self._keep_fences,
            "door": self._answer,
            # 3. Conclude from it: one process for all.
            "lease": held(self.lease, self._store, self._clock, self._begin),
        }

    def _begin(self) -> Mapping[str, Runnable]:
        self._judging = Judging(
            self._store,
            self._bus,
            self._table,
            self._reports,
            words_known=self.observations_known,
            reports_known=self.reports_known,
            interpreters=self._interpreters,
            clock=self._clock,
            settings=self._settings,
        )
        return self._judging.tasks

    def _on_word(self, cluster: str) -> None:
        if self._judging is not None and self.lease.held:
            self._judging.verdicts.wake(cluster)

    def _on_report(self, template: ObjectKey) -> None:
        if self._judging is not None and self.lease.held:
            self._judging.index.news(template)

    async def _keep_fences(self) -> None:
        self._fences.watch(self._store.mirror, CLUSTERS, lambda change: [change.stored.key.name])
        await self._fences.run()

    async def _answer(self) -> None:
        await self.observations_known.wait()
        await self._door.run()
