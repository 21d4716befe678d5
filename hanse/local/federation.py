"""A whole federation on this machine: NATS, every service and simulated members as processes.

`start` brings it up in order and returns once the gateway answers and the members have been asked
to join; the same data directory resumes the same federation. Everything listens on loopback.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hanse.hub import Hub, open_hub
from hanse.local.kubeconfig import CONTEXT, holds_something_else, write_kubeconfig
from hanse.local.layout import Layout, Ports, is_free
from hanse.local.lock import DirectoryInUse, hold
from hanse.local.nats_nodes import nats_nodes, settings_of, take_requests
from hanse.local.supervisor import Command, Supervisor
from hanse.membership.join import Place, register
from shared.bus.settings import NatsSettings
from shared.errors import RetryableError, TerminalError
from shared.memberapi.credentials import MemberCredentials, read_kubeconfig
from shared.memberapi.http import open_member
from shared.memberapi.port import MemberApi
from shared.memberapi.sealing import ensure_key
from shared.runtime.certificates import ensure_serving_certificate
from shared.runtime.last_words import last_words
from shared.runtime.tokens import ensure_token

SERVICES = ("gateway", "registry", "scheduler", "propagator", "health", "traffic")
# A machine that reads everything for the first time, and is busy, takes long.
READY_DEADLINE_SECONDS = 120.0
# Who dies so often at its start will not come up by itself.
DEATHS_MAX = 5
PORT_DEADLINE_SECONDS = 3.0
_POLL_SECONDS = 0.05
_LAST_LINES = 12

# Names, regions, zones and providers of the first simulated members; more are numbered.
_PLACES = (
    ("eu-1", "eu-central", "eu-central-1a", "hansa"),
    ("us-1", "us-east", "us-east-1a", "hudson"),
    ("ap-1", "ap-south", "ap-south-1a", "malacca"),
)


def places(count: int) -> list[Place]:
    """Return *count* places: three real ones first, then more in the same regions."""
    found = []
    for number in range(count):
        name, region, zone, provider = _PLACES[number % len(_PLACES)]
        area = name.split("-")[0]
        found.append(Place(f"{area}-{number // len(_PLACES) + 1}", region, zone, provider))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationSettings:
    data_dir: Path
    clusters: int = 3
    port: int = 0
    """The gateway's; 0 takes the one of last time or any free one."""
    kubeconfig: Path | None = None
    """Written for kubectl; None writes `kubeconfig` in the data directory."""
    service_environment: Mapping[str, str] = field(default_factory=dict)
    """Settings beside the ones made here, for every service."""
    replicas: int = 1
    """How many of each service; those beside the first are named `scheduler-2` and so on."""
    nats_nodes: int = 1
    """Servers of NATS; three are a cluster that goes on without one of them."""
    simulator_environment: Mapping[str, str] = field(default_factory=dict)


class FederationFailed(RuntimeError):
    """Something did not come up in time; the message says what, and which log to read."""


class Federation:
    """What is running, and the clients to it. Made by `start_federation`."""

    def __init__(self, settings: FederationSettings, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.layout = Layout(settings.data_dir.resolve())
        self.supervisor = Supervisor()
        self.members: dict[str, MemberApi] = {}
        self.places = places(settings.clusters)
        self._stack = stack
        self._hub: Hub | None = None
        self.layout.prepare()
        self._ports = Ports(self.layout.ports)
        self._gateway_port = self._ports.of("gateway", settings.port)
        self._nats = nats_nodes(self.layout, self._ports, settings.nats_nodes)

    @property
    def kubeconfig(self) -> Path:
        return self.settings.kubeconfig or self.layout.root / "kubeconfig"

    @property
    def hub(self) -> Hub:
        assert self._hub is not None, "the federation has not started"
        return self._hub

    @property
    def nats(self) -> NatsSettings:
        """How other systems reach its NATS."""
        return settings_of(self._nats)

    @property
    def gateways(self) -> dict[str, int]:
        """The ports of all gateways, by the names of their processes."""
        names = (_numbered("gateway", number) for number in range(self.settings.replicas))
        return {name: self._ports.of(name) for name in names}

    def probes_port(self, service: str) -> int:
        """Where *service*, or another replica of one by its name, answers /readyz and /metrics."""
        return self._ports.of(f"{service}-probes")

    def dns_port(self, service: str = "traffic") -> int:
        """Where a process of traffic answers for names."""
        return self._ports.of(f"{service}-dns")

    def lose(self, member: str) -> None:
        """Kill a simulated member and keep it down, as a data centre without power."""
        self.supervisor.child(_child_name(member)).hold()

    def find(self, member: str) -> None:
        """Let a lost member start again. It comes back empty, under its old identity."""
        self.supervisor.child(_child_name(member)).release()

    async def start(self) -> None:
        """Bring everything up in order; raises `FederationFailed`."""
        self._stack.push_async_callback(self.supervisor.stop)
        self._require_kubeconfig()
        await self._require_ports()
        ensure_key(self.layout.envelope_key)
        for name, server in self._nats.items():
            server.prepare()
            self._start_child(name, server.arguments, {})
        for name in self._nats:
            await self._until(name, partial(_connects, self._ports.of(name)))
        await self._until(next(iter(self._nats)), lambda: take_requests(self.nats))
        self._write_hub_access()
        for number in range(self.settings.replicas):
            for service in SERVICES:
                self._start_service(service, _numbered(service, number), self.nats)
        for number, place in enumerate(self.places):
            self._start_member(place, f"10.{128 + number % 128}.0.0/16")
        access = read_kubeconfig(self.kubeconfig)
        self._hub = Hub(await self._stack.enter_async_context(open_hub(access)))
        await self._until("gateway", lambda: _answers(self.hub.api))
        joined = await asyncio.gather(*(self._join(place) for place in self.places))
        self.members.update(zip((place.name for place in self.places), joined, strict=True))

    def _require_kubeconfig(self) -> None:
        """Overwrite nobody's access to other clusters."""
        if holds_something_else(self.kubeconfig):
            raise FederationFailed(
                f"{self.kubeconfig} holds something else, which would be lost: choose another "
                "--kubeconfig"
            )

    async def _require_ports(self) -> None:
        """Say at once what would otherwise be a minute of children that die."""
        for purpose in ("gateway", *self._nats):
            port = self._ports.of(purpose)
            try:
                # One that was killed a moment ago may be about to let go.
                async with asyncio.timeout(PORT_DEADLINE_SECONDS):
                    while not is_free(port):  # noqa: ASYNC110 - another process decides.
                        await asyncio.sleep(_POLL_SECONDS)
            except TimeoutError as err:
                raise FederationFailed(
                    f"port {port}, for {purpose}, is in use: is {self.layout.root} running "
                    "already? Otherwise choose another --port or --data-dir"
                ) from err

    def _write_hub_access(self) -> None:
        """Certificate, token and kubeconfig: made once, kept over restarts."""
        certificate = ensure_serving_certificate(self.layout.tls, ("127.0.0.1", "localhost"))
        token = ensure_token(self.layout.tokens)
        write_kubeconfig(
            self.kubeconfig,
            name=CONTEXT,
            server=f"https://127.0.0.1:{self._gateway_port}",
            certificate_authority=certificate.authority.read_bytes(),
            token=token,
        )

    def _start_service(self, service: str, name: str, nats: NatsSettings) -> None:
        environment = {
            "HANSE_NATS_URL": nats.url,
            "HANSE_NATS_REPLICAS": str(nats.replicas),
            "HANSE_NATS_CREDENTIALS_FILE": str(nats.credentials_file),
            "HANSE_ENVELOPE_KEY_FILE": str(self.layout.envelope_key),
            "HANSE_PROBES_PORT": str(self.probes_port(name)),
            "HANSE_LEASE_FILE": str(self.layout.lives / name),
        }
        if service == "gateway":
            environment |= {
                "HANSE_PORT": str(self._ports.of(name)),
                "HANSE_TLS_FOLDER": str(self.layout.tls),
                "HANSE_TOKENS_FILE": str(self.layout.tokens),
            }
            if self.settings.replicas == 1:
                # Nobody can go elsewhere.
                environment["HANSE_DRAIN"] = "0"
        if service == "health":
            # Of one name each, over restarts: it is by it that a word is renewed.
            environment["HANSE_OBSERVER"] = name.replace(service, "hub")
        if service == "traffic":
            environment |= {
                "HANSE_DNS_PORT": str(self.dns_port(name)),
                "HANSE_DNS_SERVER_ID": name,
            }
        environment |= self.settings.service_environment
        self._start_child(name, [sys.executable, "-m", f"services.{service}"], environment)

    def _start_member(self, place: Place, pod_network: str) -> None:
        environment = {
            "HANSE_POD_NETWORK": pod_network,
            "HANSE_NAME": place.name,
            "HANSE_REGION": place.region,
            "HANSE_ZONE": place.zone,
            "HANSE_PROVIDER": place.provider,
            "HANSE_FOLDER": str(self.layout.member(place.name)),
            "HANSE_PORT": str(self._ports.of(_child_name(place.name))),
            **self.settings.simulator_environment,
        }
        arguments = [sys.executable, "-m", "services.simulator"]
        self._start_child(_child_name(place.name), arguments, environment)

    def _start_child(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self.supervisor.start(
            Command(
                name=name,
                arguments=arguments,
                environment=environment,
                log_file=self.layout.logs / f"{name}.log",
            )
        )

    async def _join(self, place: Place) -> MemberApi:
        """Register a simulated member; joining one that is a member already changes nothing."""
        name = _child_name(place.name)
        kubeconfig = self.layout.member(place.name) / "kubeconfig"
        await self._until(name, lambda: _exists(kubeconfig))
        credentials = read_kubeconfig(kubeconfig)
        member = await self._stack.enter_async_context(open_member(credentials, name=place.name))
        await self._until(name, lambda: _answers(member))
        await self._until("gateway", lambda: _registers(self.hub.api, place, credentials))
        return member

    async def _until(self, child: str, check: Callable[[], Awaitable[bool]]) -> None:
        """Wait until *check* holds; raises `FederationFailed` with the child's last words.

        What may be tried again counts as not yet.
        """
        reason = ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_DEADLINE_SECONDS):
                while self.supervisor.child(child).restarts < DEATHS_MAX:
                    try:
                        if await check():
                            return
                    except RetryableError as err:
                        reason = str(err)
                    await asyncio.sleep(_POLL_SECONDS)
        raise FederationFailed(self._obituary(child, reason))

    def _obituary(self, child: str, reason: str) -> str:
        """What is known of a child that did not come up."""
        files = [self.layout.logs / f"{child}.log"]
        if child in self._nats:
            files.append(self._nats[child].log_file)
        known = [reason, self.supervisor.child(child).last_end]
        told = "; ".join([f"{child} did not come up", *filter(None, known)])
        words = [line for file in files for line in last_words(file, lines=_LAST_LINES)]
        return "\n  ".join([f"{told}; its log is {files[-1]} and ends:", *(words or ["(nothing)"])])


@asynccontextmanager
async def start_federation(settings: FederationSettings) -> AsyncIterator[Federation]:
    """Start a federation and stop every process of it on leaving.

    Raises `FederationFailed`, and OSError where the directory or a file cannot be used.
    """
    async with AsyncExitStack() as stack:
        # Before anything is read or written there: the other one relies on it.
        try:
            stack.enter_context(hold(settings.data_dir.resolve()))
        except DirectoryInUse as err:
            raise FederationFailed(str(err)) from err
        federation = Federation(settings, stack)
        await federation.start()
        yield federation


def _numbered(service: str, number: int) -> str:
    return f"{service}-{number + 1}" if number else service


def _child_name(member: str) -> str:
    return f"member-{member}"


async def _connects(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _answers(api: MemberApi) -> bool:
    try:
        await api.read("/readyz", deadline_seconds=2.0)
    except TerminalError:
        return False
    return True


async def _registers(hub: MemberApi, place: Place, credentials: MemberCredentials) -> bool:
    await register(hub, place, credentials)
    return True


async def _exists(path: Path) -> bool:
    return path.exists()  # noqa: ASYNC240 - one look at a local file.
