"""The processes of the hub, each wired by its own service's `assemble`."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

from services.gateway import service as gateway
from services.health import service as health
from services.health.settings import Settings as HealthSettings
from services.propagator import service as propagator
from services.propagator.settings import Settings as PropagatorSettings
from services.registry import service as registry
from services.registry.settings import Settings as RegistrySettings
from services.scheduler import service as scheduler
from services.scheduler.settings import Settings as SchedulerSettings
from services.traffic import service as traffic
from services.traffic.settings import Settings as TrafficSettings
from shared.apiserver.authentication import TokenTable
from shared.apiserver.server import ServerSettings
from shared.apiserver.serving import Serving
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.port import MemberApi
from shared.memberapi.sealing import EnvelopeKey
from shared.runtime.probes import Readiness
from shared.runtime.process import Runnable
from shared.store.port import StoreLimits
from tests.simulation.messages import RemoteBus
from tests.simulation.process import FAIL_FAST, Body, Ports, Process, Shared, member_of
from tests.simulation.virtual_time import SkewedClock
from tests.simulation.wire import Incarnation

SEALING = EnvelopeKey(b"k" * 32)
Tasks = Mapping[str, Runnable]


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway as it lives: its verbs, and its way to NATS."""

    serving: Serving
    bus: RemoteBus
    life: Incarnation


class Hub:
    """Every process by name; `gateways` are those that live."""

    def __init__(
        self,
        shared: Shared,
        seed: str,
        *,
        replicas: Mapping[str, int],
        pulled: Sequence[str] = (),
    ) -> None:
        """*replicas* of each service; of those that it does not name there is one, but of traffic.

        *pulled*: members beside which a propagator of their own runs.
        """
        self.gateways: dict[str, Gateway] = {}
        self._chance = random.Random(f"{seed}/uids")
        self._shared = shared
        self._seed = seed
        self.processes: dict[str, Process] = {}
        for number in range(1, replicas.get("gateway", 1) + 1):
            limits = StoreLimits(history=2_000)
            self._add(f"gateway-{number}", self._gateway, limits=limits)
        for number in range(1, replicas.get("registry", 1) + 1):
            self._add(f"registry-{number}", _registry, scopes=registry.SCOPES)
        for service, body in _SERVICES.items():
            for number in range(1, replicas.get(service, 1) + 1):
                self._add(f"{service}-{number}", body)
        for number in range(1, replicas.get("traffic", 0) + 1):
            self._add(f"traffic-{number}", _traffic, scopes=traffic.SCOPES)
        for name in pulled:
            self._add(f"beside-{name}", _beside, beside=name)

    def _add(self, name: str, body: Body, **options: object) -> None:
        chance = random.Random(f"{self._seed}/{name}")
        # Neither leases nor fencing have anything to do with the hour: it may be minutes off.
        far = 300.0 if "beside" in options or chance.random() < 0.5 else 3.0
        clock = SkewedClock(chance.uniform(-far, far), chance.uniform(-0.01, 0.01))
        self.processes[name] = Process(
            name,
            body,
            self._shared,
            clock,
            chance,
            **options,  # type: ignore[arg-type]
        )

    @asynccontextmanager
    async def _gateway(self, ports: Ports) -> AsyncIterator[Tasks]:
        api = gateway.assemble(
            ServerSettings(),
            TokenTable({}),
            ports.store,
            ports.bus,
            SEALING,
            readiness=Readiness(),
            clock=ports.clock,
        )
        serving = replace(
            api.serving,
            new_uid=lambda: f"hub-{self._chance.getrandbits(48):012x}",
            new_suffix=lambda: f"{self._chance.randrange(16**5):05x}",
        )
        api = replace(api, serving=serving)
        async with api.open():
            life = self.processes[ports.name].life
            assert life is not None, "it lives"
            found = self.gateways[ports.name] = Gateway(serving, ports.bus, life)
            try:
                yield api.tasks
            finally:
                # One that was started anew may have taken its place.
                if self.gateways.get(ports.name) is found:
                    del self.gateways[ports.name]


def _connecting(ports: Ports) -> Callable[..., AbstractAsyncContextManager[MemberApi]]:
    def connect(
        _name: str, credentials: MemberCredentials
    ) -> AbstractAsyncContextManager[MemberApi]:
        return ports.connect(member_of(credentials))

    return connect


def _registry(ports: Ports) -> AbstractAsyncContextManager[Tasks]:
    return registry.assembled(
        RegistrySettings(lease=ports.lease),
        ports.store,
        ports.bus,
        clock=ports.clock,
        key=SEALING,
        connect=_connecting(ports),
        readiness=Readiness(),
    )


@asynccontextmanager
async def _scheduler(ports: Ports) -> AsyncIterator[Tasks]:
    settings = SchedulerSettings(loop=FAIL_FAST, lease=ports.lease)
    yield scheduler.assemble(
        settings, ports.store, ports.bus, clock=ports.clock, readiness=Readiness()
    )


@asynccontextmanager
async def _health(ports: Ports) -> AsyncIterator[Tasks]:
    yield health.assemble(
        HealthSettings(observer=ports.name, lease=ports.lease),
        ports.store,
        ports.bus,
        clock=ports.clock,
        key=SEALING,
        connect=_connecting(ports),
        readiness=Readiness(),
    )


@asynccontextmanager
async def _propagator(ports: Ports) -> AsyncIterator[Tasks]:
    def open_member(
        credentials: MemberCredentials, _name: str
    ) -> AbstractAsyncContextManager[MemberApi]:
        return ports.connect(member_of(credentials))

    yield propagator.assemble(
        PropagatorSettings(lease=ports.lease),
        ports.store,
        ports.bus,
        clock=ports.clock,
        members=propagator.Members(SEALING, open_member),
        readiness=Readiness(),
    )


@asynccontextmanager
async def _beside(ports: Ports) -> AsyncIterator[Tasks]:
    fence = ports.fence
    assert fence is not None, "it runs beside a member"

    def open_own(_none: MemberCredentials, name: str) -> AbstractAsyncContextManager[MemberApi]:
        return ports.connect(name)

    yield propagator.assemble(
        PropagatorSettings(beside=fence.cluster),
        ports.store,
        ports.bus,
        clock=ports.clock,
        members=propagator.Members(None, open_own, fence),
        readiness=Readiness(),
    )


@asynccontextmanager
async def _traffic(ports: Ports) -> AsyncIterator[Tasks]:
    settings = TrafficSettings(loop=FAIL_FAST, lease=ports.lease)
    yield traffic.assemble(
        settings, ports.store, ports.bus, clock=ports.clock, readiness=Readiness()
    )


_SERVICES: Mapping[str, Body] = {
    "scheduler": _scheduler,
    "health": _health,
    "propagator": _propagator,
}
