"""Dispatch wired up: the reconcilers, and what wakes them. For one term of the lease."""

from datetime import timedelta

from services.propagator.dispatch.confirmations import Confirmations
from services.propagator.dispatch.orders import POLICY_RESOURCES, ParsedObjects
from services.propagator.dispatch.override_status import (
    SETTLE,
    OverrideFailures,
    OverrideStatusReconciler,
)
from services.propagator.dispatch.publisher import WorkPublisher
from services.propagator.dispatch.reconciler import DispatchReconciler
from services.propagator.dispatch.rollouts.announcements import RolloutAnnouncements
from services.propagator.dispatch.rollouts.director import RolloutDirector
from services.propagator.dispatch.rollouts.records import RolloutRecords
from services.propagator.dispatch.rollouts.writing import RolloutWriter
from services.propagator.dispatch.view import DispatchView
from services.propagator.dispatch.wakes import Wakes, work_keys
from services.propagator.dispatch.work_log import WorkLog
from shared.api.meta import GROUP
from shared.apimachinery.manifest import GroupResource, ObjectKey
from shared.bus.port import Bus
from shared.clock import Clock
from shared.controller.loop import Controller, LoopSettings
from shared.interpretation import objects_of
from shared.interpreter.registry import KindName
from shared.store.port import EVERYTHING, Change, ObjectStore, Scope


class Dispatcher:
    """Every task of dispatch by name, for the process to run; none runs twice."""

    def __init__(
        self,
        store: ObjectStore,
        bus: Bus,
        clock: Clock,
        settings: LoopSettings | None = None,
        view: DispatchView | None = None,
    ) -> None:
        """*view*: kept by the process, over the same store and bus; None for one of its own."""
        self._store = store
        self.view = view if view is not None else DispatchView(store, bus)
        self._stops = [] if view is not None else [self.view.close]
        self._stops.append(self.view.interpreters.on_change(self._wake_kinds))
        self._bindings, parsed = self.view.bindings, self.view.parsed
        self._status = OverrideStatusReconciler(store, clock)
        self._status_controller = Controller[ObjectKey]("override-status", self._status, settings)
        self._failures = OverrideFailures(bus, clock, self._wake_status)
        self._status.failures = self._failures
        self._records = RolloutRecords(store, self._wake)
        self._controller = Controller[ObjectKey](
            "dispatch",
            DispatchReconciler(
                store=store,
                bindings=self._bindings,
                log=self.log,
                publisher=WorkPublisher(bus, self.log),
                parsed=parsed,
                interpreters=self.view.interpreters,
                failures=self._failures,
                rollouts=self._direct(parsed, bus, clock),
                wake=self._wake,
            ),
            settings,
        )
        self._confirmations = Confirmations(bus, self.log, self._wake)
        self._wakes = Wakes(store.mirror, self._bindings, self.log, parsed)

    def _direct(self, parsed: ParsedObjects, bus: Bus, clock: Clock) -> RolloutDirector:
        return RolloutDirector(
            records=self._records,
            writer=RolloutWriter(self._store, self._records, clock),
            announcements=RolloutAnnouncements(bus, clock),
            log=self.log,
            parsed=parsed,
            clock=clock,
            wake_after=self._wake_after,
        )

    @property
    def log(self) -> WorkLog:
        return self.view.log

    @property
    def idle(self) -> bool:
        return self._controller.idle

    async def run(self) -> None:
        """Reconcile until cancelled; begins once the log of WORK is complete."""
        try:
            await self.log.caught_up.wait()
            self._stops.append(self.log.on_change(self._wake_work))
            self._controller.watch(self._store.mirror, EVERYTHING, self._wakes.keys)
            await self._controller.run()
        finally:
            self._records.close()
            for stop in self._stops:
                stop()

    async def run_status(self) -> None:
        """Write the conditions of override policies until cancelled."""
        for resource in POLICY_RESOURCES:
            scope = Scope.of(GroupResource(GROUP, resource))
            self._status_controller.watch(self._store.mirror, scope, self._status_keys)
        await self._status_controller.run()

    async def run_facts(self) -> None:
        await self._failures.publish()

    async def run_confirmations(self) -> None:
        """Hear of removals until cancelled."""
        await self._confirmations.run()

    def _status_keys(self, change: Change) -> tuple[ObjectKey, ...]:
        # After a while: the objects it selects are rendered first.
        self._wake_status(change.stored.key)
        return ()

    def _wake(self, key: ObjectKey) -> None:
        self._controller.wake(key)

    def _wake_kinds(self, kinds: frozenset[KindName]) -> None:
        for key in objects_of(self._store.mirror, kinds):
            if self._bindings.has(key):
                self._wake(key)

    def _wake_after(self, key: ObjectKey, delay: timedelta) -> None:
        self._controller.wake_after(key, delay)

    def _wake_status(self, policy: ObjectKey) -> None:
        self._status_controller.wake_after(policy, SETTLE)

    def _wake_work(self, key: ObjectKey) -> None:
        for one in work_keys(key):
            self._controller.wake(one)
