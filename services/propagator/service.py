"""The composition root of the propagator: dispatch, apply, or both."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from services.propagator.apply.exports.interest import SCOPES as EXPORT_SCOPES
from services.propagator.apply.fence import Fence
from services.propagator.apply.members import CLUSTERS, MemberWorkers, OpenMember
from services.propagator.dispatch.dispatcher import Dispatcher
from services.propagator.dispatch.view import DispatchView
from services.propagator.settings import Settings
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import Bus
from shared.bus.topology import STREAMS
from shared.clock import Clock, SystemClock
from shared.controller.loop import LoopSettings
from shared.errors import RetryableError, UnusableCredentials
from shared.interpretation import INTERPRETERS
from shared.lease.duty import held
from shared.lease.lease import Lease
from shared.lease.life import living
from shared.memberapi.credentials import (
    MemberCredentials,
    read_kubeconfig,
    read_service_account,
)
from shared.memberapi.http import MemberLimits, open_member
from shared.memberapi.port import MemberApi
from shared.memberapi.sealing import EnvelopeKey, load_key
from shared.runtime.probes import Readiness, serve_probes
from shared.runtime.process import Runnable, run_until_stopped
from shared.store.jetstream import open_store
from shared.store.port import EVERYTHING, UNWATCHED, ObjectStore
from shared.telemetry.setup import telemetry

log = structlog.get_logger("hanse.propagator")

_NATS_AGAIN_SECONDS = 1.0
_CREDENTIALS_SECONDS = 60.0


async def serve(settings: Settings) -> None:
    """Dispatch decisions and apply work until told to stop."""
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        stack.enter_context(telemetry("propagator", settings.telemetry))
        settings = replace(settings, lease=stack.enter_context(living(settings.lease)))
        await stack.enter_async_context(serve_probes(settings.probes, readiness))
        if not settings.beside:
            members = _members(settings) if settings.applies else None
            await _work(settings, readiness, members)
            return
        beside = await stack.enter_async_context(_standing_beside(settings))
        while True:
            # Whoever stands guard in the member outlasts every silence of NATS.
            try:
                await _work(settings, readiness, beside)
            except RetryableError as err:
                log.warning("nats.awaited", error=str(err))
                await asyncio.sleep(_NATS_AGAIN_SECONDS)
            else:
                return


async def _work(settings: Settings, readiness: Readiness, members: "Members | None") -> None:
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connect(settings.nats, "propagator"))
        await ensure_topology(connection, STREAMS)
        bus = open_bus(connection, "propagator")
        # A worker's process in a region mirrors what it goes by, and nothing else that users wrote.
        own = (CLUSTERS, INTERPRETERS, *EXPORT_SCOPES)
        scopes = (EVERYTHING,) if settings.dispatches else own
        store = await stack.enter_async_context(open_store(connection, scopes, UNWATCHED))
        readiness.checks["nats"] = lambda: bus.connected
        tasks = assemble(
            settings,
            store,
            bus,
            clock=SystemClock(),
            members=members,
            readiness=readiness,
        )
        await run_until_stopped(tasks, readiness)


@dataclass(frozen=True, slots=True)
class Members:
    """How apply reaches the members: what opens their credentials, and what calls them.

    `fence`: that of the one member beside which it runs; then there are no credentials to open.
    """

    key: EnvelopeKey | None
    open_member: OpenMember
    fence: Fence | None = None


def assemble(
    settings: Settings,
    store: ObjectStore,
    bus: Bus,
    *,
    clock: Clock,
    members: Members | None,
    readiness: Readiness,
) -> Mapping[str, Runnable]:
    """Wire dispatch and apply over any ports; without *members* there is no apply."""
    tasks: dict[str, Runnable] = {}
    if settings.dispatches:
        tasks |= _dispatch(settings, store, bus, clock, readiness)
    if members is not None:
        tasks |= _apply(settings, store, bus, clock, members)
    return tasks


def _dispatch(
    settings: Settings, store: ObjectStore, bus: Bus, clock: Clock, readiness: Readiness
) -> Mapping[str, Runnable]:
    loop = LoopSettings(workers=settings.dispatch_workers, resync=settings.resync)
    view = DispatchView(store, bus)
    lease = Lease("dispatch", bus, clock, settings.lease)
    readiness.checks["work"] = view.log.caught_up.is_set
    readiness.notes["lease dispatch"] = lambda: lease.standing

    def begin() -> Mapping[str, Runnable]:
        dispatcher = Dispatcher(store, bus, clock, loop, view)
        return {
            "dispatch": dispatcher.run,
            "override-status": dispatcher.run_status,
            "override-facts": dispatcher.run_facts,
            "confirmations": dispatcher.run_confirmations,
        }

    return {
        "work-log": view.log.run,
        "requests": view.run_requests,
        "lease": held(lease, store, clock, begin),
    }


def _members(settings: Settings) -> Members:
    key = load_key(settings.envelope_key_file, settings.envelope_key)
    limits = _limits(settings)

    def open_limited(
        credentials: MemberCredentials, name: str
    ) -> AbstractAsyncContextManager[MemberApi]:
        return open_member(credentials, name=name, limits=limits)

    return Members(key, open_limited)


def _limits(settings: Settings) -> MemberLimits:
    return MemberLimits(connections=settings.worker.concurrency, deadline=settings.member_deadline)


@asynccontextmanager
async def _standing_beside(settings: Settings) -> AsyncIterator[Members]:
    """Stand guard in the member beside which this process runs, with NATS or without."""
    name = settings.beside

    def credentials() -> MemberCredentials:
        path = settings.member_kubeconfig
        return read_kubeconfig(path) if path is not None else read_service_account()

    def open_own(_sealed: MemberCredentials, name: str) -> AbstractAsyncContextManager[MemberApi]:
        return open_member(credentials(), name=name, limits=_limits(settings))

    # A way of its own: it must not wait behind the work.
    async with open_member(credentials(), name=name) as api, asyncio.TaskGroup() as group:
        fence = Fence(name, api, SystemClock(), settings.fence)
        guard = group.create_task(fence.guard(), name="guard")
        watch = group.create_task(_until_renewed(credentials), name="own-credentials")
        yield Members(None, open_own, fence)
        guard.cancel()
        watch.cancel()


async def _until_renewed(read: Callable[[], MemberCredentials]) -> None:
    """End the process when its credentials are other ones: tokens of pods last for an hour."""
    before = read()
    while True:
        await asyncio.sleep(_CREDENTIALS_SECONDS)
        if read() != before:
            raise UnusableCredentials("the member's own credentials were renewed: begin anew")


def _apply(
    settings: Settings, store: ObjectStore, bus: Bus, clock: Clock, members: Members
) -> Mapping[str, Runnable]:
    workers = MemberWorkers(
        store=store,
        bus=bus,
        clock=clock,
        key=members.key,
        open_member=members.open_member,
        settings=settings.worker,
        clusters=settings.clusters,
        beside=members.fence,
    )
    return {"workers": workers.run}
