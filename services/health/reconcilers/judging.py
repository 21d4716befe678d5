"""What one process at a time concludes from what all of them see, for one term of the lease."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any

from services.health.reconcilers.pace import Pace
from services.health.reconcilers.reports import ReportTable
from services.health.reconcilers.standings import CLUSTERS
from services.health.reconcilers.statuses import BindingIndex, StatusReconciler
from services.health.reconcilers.stranding import Stranding
from services.health.reconcilers.verdicts import ObservationTable, VerdictReconciler
from services.health.settings import Settings
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus
from shared.clock import Clock
from shared.controller.loop import Controller, LoopSettings
from shared.interpretation import LiveInterpreters, objects_of
from shared.interpreter.registry import KindName
from shared.store.port import ObjectStore


class Judging:
    """Verdicts on members, and the status of bindings and templates. `tasks` run once."""

    def __init__(
        self,
        store: ObjectStore,
        bus: Bus,
        words: ObservationTable,
        reports: ReportTable,
        *,
        words_known: asyncio.Event,
        reports_known: asyncio.Event,
        interpreters: LiveInterpreters,
        clock: Clock,
        settings: Settings,
    ) -> None:
        """*words_known* and *reports_known*: set once the tables are complete."""
        self._store = store
        self._clock = clock
        self._words_known = words_known
        self._reports_known = reports_known
        self._interpreters = interpreters
        # 1. Judge: the words of all observers become the status of a Cluster.
        self.verdicts: Controller[str] = Controller(
            "verdict", VerdictReconciler(store, bus, words, clock=clock, settings=settings)
        )
        # 2. Fold: the reports of all members become the status of binding and template.
        loop = LoopSettings(workers=settings.fold_workers)
        self._resync = loop.resync
        pace = Pace(
            self._wake_after, clock, delay=settings.fold_delay, interval=settings.fold_interval
        )
        self.index = BindingIndex(store.mirror, reports, pace)
        self._stranding = Stranding(store.mirror, self._news_of_pods)
        self._statuses: Controller[ObjectKey] = Controller(
            "status",
            StatusReconciler(
                store,
                self.index,
                reports,
                pace,
                clock,
                interpreters=interpreters,
                stranding=self._stranding,
            ),
            loop,
        )

    @property
    def tasks(self) -> Mapping[str, Callable[[], Coroutine[Any, Any, None]]]:
        return {
            "verdicts": self._judge,
            "statuses": self._fold,
            "resync": self._wake_all_for_ever,
        }

    def _wake_kinds(self, kinds: frozenset[KindName]) -> None:
        for key in objects_of(self._store.mirror, kinds):
            self._wake_after(key, timedelta(0))

    def _news_of_pods(self, template: ObjectKey) -> None:
        # Members have pods of their own, too.
        if self.index.binding_of(template) is not None:
            self.index.news(template)

    def _wake_after(self, template: ObjectKey, delay: timedelta) -> None:
        self._statuses.wake_after(template, delay)

    async def _judge(self) -> None:
        await self._words_known.wait()
        self.verdicts.watch(self._store.mirror, CLUSTERS, lambda change: [change.stored.key.name])
        await self.verdicts.run()

    async def _fold(self) -> None:
        await self._reports_known.wait()
        stops = [
            self._interpreters.on_change(self._wake_kinds),
            self.index.start(),
            self._stranding.start(),
        ]
        try:
            await self._statuses.run()
        finally:
            for stop in stops:
                stop()

    async def _wake_all_for_ever(self) -> None:
        while True:
            await self._clock.sleep(self._resync.total_seconds())
            for template in self.index.templates():
                self.index.news(template)
