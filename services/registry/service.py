"""The composition root of the registry."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace

from services.registry.reconcilers.clusters import (
    CLUSTERS,
    ClusterReconciler,
    Connect,
    MembershipFollower,
    keys_of_change,
)
from services.registry.reconcilers.commands import CommandDoor
from services.registry.reconcilers.door import Door
from services.registry.reconcilers.requests import RequestDoor
from services.registry.settings import Settings
from shared.apiserver.admission import AdmitByAll, AdmitByResource
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.definitions.custom import DEFINITIONS, DefinitionAdmission, follow_definitions
from shared.apiserver.hanse_kinds import hanse_kinds
from shared.apiserver.life.marks import NAMESPACES
from shared.apiserver.registry import Registry
from shared.apiserver.rules.admission import hanse_admission
from shared.apiserver.rules.protection import DeletionProtection
from shared.apiserver.rules.template_words import TemplateWords
from shared.apiserver.serving import Serving
from shared.apiserver.verbs.paging import Snapshots
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import Bus
from shared.bus.topology import STREAMS
from shared.clock import Clock, SystemClock
from shared.controller.loop import Controller, LoopSettings
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
from shared.store.port import UNWATCHED, ObjectStore, Scope
from shared.telemetry.setup import telemetry

_LIMITS = MemberLimits(connections=4)

SCOPES = (CLUSTERS, Scope.of(DEFINITIONS), Scope.of(NAMESPACES))
"""What is mirrored here. Of what other systems ask for, the rest is read when they do."""


async def serve(settings: Settings) -> None:
    """Keep the memberships, and the door for other systems, until told to stop."""
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        stack.enter_context(telemetry("registry", settings.telemetry))
        settings = replace(settings, lease=stack.enter_context(living(settings.lease)))
        await stack.enter_async_context(serve_probes(settings.probes, readiness))
        key = load_key(settings.envelope_key_file, settings.envelope_key)
        connection = await stack.enter_async_context(connect(settings.nats, "registry"))
        await ensure_topology(connection, STREAMS)
        bus = open_bus(connection, "registry")
        store = await stack.enter_async_context(open_store(connection, SCOPES, UNWATCHED))
        readiness.checks["nats"] = lambda: bus.connected
        tasks = await stack.enter_async_context(
            assembled(
                settings,
                store,
                bus,
                clock=SystemClock(),
                key=key,
                connect=_connect,
                readiness=readiness,
            )
        )
        await run_until_stopped(tasks, readiness)


@asynccontextmanager
async def assembled(
    settings: Settings,
    store: ObjectStore,
    bus: Bus,
    *,
    clock: Clock,
    key: EnvelopeKey,
    connect: Connect,
    readiness: Readiness,
) -> AsyncIterator[Mapping[str, Runnable]]:
    """Wire the registry over any ports; what is given runs for as long as this is entered.

    Within, requests are answered.
    """
    lease = Lease("registry", bus, clock, settings.lease)
    readiness.notes["lease registry"] = lambda: lease.standing

    def begin() -> Mapping[str, Runnable]:
        return Memberships(
            store, bus, key=key, connect=connect, clock=clock, settings=settings
        ).tasks

    async with AsyncExitStack() as stack:
        door = open_door(store, clock, stack)
        commands = CommandDoor(bus, door, clock, attempts_max=settings.command_attempts)
        await stack.enter_async_context(RequestDoor(bus, door).serving())
        yield {"commands": commands.run, "lease": held(lease, store, clock, begin)}


def _connect(name: str, credentials: MemberCredentials) -> AbstractAsyncContextManager[MemberApi]:
    return open_member(credentials, name=name, limits=_LIMITS)


def open_door(store: ObjectStore, clock: Clock, stack: AsyncExitStack) -> Door:
    """Put the verbs together as the gateway does, over every kind there is."""
    kinds = Registry(builtin_kinds(), hanse_kinds())
    stack.callback(follow_definitions(kinds, store.mirror))
    admission = AdmitByResource(
        {DEFINITIONS: DefinitionAdmission(kinds, clock), **hanse_admission(clock)},
        AdmitByAll(DeletionProtection(store.mirror), TemplateWords()),
    )
    serving = Serving(store=store, kinds=kinds, admission=admission, clock=clock)
    return Door(serving, Snapshots(clock))


class Memberships:
    """The parts that keep memberships, wired over any store and bus, for one term of the lease."""

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
        self._delay = settings.inventory_delay
        reconciler = ClusterReconciler(
            store,
            bus,
            key=key,
            connect=connect,
            clock=clock,
            settings=settings,
            wake=self._wake,
        )
        loop = LoopSettings(workers=settings.workers)
        self._clusters: Controller[str] = Controller("cluster", reconciler, loop)
        self._follower = MembershipFollower(bus, self._wake, self._wake_soon)

    @property
    def tasks(self) -> Mapping[str, Runnable]:
        return {
            "clusters": self._keep,
            "credentials": self._follower.follow_credentials,
            "definitions": self._follower.follow_definitions,
        }

    def _wake(self, name: str) -> None:
        self._clusters.wake(name)

    def _wake_soon(self, name: str) -> None:
        self._clusters.wake_after(name, self._delay)

    async def _keep(self) -> None:
        self._clusters.watch(self._store.mirror, CLUSTERS, keys_of_change)
        await self._clusters.run()
