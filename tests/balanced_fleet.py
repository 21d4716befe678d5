"""A fleet for tests of traffic: backends on loopback stand for the pods of members.

The part that decides and the part that balances run as they are, over a nats-server; what members
export is played by the test.
"""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.local.layout import free_port
from services.traffic.core.catalogue import (
    Endpoint,
    EndpointPort,
    Exporter,
    ImportedService,
    ServiceName,
    ServicePort,
)
from services.traffic.front.balancing import Balancing
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.feed import FeedDoor
from services.traffic.reconcilers.guarding import Guard
from services.traffic.reconcilers.routes import RouteStandings
from services.traffic.reconcilers.sharing import Sharing
from services.traffic.settings import FrontSettings, Settings
from shared.api.meta import API_VERSION, GROUP, read
from shared.api.traffic_policy import TRAFFIC_POLICIES, TrafficPolicy
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import Bus
from shared.bus.topology import STREAMS
from shared.clock import SystemClock
from shared.controller.loop import LoopSettings
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import open_store
from shared.store.port import ObjectStore
from tests.federation import eventually, running

POLICY = ObjectKey(GROUP, TRAFFIC_POLICIES, "shop", "shop")
SERVICE = ServiceName("shop", "shop")
PORT = ServicePort(name="http", port=1)

needs_haproxy = pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="haproxy is not installed"
)


class Backend(asyncio.Protocol):
    """A pod: answers every request with its cluster's name."""

    def __init__(self, pod: "Pod") -> None:
        self._pod = pod
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._pod.connections.add(transport)

    def connection_lost(self, _why: Exception | None) -> None:
        self._pod.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        for _ in range(data.count(b"\r\n\r\n")):
            self._pod.answered += 1
            self._transport.write(self._pod.answer)


class Pod:
    """One pod of *cluster* on a port of its own."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self.port = free_port()
        self.answered = 0
        self.connections: set[Any] = set()
        self.answer = self._as("200 OK")
        self._server: asyncio.Server | None = None

    def _as(self, status: str) -> bytes:
        body = self.cluster.encode()
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Backend(self), "127.0.0.1", self.port)

    def fail(self) -> None:
        """Go on answering, with errors."""
        self.answer = self._as("500 Internal Server Error")

    def kill(self) -> None:
        """Go at once, with all that is under way."""
        assert self._server is not None
        self._server.close()
        for transport in self.connections.copy():
            transport.abort()


class Fleet:
    """Members that export one service, and everything that shares its traffic."""

    def __init__(self, store: ObjectStore, bus: Bus, pods: Mapping[str, Pod]) -> None:
        self.store = store
        self.bus = bus
        self.pods = pods
        self.port = free_port()
        self.catalogue = LiveCatalogue()
        self._ready = dict.fromkeys(pods, 1)

    def export(self, **ready: int) -> None:
        """Have members (`eu_1`) export so many ready endpoints, all of them their one pod."""
        self._ready |= {name.replace("_", "-"): count for name, count in ready.items()}
        exporters = {
            name: Exporter(
                cluster=name, region=name[:2], endpoints=(self._endpoint(pod),) * self._ready[name]
            )
            for name, pod in self.pods.items()
        }
        port = replace(PORT, port=self.port)
        self.catalogue.put(ImportedService(service=SERVICE, ports=(port,), exporters=exporters))
        self.catalogue.synced.set()

    def _endpoint(self, pod: Pod) -> Endpoint:
        return Endpoint(
            cluster=pod.cluster,
            region=pod.cluster[:2],
            addresses=("127.0.0.1",),
            ports=(EndpointPort(name="http", port=pod.port),),
        )

    async def apply(self, name: str = POLICY.name, **spec: Any) -> None:
        """Create or replace a policy, as the gateway does."""
        key = POLICY._replace(name=name)
        stored = await self.store.get(key)
        old = stored.manifest if stored is not None else {}
        metadata = {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "generation": old.get("metadata", {}).get("generation", 0) + 1,
        }
        manifest: Manifest = {
            "apiVersion": API_VERSION,
            "kind": "TrafficPolicy",
            "metadata": metadata,
            "spec": {"service": "shop", **spec},
        }
        manifest |= {"status": old["status"]} if "status" in old else {}
        await self._write(key, manifest)

    async def register(self, name: str, **spec: Any) -> None:
        key = ObjectKey(GROUP, "clusters", "", name)
        manifest: Manifest = {
            "apiVersion": API_VERSION,
            "kind": "Cluster",
            "metadata": {"name": name},
            "spec": {"region": name[:2], **spec},
        }
        await self._write(key, manifest)

    async def _write(self, key: ObjectKey, manifest: Manifest) -> None:
        stored = await self.store.get(key)
        if stored is None:
            await self.store.create(key, manifest)
        else:
            await self.store.update(key, manifest, expected=stored.revision)

    async def policy(self) -> TrafficPolicy:
        stored = await self.store.get(POLICY)
        assert stored is not None
        return read(stored.manifest, TrafficPolicy)

    async def shares(self, region: str = "") -> dict[str, float]:
        """Percentages of traffic from *region*, as the status of the policy says."""
        splits = {one.region: one for one in (await self.policy()).status.splits}
        clusters = splits[region].clusters if region in splits else ()
        return {one.name: one.share / 100 for one in clusters if one.share}

    async def until(self, shares: Mapping[str, float], region: str = "") -> None:
        async def as_wished() -> bool:
            return await self.shares(region) == shares

        await eventually(as_wished)

    async def ask(self, count: int, connections: int = 8) -> Counter[str]:
        """Send so many requests to the front; who answered how many, and "failed"."""
        found: Counter[str] = Counter()
        left = iter(range(count))

        async def client() -> None:
            stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
            for _ in left:
                try:
                    stream = stream or await asyncio.open_connection("127.0.0.1", self.port)
                    stream[1].write(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
                    head = await stream[0].readuntil(b"\r\n\r\n")
                    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                    body = await stream[0].readexactly(size)
                except (OSError, asyncio.IncompleteReadError, IndexError):
                    found["failed"] += 1
                    if stream is not None:
                        stream[1].close()
                    stream = None
                    continue
                found[body.decode() if b" 200 " in head[:16] else "failed"] += 1
                if b"connection: close" in head.lower():
                    stream[1].close()
                    stream = None
            if stream is not None:
                stream[1].close()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(connections):
                tasks.create_task(client())
        return found

    @asynccontextmanager
    async def load(self) -> AsyncIterator[Counter[str]]:
        """Ask all the time; what came of it so far."""
        found: Counter[str] = Counter()
        enough = asyncio.Event()

        async def keep_asking() -> None:
            while not enough.is_set():
                found.update(await self.ask(40, connections=4))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_asking())
            try:
                yield found
            finally:
                enough.set()

    @asynccontextmanager
    async def deciding(self) -> AsyncIterator[None]:
        settings = Settings(
            loop=LoopSettings(workers=2, fail_fast=True), split_late=timedelta(milliseconds=200)
        )
        guard = Guard(fail_fast=True)
        sharing = Sharing(
            self.store,
            self.bus,
            self.catalogue,
            standings=RouteStandings(),
            clock=SystemClock(),
            settings=settings,
            guard=guard,
        )
        feed = FeedDoor(self.bus, self.store.mirror, self.catalogue, guard)
        async with running(feed.run, *sharing.tasks.values()):
            yield

    @asynccontextmanager
    async def fronted(self, folder: Path) -> AsyncIterator[None]:
        settings = FrontSettings(
            config=folder / "haproxy.cfg",
            socket=folder / "admin.sock",
            name="front",
            interval=timedelta(seconds=0.2),
            word_interval=timedelta(seconds=0.2),
        )
        front = Balancing(self.bus, SystemClock(), settings)
        async with running(front.run):
            yield


@asynccontextmanager
async def balanced_fleet(
    folder: Path, names: Sequence[str], *, deciding: bool = True
) -> AsyncIterator[Fleet]:
    """Members *names*, each with one pod and one ready endpoint, and who decides, if wished."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(NatsServer(folder / "nats"))
        connection = await stack.enter_async_context(connect(server.settings, "test"))
        await ensure_topology(connection, STREAMS)
        store = await stack.enter_async_context(open_store(connection))
        pods = {name: Pod(name) for name in names}
        fleet = Fleet(store, open_bus(connection, "traffic"), pods)
        for name, pod in pods.items():
            await pod.start()
            await fleet.register(name)
        fleet.export()
        if deciding:
            await stack.enter_async_context(fleet.deciding())
        yield fleet
        for pod in pods.values():
            pod.kill()
