"""The composition root of the gateway."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from services.gateway.composite import CompositeStore
from services.gateway.core.works import RESOURCES
from services.gateway.credentials import CredentialsDoor
from services.gateway.event_view import RESOURCE as EVENTS
from services.gateway.event_view import EventView
from services.gateway.foresight import Foresight
from services.gateway.quota_admission import QuotaAdmission
from services.gateway.request_door import RequestDoor
from services.gateway.settings import Settings
from services.gateway.work_view import WorkView
from shared.api.meta import GROUP
from shared.apimachinery.defaults import as_a_cluster_shows
from shared.apimachinery.manifest import GroupResource
from shared.apiserver.admission import AdmitByAll
from shared.apiserver.assembly import Api, Extensions, Task
from shared.apiserver.assembly import assemble as assemble_api
from shared.apiserver.authentication import TokenTable
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.hanse_kinds import hanse_kinds
from shared.apiserver.registry import Registry
from shared.apiserver.rules.admission import hanse_admission
from shared.apiserver.rules.protection import DeletionProtection
from shared.apiserver.rules.template_words import TemplateWords
from shared.apiserver.server import Listening, ServerSettings
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import Bus
from shared.bus.topology import STREAMS
from shared.clock import Clock, SystemClock
from shared.interpretation import LiveInterpreters
from shared.memberapi.sealing import EnvelopeKey, load_key
from shared.runtime.certificates import ensure_serving_certificate
from shared.runtime.probes import Readiness, serve_probes
from shared.runtime.process import run_until_stopped
from shared.runtime.tokens import ensure_token
from shared.store.jetstream import open_store
from shared.store.port import ObjectStore
from shared.telemetry.setup import telemetry

log = structlog.get_logger("hanse.gateway")


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that listens; `tasks` must run for as long as it is to live."""

    listening: Listening
    tasks: Mapping[str, Task]


async def serve(settings: Settings) -> None:
    """Serve the Federated API until told to stop."""
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        stack.enter_context(telemetry("gateway", settings.telemetry))
        await stack.enter_async_context(serve_probes(settings.probes, readiness))
        key = load_key(settings.envelope_key_file, settings.envelope_key)
        connection = await stack.enter_async_context(connect(settings.nats, "gateway"))
        await ensure_topology(connection, STREAMS)
        bus = open_bus(connection, "gateway")
        store = await stack.enter_async_context(open_store(connection))
        readiness.checks["nats"] = lambda: bus.connected
        gateway = await stack.enter_async_context(
            open_gateway(settings, store, bus, key, readiness=readiness, clock=SystemClock())
        )
        log.info("gateway.listening", url=gateway.listening.url)
        await run_until_stopped(gateway.tasks, readiness, drain=settings.drain)


@asynccontextmanager
async def open_gateway(
    settings: Settings,
    store: ObjectStore,
    bus: Bus,
    key: EnvelopeKey,
    *,
    readiness: Readiness,
    clock: Clock,
) -> AsyncIterator[Gateway]:
    """Wire the API over any store and bus, and listen."""
    hosts = tuple(dict.fromkeys((*settings.tls_hosts, settings.host)))
    certificate = ensure_serving_certificate(settings.tls_folder, hosts, clock=clock)
    ensure_token(settings.tokens_file)
    server = ServerSettings(
        host=settings.host,
        port=settings.port,
        certificate=certificate.certificate,
        private_key=certificate.private_key,
        version=settings.kubernetes_version,
        stop_seconds=settings.stop_seconds,
        limits=replace(settings.limits, told_bytes=settings.large_object_bytes),
    )
    tokens = TokenTable.read(settings.tokens_file)
    api = assemble(server, tokens, store, bus, key, readiness=readiness, clock=clock)
    async with api.listen() as listening:
        yield Gateway(listening, api.tasks)


def assemble(
    server: ServerSettings,
    tokens: TokenTable,
    store: ObjectStore,
    bus: Bus,
    key: EnvelopeKey,
    *,
    readiness: Readiness,
    clock: Clock,
) -> Api:
    """Wire the Federated API over any ports; it does not listen yet."""
    works = WorkView(bus, clock)
    door = CredentialsDoor(store, bus, key)
    events = EventView(store, bus, clock)
    with_works = CompositeStore(store, works, [GroupResource(GROUP, one) for one in RESOURCES])
    api = assemble_api(
        CompositeStore(with_works, events, [EVENTS]),
        Registry(builtin_kinds(), hanse_kinds()),
        tokens,
        server,
        extensions=Extensions(
            admission=hanse_admission(clock),
            everything=AdmitByAll(
                DeletionProtection(store.mirror),
                TemplateWords(),
                QuotaAdmission(store.mirror, LiveInterpreters(store.mirror)),
            ),
            subresources=door.subresources(),
            shown=as_a_cluster_shows,
            foreseen=Foresight(bus),
            routes=RequestDoor(bus, server.limits).routes(),
            not_ready=readiness.failing,
            leaving=lambda: not readiness.started,
        ),
        clock=clock,
    )
    return replace(api, tasks={**api.tasks, "works": works.run, "events": events.run})
