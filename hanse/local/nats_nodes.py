"""The NATS of a federation on this machine: one server, or the nodes of a cluster.

A cluster keeps copies of every stream, so that it goes on without a node. One machine does not get
safer by it: it shows, and lets tests see, what a cluster on several does.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from hanse.local.layout import Layout, Ports
from shared.bus.jetstream import connect
from shared.bus.jetstream.connection import ApiError
from shared.bus.settings import NatsSettings
from shared.errors import StoreUnavailable
from shared.runtime.nats_server import Membership, NatsServer

COPIES_MAX = 3
_ANSWER_DEADLINE = timedelta(seconds=1)


def nats_nodes(layout: Layout, ports: Ports, count: int) -> dict[str, NatsServer]:
    """Return *count* servers by name, each with the folder and the ports it keeps."""
    if count == 1:
        return {"nats": NatsServer(layout.nats, port=ports.of("nats"))}
    names = [f"nats-{number}" for number in range(1, count + 1)]
    meeting = {name: ports.of(f"{name}-cluster") for name in names}
    servers = {}
    for name in names:
        membership = Membership(
            name=name,
            port=meeting[name],
            peers=[port for other, port in meeting.items() if other != name],
            credentials_file=layout.nats / "credentials.json",
        )
        servers[name] = NatsServer(layout.nats / name, port=ports.of(name), membership=membership)
    return servers


def settings_of(servers: Mapping[str, NatsServer]) -> NatsSettings:
    """How to reach them: any of them."""
    one, *_ = servers.values()
    return NatsSettings(
        url=",".join(server.url for server in servers.values()),
        credentials_file=one.credentials_file,
        replicas=min(len(servers), COPIES_MAX),
    )


async def take_requests(settings: NatsSettings) -> bool:
    """Whether JetStream answers; nodes have to find a leader first, and are silent until then."""
    quick = replace(settings, deadline=_ANSWER_DEADLINE, patience=_ANSWER_DEADLINE)
    async with connect(quick, "start") as connection:
        try:
            await connection.api("INFO")
        except (ApiError, StoreUnavailable):
            return False
    return True
