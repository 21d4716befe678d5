"""The composition root of a simulated cluster."""

import gc
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web

from services.simulator.backup import read_backup
from services.simulator.control import Control
from services.simulator.faults import FaultGate, Handler
from services.simulator.identity import Identity, ensure_identity
from services.simulator.settings import Settings
from services.simulator.simulation import SimulatedCluster, Task
from shared.apiserver.answers.responses import status_response
from shared.apiserver.assembly import Api, Extensions, assemble
from shared.apiserver.authentication import TokenTable, User
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.registry import Registry
from shared.apiserver.server import Listening, ServerSettings
from shared.apiserver.status_errors import ApiFault
from shared.clock import SystemClock
from shared.runtime.kubeconfig import write_kubeconfig
from shared.runtime.probes import Readiness
from shared.runtime.process import run_until_stopped
from shared.telemetry.setup import telemetry

log = structlog.get_logger("hanse.simulator")

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Member:
    """A simulated cluster that listens; `tasks` must run for as long as it is to live."""

    cluster: SimulatedCluster
    identity: Identity
    gate: FaultGate
    listening: Listening
    kubeconfig: Path
    tasks: Mapping[str, Task]


async def serve(settings: Settings) -> None:
    """Run one simulated cluster until told to stop."""
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        stack.enter_context(telemetry("simulator", settings.telemetry))
        member = await stack.enter_async_context(open_cluster(settings, readiness))
        # Objects live long and come by the thousand: looking at all of them often is waste.
        gc.set_threshold(50_000, 20, 100)
        log.info("simulator.listening", cluster=settings.name, url=member.listening.url)
        await run_until_stopped(member.tasks, readiness)


@asynccontextmanager
async def open_cluster(
    settings: Settings, readiness: Readiness | None = None
) -> AsyncIterator[Member]:
    """Make the cluster and listen until left."""
    clock = SystemClock()
    gate = FaultGate(settings.first_faults)
    async with AsyncExitStack() as stack:
        folder = settings.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="hanse-simulator-"))
        )
        advertised = settings.advertised_host or settings.host
        hosts = tuple(dict.fromkeys((advertised, "127.0.0.1", "localhost")))
        identity = ensure_identity(folder, hosts)
        cluster = SimulatedCluster(settings, identity.uid, identity.authority, clock)
        await _begin(cluster, folder / "backup.json", settings)
        api = _assemble(settings, cluster, identity, gate, readiness)
        listening = await stack.enter_async_context(api.listen())
        kubeconfig = folder / "kubeconfig"
        # Whoever finds the file finds the server listening.
        write_kubeconfig(
            kubeconfig,
            name=settings.name,
            server=f"https://{advertised}:{listening.port}",
            certificate_authority=identity.authority.encode(),
            token=identity.token,
        )
        tasks = {**api.tasks, **cluster.tasks}
        yield Member(cluster, identity, gate, listening, kubeconfig, tasks)


async def _begin(cluster: SimulatedCluster, backup: Path, settings: Settings) -> None:
    """Give the cluster its first objects: those of a backup, once, where there is one."""
    if not backup.exists():  # noqa: ASYNC240 - one look at a local file, before anybody calls.
        await cluster.furnish(settings.port or 443)
        return
    await cluster.restore(read_backup(backup.read_bytes()))  # noqa: ASYNC240
    backup.unlink()  # noqa: ASYNC240


def _assemble(
    settings: Settings,
    cluster: SimulatedCluster,
    identity: Identity,
    gate: FaultGate,
    readiness: Readiness | None,
) -> Api:
    admin = User("admin", "admin", ("system:masters", "system:authenticated"))
    api = assemble(
        cluster.store,
        Registry(builtin_kinds()),
        TokenTable({identity.token: admin}),
        ServerSettings(
            host=settings.host,
            port=settings.port,
            certificate=identity.certificate.certificate,
            private_key=identity.certificate.private_key,
            version=settings.version,
        ),
        extensions=Extensions(
            admission=cluster.admission,
            routes=Control(cluster, gate).routes(),
            not_ready=readiness.failing if readiness is not None else tuple,
        ),
    )
    api.server.app.middlewares.append(_stand_before(gate, cluster))
    return api


def _stand_before(gate: FaultGate, cluster: SimulatedCluster):  # type: ignore[no-untyped-def]  # noqa: ANN202
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            await gate.pass_through(request)
        except ApiFault as fault:
            return status_response(fault)
        if request.method not in _READS:
            cluster.requested()
        return await handler(request)

    return middleware
