"""The composition root of the propagator: dispatch, apply, or both."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass

from services.propagator.apply.members import CLUSTERS, MemberWorkers, OpenMember
from services.propagator.dispatch.dispatcher import Dispatcher
from services.propagator.dispatch.view import DispatchView
from services.propagator.settings import Settings
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import Bus
from shared.bus.topology import STREAMS
from shared.clock import Clock, SystemClock
from shared.controller.loop import LoopSettings
from shared.interpretation import INTERPRETERS
from shared.lease.duty import held
from shared.lease.lease import Lease
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import MemberLimits, open_member
from shared.memberapi.port import MemberApi
from shared.memberapi.sealing import EnvelopeKey, load_key
from shared.runtime.probes import Readiness, serve_probes
from shared.runtime.process import Runnable, run_until_stopped
from shared.store.jetstream import open_store
from shared.store.port import EVERYTHING, UNWATCHED, ObjectStore
from shared.telemetry.setup import telemetry


async def serve(settings: Settings) -> None:
    """Dispatch decisions and apply work until told to stop."""
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        stack.enter_context(telemetry("propagator", settings.telemetry))
        await stack.enter_async_context(serve_probes(settings.probes, readiness))
        connection = await stack.enter_async_context(connect(settings.nats, "propagator"))
        await ensure_topology(connection, STREAMS)
        bus = open_bus(connection, "propagator")
        # A worker's process in a region mirrors what it goes by, and nothing else that users wrote.
        scopes = (CLUSTERS, INTERPRETERS) if settings.role == "apply" else (EVERYTHING,)
        store = await stack.enter_async_context(open_store(connection, scopes, UNWATCHED))
        readiness.checks["nats"] = lambda: bus.connected
        tasks = assemble(
            settings,
            store,
            bus,
            clock=SystemClock(),
            members=_members(settings) if settings.role != "dispatch" else None,
            readiness=readiness,
        )
        await run_until_stopped(tasks, readiness)


@dataclass(frozen=True, slots=True)
class Members:
    """How apply reaches the members: what opens their credentials, and what calls them."""

    key: EnvelopeKey
    open_member: OpenMember


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
    if settings.role != "apply":
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
    limits = MemberLimits(
        connections=settings.worker.concurrency, deadline=settings.member_deadline
    )

    def open_limited(
        credentials: MemberCredentials, name: str
    ) -> AbstractAsyncContextManager[MemberApi]:
        return open_member(credentials, name=name, limits=limits)

    return Members(key, open_limited)


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
    )
    return {"workers": workers.run}
