"""A federation whose every connection leads through a link that may fail.

Hanse reaches its members and NATS through links. Who looks at the members here does so past them.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from hanse.federation import Federation, FederationSettings, start_federation
from hanse.join import register
from hanse.layout import Layout, Ports
from shared.memberapi.credentials import read_kubeconfig
from tests.chaos.link import Link, open_link

# A pod's own start is not what is tried here.
SIMULATOR = {"HANSE_POD_READY": "0.05", "HANSE_NODE_CPU": "64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What federation to start."""

    members: int = 3
    service_environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ground:
    """`nats` is the link between Hanse and NATS, `members` those between Hanse and each member."""

    federation: Federation
    nats: Link
    members: Mapping[str, Link]

    def heal(self) -> None:
        """End every fault of links, and let every process run that was held."""
        for link in (self.nats, *self.members.values()):
            link.heal()
        for child in self.federation.supervisor.children():
            child.release()

    async def hand_over(self, name: str) -> None:
        """Register a member with the credentials that it has now, by way of its link."""
        federation = self.federation
        credentials = read_kubeconfig(federation.layout.member(name) / "kubeconfig")
        server = f"https://127.0.0.1:{self.members[name].port}"
        place = next(place for place in federation.places if place.name == name)
        await register(
            federation.hub.api, place, msgspec.structs.replace(credentials, server=server)
        )


@asynccontextmanager
async def open_ground(folder: Path, shape: Shape) -> AsyncIterator[Ground]:
    """Start a federation in *folder*, which is absolute, and lead it through links."""
    async with AsyncExitStack() as stack:
        layout = Layout(folder)
        layout.prepare()
        # Chosen now, so that services can be told of the link before NATS is there.
        nats = await stack.enter_async_context(open_link(Ports(layout.ports).of("nats")))
        url = {"HANSE_NATS_URL": f"nats://127.0.0.1:{nats.port}"}
        settings = FederationSettings(
            data_dir=folder,
            clusters=shape.members,
            service_environment={**shape.service_environment, **url},
            simulator_environment=SIMULATOR,
        )
        federation = await stack.enter_async_context(start_federation(settings))
        members = {}
        for name in federation.members:
            server = read_kubeconfig(layout.member(name) / "kubeconfig").server
            port = urlsplit(server).port
            assert port is not None
            members[name] = await stack.enter_async_context(open_link(port))
        ground = Ground(federation, nats, members)
        for name in members:
            await ground.hand_over(name)
        yield ground
