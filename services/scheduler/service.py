"""The composition root of the scheduler."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.signal_book import (
    SignalFollower,
    note_round_trip,
    note_score,
)
from services.scheduler.core.change.restraint import Restraint
from services.scheduler.core.workload import Grace
from services.scheduler.deciding.deciding import Deciding
from services.scheduler.deciding.plugins import Plugins
from services.scheduler.doors.explain_door import ExplainDoor
from services.scheduler.doors.plan_door import PlanDoor
from services.scheduler.reconcilers.announcements import Announcements
from services.scheduler.reconcilers.faults import ToldFaults
from services.scheduler.reconcilers.interpreters import InterpreterReconciler, interpreter_keys
from services.scheduler.reconcilers.policies import PolicyReconciler
from services.scheduler.reconcilers.quotas import QuotaReconciler
from services.scheduler.reconcilers.rebalances import (
    REBALANCERS,
    Asked,
    RebalancerReconciler,
    rebalancer_keys,
)
from services.scheduler.reconcilers.references import ReferenceReconciler
from services.scheduler.reconcilers.score_watch import ScoreWatch
from services.scheduler.reconcilers.templates import TemplateReconciler
from services.scheduler.reconcilers.waking import template_keys
from services.scheduler.settings import Settings
from shared.apimachinery.manifest import ObjectKey
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import Bus
from shared.bus.topology import STREAMS
from shared.clock import Clock, SystemClock
from shared.controller.loop import Controller
from shared.controller.result import Reconciler
from shared.events.round_trips import BOARD as LATENCIES
from shared.events.scores import BOARD as SCORES
from shared.interpretation import INTERPRETERS, LiveInterpreters, objects_of
from shared.interpreter.registry import KindName
from shared.lease.duty import held
from shared.lease.lease import Lease
from shared.lease.life import living
from shared.runtime.probes import Readiness, serve_probes
from shared.runtime.process import Runnable, run_until_stopped
from shared.store.jetstream import open_store
from shared.store.port import EVERYTHING, UNWATCHED, ObjectStore
from shared.telemetry.setup import telemetry


async def serve(settings: Settings) -> None:
    """Decide until told to stop."""
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        # Entered first, closed last: telemetry sees the whole shutdown.
        stack.enter_context(telemetry("scheduler", settings.telemetry))
        settings = replace(settings, lease=stack.enter_context(living(settings.lease)))
        await stack.enter_async_context(serve_probes(settings.probes, readiness))
        connection = await stack.enter_async_context(connect(settings.nats, "scheduler"))
        await ensure_topology(connection, STREAMS)
        bus = open_bus(connection, "scheduler")
        store = await stack.enter_async_context(open_store(connection, limits=UNWATCHED))
        readiness.checks["nats"] = lambda: bus.connected
        tasks = assemble(settings, store, bus, clock=SystemClock(), readiness=readiness)
        await run_until_stopped(tasks, readiness)


def assemble(
    settings: Settings, store: ObjectStore, bus: Bus, *, clock: Clock, readiness: Readiness
) -> Mapping[str, Runnable]:
    """Wire the scheduler over any ports; what is returned runs for as long as it lives."""
    lease = Lease("scheduler", bus, clock, settings.lease)
    readiness.notes["lease scheduler"] = lambda: lease.standing

    def begin() -> Mapping[str, Runnable]:
        return Scheduler(store, bus, clock=clock, settings=settings).tasks

    return {"lease": held(lease, store, clock, begin)}


def _controller(
    settings: Settings, name: str, reconciler: Reconciler[ObjectKey]
) -> Controller[ObjectKey]:
    return Controller(name, reconciler, settings.loop)


_LOOK_SECONDS = 5.0
"""How late a maintenance window may begin and end."""


class Scheduler:
    """The scheduler's parts, wired over any store and bus; `tasks` run for one term of its lease.

    None runs twice.
    """

    def __init__(self, store: ObjectStore, bus: Bus, *, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._interpreters = interpreters = LiveInterpreters(store.mirror)
        interpreters.on_change(self._wake_kinds)
        self._federation = Federation(
            store.mirror,
            interpreters=interpreters,
            clock=clock,
            wake_template=self._wake_template,
            wake_waiting=self._wake_waiting,
            wake_policy=self._wake_policy,
            wake_follower=self._wake_follower,
            wake_quota=self._wake_quota,
            giving_way_max=settings.giving_way_max,
        )
        plugins = Plugins(bus, clock, settings.plugin_rest, self._wake_template)
        grace = Grace(unreachable=settings.toleration, not_ready=settings.toleration_not_ready)
        asked = Asked()
        reconciler = TemplateReconciler(
            store,
            self._federation,
            Announcements(bus, clock),
            clock,
            grace,
            interpreters=interpreters,
            plugins=plugins,
            restraint=Restraint(settings.moves_max, settings.rest),
            asked=asked,
            wake=self._wake_template,
        )
        self._gathering = reconciler.gathering
        told = ToldFaults(reconciler, store.mirror, bus, clock, rest=settings.loop.quarantine)
        self.templates: Controller[ObjectKey] = Controller("template", told, settings.loop)
        self._scores, self._round_trips = self._follow_signals(bus)
        self._explain, self._plan = self._doors(bus, clock, grace, plugins)
        self.policies = _controller(
            settings, "policy", PolicyReconciler(store, self._federation, clock)
        )
        self.rebalancers = _controller(
            settings,
            "rebalancer",
            RebalancerReconciler(store, self._federation, asked, clock, self._wake_template),
        )
        self.references = self._build_references(bus)
        self.quotas = _controller(settings, "quota", QuotaReconciler(store, self._federation))
        self.interpreters = _controller(
            settings, "interpreter", InterpreterReconciler(store, clock)
        )

    def _build_references(self, bus: Bus) -> Controller[ObjectKey]:
        self._federation.following.refers = self._wake_reference
        references = ReferenceReconciler(self._store, self._federation, bus, self._clock)
        return _controller(self._settings, "reference", references)

    def _follow_signals(self, bus: Bus) -> tuple[SignalFollower, SignalFollower]:
        book = self._federation.signals
        scores = SignalFollower(bus.board(SCORES), book, note_score)
        return scores, SignalFollower(bus.board(LATENCIES), book, note_round_trip)

    def _doors(
        self, bus: Bus, clock: Clock, grace: Grace, plugins: Plugins
    ) -> tuple[ExplainDoor, PlanDoor]:
        mirror, federation = self._store.mirror, self._federation
        deciding = Deciding(
            federation, clock, grace, interpreters=self._interpreters, plugins=plugins
        )
        explaining = ExplainDoor(bus, mirror, federation, deciding)
        return explaining, PlanDoor(bus, mirror, federation, deciding, clock)

    @property
    def tasks(self) -> Mapping[str, Runnable]:
        return {
            "templates": self._decide,
            "policies": self.policies.run,
            "rebalancers": self._rebalance,
            "quotas": self.quotas.run,
            "references": self._look_after_references,
            "interpreters": self._tell_of_interpreters,
            "explain": self._explain.run,
            "plan": self._plan.run,
            "gathering": self._gathering.run,
            "time": self._pass_time,
            "scores": self._scores.run,
            "round-trips": self._round_trips.run,
            "followed": ScoreWatch(
                self._federation, self._clock, self._settings.signal_delay, self._wake_template
            ).run,
        }

    def _wake_template(self, key: ObjectKey) -> None:
        self.templates.wake(key)

    def _wake_kinds(self, kinds: frozenset[KindName]) -> None:
        keys = objects_of(self._store.mirror, kinds)
        self._federation.following.read_again(keys)
        for key in keys:
            self._wake_template(key)

    def _wake_follower(self, key: ObjectKey) -> None:
        # Gathered: what thousands share is counted a few times, not thousands.
        self.templates.wake_after(key, self._settings.follow_delay)

    def _wake_waiting(self, key: ObjectKey) -> None:
        self.templates.wake_after(key, self._settings.room_delay)

    def _wake_policy(self, key: ObjectKey) -> None:
        # Gathered: a policy that speaks for thousands is counted a few times, not thousands.
        self.policies.wake_after(key, self._settings.policy_delay)

    def _wake_quota(self, key: ObjectKey) -> None:
        # Gathered as for policies.
        self.quotas.wake_after(key, self._settings.policy_delay)

    def _wake_reference(self, key: ObjectKey) -> None:
        self.references.wake_after(key, self._settings.reference_delay)

    async def _look_after_references(self) -> None:
        for key in self._federation.following.referring():
            self._wake_reference(key)
        await self.references.run()

    async def _rebalance(self) -> None:
        self.rebalancers.watch(self._store.mirror, REBALANCERS, rebalancer_keys)
        await self.rebalancers.run()

    async def _tell_of_interpreters(self) -> None:
        mirror = self._store.mirror
        self.interpreters.watch(
            mirror, INTERPRETERS, lambda change: interpreter_keys(mirror, change)
        )
        await self.interpreters.run()

    async def _pass_time(self) -> None:
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            self._federation.pass_time()

    async def _decide(self) -> None:
        # First what decisions rest on, then what is to be decided.
        await asyncio.gather(self._scores.caught_up(), self._round_trips.caught_up())
        stop = self._federation.follow()
        try:
            self.templates.watch(self._store.mirror, EVERYTHING, template_keys)
            await self.templates.run()
        finally:
            stop()
            self._interpreters.close()
