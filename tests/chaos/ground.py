"""A federation whose every connection leads through a link that may fail.

Hanse reaches its members and NATS through links. Who looks at the members here does so past them.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from hanse.hub import Hub
from hanse.local.federation import Federation, FederationSettings, start_federation
from hanse.local.layout import Layout, Ports
from hanse.local.nats_nodes import nats_nodes
from hanse.membership.join import Place, register
from shared.memberapi.credentials import MemberCredentials, read_kubeconfig
from shared.memberapi.http import open_member
from tests.chaos.balancer import open_balanced_hub
from tests.chaos.disk import Disk, open_disk
from tests.chaos.insist import insist
from tests.chaos.link import Link, open_link
from tests.kube_apiserver import run_kube_apiserver

# A pod's own start is not what is tried here.
SIMULATOR = {"HANSE_POD_READY": "0.05", "HANSE_NODE_CPU": "64"}
_BACKUP_SECONDS = 30.0
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What federation to start."""

    members: int = 3
    """Simulated ones."""
    real_members: int = 0
    """Real API servers, without controllers: nothing runs there."""
    replicas: int = 1
    nats_nodes: int = 1
    small_disk: bool = False
    """Whether NATS has a disk of its own, which can be filled."""
    service_environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ground:
    """`nats` has the links between Hanse and each node, `members` those to each member."""

    federation: Federation
    hub: Hub
    """By all gateways that there are."""
    nats: Mapping[str, Link]
    members: Mapping[str, Link]
    real: Mapping[str, MemberCredentials]
    """The members that are real API servers, and how to reach them."""
    disk: Disk | None
    stack: AsyncExitStack

    def heal(self) -> None:
        """End every fault of links, and let every process run that was held."""
        for link in (*self.nats.values(), *self.members.values()):
            link.heal()
        for child in self.federation.supervisor.children():
            child.release()

    @property
    def runs_pods(self) -> bool:
        return not self.real

    async def hand_over(self, name: str) -> None:
        """Register a member with the credentials that it has now, by way of its link."""
        federation = self.federation
        credentials = self.real.get(name) or _access(federation.layout, name)
        server = f"https://127.0.0.1:{self.members[name].port}"
        places = {place.name: place for place in federation.places}
        place = places.get(name, Place(name))
        access = msgspec.structs.replace(credentials, server=server)
        await insist(lambda: register(federation.hub.api, place, access))

    async def back_up(self, name: str) -> bytes:
        """What a member holds now."""
        member = self.federation.members[name]
        return await member.read("/simulator/backup", deadline_seconds=_BACKUP_SECONDS)

    async def restore(self, name: str, backup: bytes, *, new_token: bool = False) -> None:
        """Start a member anew with what it held then; with *new_token* the old one is no good."""
        federation = self.federation
        folder = federation.layout.member(name)
        child = federation.supervisor.child(f"member-{name}")
        child.hold()
        (folder / "backup.json").write_bytes(backup)
        if new_token:
            (folder / "token").write_text(secrets.token_urlsafe(32))
            (folder / "kubeconfig").unlink()
        child.release()
        if new_token:
            await self._look_anew(name)

    async def _look_anew(self, name: str) -> None:
        """Look at a member with the credentials it has now, once it has said which."""
        kubeconfig = self.federation.layout.member(name) / "kubeconfig"
        async with asyncio.timeout(_START_SECONDS):
            while not kubeconfig.exists():
                await asyncio.sleep(0.05)
        access = _access(self.federation.layout, name)
        api = await self.stack.enter_async_context(open_member(access, name=name))
        self.federation.members[name] = api


@asynccontextmanager
async def open_ground(folder: Path, shape: Shape) -> AsyncIterator[Ground]:
    """Start a federation in *folder*, which is absolute, and lead it through links."""
    async with AsyncExitStack() as stack:
        layout = Layout(folder)
        layout.prepare()
        disk = stack.enter_context(open_disk(layout.nats)) if shape.small_disk else None
        # Before there are links: nobody is heard through them while this waits.
        real = {
            name: stack.enter_context(run_kube_apiserver(_made(folder / name)))
            for name in (f"real-{number + 1}" for number in range(shape.real_members))
        }
        # Their ports are chosen now, so that services can be told of links before there is NATS.
        nats = {
            name: await stack.enter_async_context(open_link(_port(server.url)))
            for name, server in nats_nodes(layout, Ports(layout.ports), shape.nats_nodes).items()
        }
        url = ",".join(f"nats://127.0.0.1:{link.port}" for link in nats.values())
        settings = FederationSettings(
            data_dir=folder,
            clusters=shape.members,
            replicas=shape.replicas,
            nats_nodes=shape.nats_nodes,
            service_environment={**shape.service_environment, "HANSE_NATS_URL": url},
            simulator_environment=SIMULATOR,
        )
        federation = await stack.enter_async_context(start_federation(settings))
        for name, access in real.items():
            api = await stack.enter_async_context(open_member(access, name=name))
            federation.members[name] = api
        members = {}
        for name in federation.members:
            access = real.get(name) or _access(layout, name)
            members[name] = await stack.enter_async_context(open_link(_port(access.server)))
        hub = federation.hub
        if shape.replicas > 1:
            hub = await stack.enter_async_context(open_balanced_hub(federation))
        ground = Ground(federation, hub, nats, members, real, disk, stack)
        for name in members:
            await ground.hand_over(name)
        yield ground


def _access(layout: Layout, name: str) -> MemberCredentials:
    return read_kubeconfig(layout.member(name) / "kubeconfig")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
