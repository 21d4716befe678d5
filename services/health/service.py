"""The composition root of health."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta

from services.health.reconcilers.door import HealthDoor
from services.health.reconcilers.pace import Pace
from services.health.reconcilers.probing import Connect, Probing
from services.health.reconcilers.standings import CLUSTERS
from services.health.reconcilers.statuses import (
    BindingIndex,
    ReportFollower,
    ReportTable,
    StatusReconciler,
)
from services.health.reconcilers.verdicts import (
    ObservationFollower,
    ObservationTable,
    VerdictReconciler,
    brake_of,
)
from services.health.settings import Settings
from shared.apimachinery.manifest import ObjectKey
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import Bus
from shared.bus.topology import STREAMS
from shared.clock import Clock, SystemClock
from shared.controller.loop import Controller, LoopSettings
from shared.interpretation import LiveInterpreters, objects_of
from shared.interpreter.registry import KindName
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import MemberLimits, open_member
from shared.memberapi.port import MemberApi
from shared.memberapi.sealing import EnvelopeKey, load_key
from shared.runtime.probes import Readiness, serve_probes
from shared.runtime.process import Runnable, run_until_stopped
from shared.store.jetstream import open_store
from shared.store.port import UNWATCHED, ObjectStore
from shared.telemetry.setup import telemetry

# A probe must never wait behind the pages of a large list.
# Late answers are waited for beside the next probes.
_LIMITS = MemberLimits(connections=8)


async def serve(settings: Settings) -> None:
    """Watch over the members until told to stop."""
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        stack.enter_context(telemetry("health", settings.telemetry))
        await stack.enter_async_context(serve_probes(settings.probes, readiness))
        key = load_key(settings.envelope_key_file, settings.envelope_key)
        connection = await stack.enter_async_context(connect(settings.nats, "health"))
        await ensure_topology(connection, STREAMS)
        bus = open_bus(connection, "health")
        store = await stack.enter_async_context(open_store(connection, limits=UNWATCHED))
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
    health = Health(store, bus, key=key, connect=connect, clock=clock, settings=settings)
    readiness.checks["reports"] = health.reports_known.is_set
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
        self._clock = clock
        interpreters = LiveInterpreters(store.mirror)
        interpreters.on_change(self._wake_kinds)
        self.observations_known = asyncio.Event()
        self.reports_known = asyncio.Event()

        # 1. Look: one loop per member, its word on the board HEALTH.
        self._probing = Probing(
            bus, store.mirror, key=key, connect=connect, clock=clock, settings=settings
        )
        # 2. Judge: the words of all observers become the status of a Cluster.
        words = ObservationTable(brake_of(settings))
        self._verdicts: Controller[str] = Controller(
            "verdict", VerdictReconciler(store, bus, words, clock=clock, settings=settings)
        )
        self._words = ObservationFollower(bus, words, store.mirror, self._verdicts.wake)
        self._door = HealthDoor(bus, store.mirror, words, clock)
        # 3. Fold: the reports of all members become the status of binding and template.
        reports = ReportTable()
        loop = LoopSettings(workers=settings.fold_workers)
        self._resync = loop.resync
        pace = Pace(
            self._wake_after, clock, delay=settings.fold_delay, interval=settings.fold_interval
        )
        self._index = BindingIndex(store.mirror, reports, pace)
        self._statuses: Controller[ObjectKey] = Controller(
            "status",
            StatusReconciler(store, self._index, reports, pace, clock, interpreters=interpreters),
            loop,
        )
        self._reports = ReportFollower(bus, reports, self._index.news)

    @property
    def tasks(self) -> Mapping[str, Runnable]:
        return {
            "probing": self._probing.run,
            "observations": lambda: self._words.run(self.observations_known.set),
            "verdicts": self._judge,
            "door": self._answer,
            "reports": lambda: self._reports.run(self.reports_known.set),
            "statuses": self._fold,
            "resync": self._wake_all_for_ever,
        }

    def _wake_kinds(self, kinds: frozenset[KindName]) -> None:
        for key in objects_of(self._store.mirror, kinds):
            self._wake_after(key, timedelta(0))

    def _wake_after(self, template: ObjectKey, delay: timedelta) -> None:
        self._statuses.wake_after(template, delay)

    async def _judge(self) -> None:
        await self.observations_known.wait()
        self._verdicts.watch(self._store.mirror, CLUSTERS, lambda change: [change.stored.key.name])
        await self._verdicts.run()

    async def _answer(self) -> None:
        await self.observations_known.wait()
        await self._door.run()

    async def _fold(self) -> None:
        await self.reports_known.wait()
        stop = self._index.start()
        try:
            await self._statuses.run()
        finally:
            stop()

    async def _wake_all_for_ever(self) -> None:
        while True:
            await self._clock.sleep(self._resync.total_seconds())
            for template in self._index.templates():
                self._index.news(template)
