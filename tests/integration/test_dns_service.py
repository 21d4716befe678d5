"""DNS as traffic runs it, over a real store: from an object at the hub to an answer."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.message
import dns.rcode
import pytest

from services.traffic.core.dns.networks import packed
from services.traffic.dns.serving import Dns
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.guarding import Guard
from services.traffic.service import SCOPES, assemble
from services.traffic.settings import DnsSettings, Settings
from shared.api.meta import API_VERSION
from shared.apimachinery.manifest import ObjectKey
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.memory import MemoryBus
from shared.bus.topology import STREAMS
from shared.clock import SystemClock
from shared.runtime.environment import BadSetting
from shared.runtime.nats_server import NatsServer
from shared.runtime.probes import Readiness
from shared.store.jetstream import open_store
from shared.store.memory import MemoryStore
from shared.store.port import UNWATCHED, ObjectStore
from shared.telemetry import metrics
from tests.unit.traffic.dns_server import service, texts

DOMAIN = "global.example.com"
HOST = f"shop.{DOMAIN}"
WEB = "web.shop.svc.clusterset.local"
ZONE = ObjectKey("hanse.dev", "globalzones", "", "world")
POLICY = ObjectKey("hanse.dev", "trafficpolicies", "shop", "shop")
EU = ObjectKey("hanse.dev", "clusters", "", "eu-1")


def manifest(kind: str, key: ObjectKey, spec: Mapping[str, Any], **status: Any) -> dict[str, Any]:
    metadata = {"name": key.name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    if key.namespace:
        metadata["namespace"] = key.namespace
    found = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": dict(spec)}
    return {**found, "status": status} if status else found


ZONE_SPEC = {"domain": DOMAIN, "nameServers": [{"name": "ns1.example.com"}]}
POLICY_SPEC = {
    "service": "shop",
    "hosts": [HOST],
    "gateways": [
        {"cluster": "eu-1", "addresses": ["203.0.113.1:443"]},
        {"cluster": "us-1", "addresses": ["198.51.100.1:443"]},
    ],
}
UNREACHABLE = {"key": "cluster.hanse.dev/unreachable", "effect": "NoExecute"}


@dataclass
class Ground:
    store: ObjectStore
    catalogue: LiveCatalogue
    dns: Dns

    @property
    def port(self) -> int:
        return self.dns.addresses[0][1]

    async def write(self, key: ObjectKey, manifest: dict[str, Any]) -> None:
        found = await self.store.get(key)
        if found is None:
            await self.store.create(key, manifest)
        else:
            await self.store.update(key, manifest, expected=found.revision)

    async def ask(self, name: str, kind: str = "A") -> dns.message.Message:
        query = dns.message.make_query(name, kind)
        return await dns.asyncquery.udp(query, "127.0.0.1", 5, self.port)

    async def until_told(self, name: str, *told: str, kind: str = "A") -> None:
        """Ask until all of *told*, and nothing else, was seen in a few answers."""
        while True:
            answers = [await self.ask(name, kind) for _ in range(8 * len(told) or 1)]
            if {text for answer in answers for text in texts(answer)} == set(told):
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(server: NatsServer, settings: DnsSettings) -> AsyncIterator[Ground]:
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connect(server.settings, "traffic"))
        await ensure_topology(connection, STREAMS)
        store = await stack.enter_async_context(open_store(connection, SCOPES, UNWATCHED))
        catalogue = LiveCatalogue()
        bus = open_bus(connection, "traffic")
        found = Dns(
            store.mirror,
            bus,
            catalogue,
            clock=SystemClock(),
            settings=settings,
            guard=Guard(fail_fast=True),
        )
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        running = [tasks.create_task(task()) for task in found.tasks.values()]
        catalogue.synced.set()
        await found.answering.wait()
        yield Ground(store, catalogue, found)
        for task in running:
            task.cancel()


@pytest.fixture
async def ground(nats_server: NatsServer) -> AsyncIterator[Ground]:
    settings = DnsSettings(port=0, member_networks=("eu-1=127.0.0.0/8",))
    async with running(nats_server, settings) as found:
        yield found


async def test_a_service_is_answered_for_as_soon_as_it_is_known(ground: Ground) -> None:
    assert (await ground.ask(WEB)).rcode() == dns.rcode.NXDOMAIN
    found = service(own={"eu-1": ("10.96.0.7",)})
    ground.catalogue.put(found)
    # By the network it asks from it is known which member asks, and what the service has there.
    await ground.until_told(WEB, "10.96.0.7")
    ground.catalogue.remove(found.service)
    await ground.until_told(WEB)


async def test_a_policys_hosts_are_names_of_the_zone_around_them(ground: Ground) -> None:
    assert (await ground.ask(HOST)).rcode() == dns.rcode.REFUSED
    await ground.write(POLICY, manifest("TrafficPolicy", POLICY, POLICY_SPEC))
    await ground.write(ZONE, manifest("GlobalZone", ZONE, ZONE_SPEC))
    await ground.until_told(HOST, "203.0.113.1", "198.51.100.1")

    splits = [{"region": "", "clusters": [{"name": "us-1", "share": 10_000}]}]
    await ground.write(POLICY, manifest("TrafficPolicy", POLICY, POLICY_SPEC, splits=splits))
    await ground.until_told(HOST, "198.51.100.1")

    await ground.write(POLICY, manifest("TrafficPolicy", POLICY, POLICY_SPEC))
    await ground.write(EU, manifest("Cluster", EU, {}, taints=[UNREACHABLE]))
    await ground.until_told(HOST, "198.51.100.1")
    await ground.write(EU, manifest("Cluster", EU, {}))
    await ground.until_told(HOST, "203.0.113.1", "198.51.100.1")

    gone = await ground.store.get(ZONE)
    assert gone is not None
    await ground.store.delete(ZONE, gone.manifest, expected=gone.revision)
    while (await ground.ask(HOST)).rcode() != dns.rcode.REFUSED:
        await asyncio.sleep(0.02)


async def test_names_that_are_none_stand_in_nobodys_way(ground: Ground) -> None:
    """Admission refuses them; what is stored may be older than its rules."""
    long = "a" * 64
    unusable = ObjectKey("hanse.dev", "globalzones", "", "unusable")
    await ground.write(unusable, manifest("GlobalZone", unusable, {**ZONE_SPEC, "domain": long}))
    await ground.write(ZONE, manifest("GlobalZone", ZONE, ZONE_SPEC))
    hosts = {**POLICY_SPEC, "hosts": [f"{long}.{DOMAIN}", HOST]}
    await ground.write(POLICY, manifest("TrafficPolicy", POLICY, hosts))
    await ground.until_told(HOST, "203.0.113.1", "198.51.100.1")
    reason, message = ground.dns.zones.refused["unusable"]
    assert reason == "IllegalName"
    assert long in message
    assert [one.host for one in ground.dns.zones.amiss(DOMAIN)] == [f"{long}.{DOMAIN}"]
    # Once it says what can be, it is answered for.
    await ground.write(unusable, manifest("GlobalZone", unusable, {**ZONE_SPEC, "domain": "test"}))
    while (await ground.ask("x.test")).rcode() != dns.rcode.NXDOMAIN:
        await asyncio.sleep(0.02)
    assert not ground.dns.zones.refused


def asked_often(port: int, times: int) -> Counter[bytes]:
    """How often each address was told."""
    question = dns.message.make_query(HOST, "A", use_edns=False).to_wire()
    found: Counter[bytes] = Counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("127.0.0.1", port))
        asking.settimeout(10)
        for _ in range(times // 50):
            for _ in range(50):
                asking.send(question)
            for _ in range(50):
                found[asking.recv(512)[-4:]] += 1
    return found


async def test_twenty_thousand_answers_follow_the_weights_within_two_points(
    ground: Ground,
) -> None:
    shares = {"eu-1": 7_500, "us-1": 2_500}
    clusters = [{"name": name, "share": share} for name, share in shares.items()]
    splits = [{"region": "", "clusters": clusters}]
    await ground.write(ZONE, manifest("GlobalZone", ZONE, {**ZONE_SPEC, "responsesPerSecond": 0}))
    await ground.write(POLICY, manifest("TrafficPolicy", POLICY, POLICY_SPEC, splits=splits))
    await ground.until_told(HOST, "203.0.113.1", "198.51.100.1")
    found = await asyncio.to_thread(asked_often, ground.port, 20_000)
    assert found.total() == 20_000
    assert abs(found[packed("203.0.113.1")] / 200 - 75) < 2
    assert abs(found[packed("198.51.100.1")] / 200 - 25) < 2


async def test_answers_go_on_when_nats_is_away_and_their_age_is_told(
    ground: Ground, nats_server: NatsServer
) -> None:
    ground.catalogue.put(service(own={"eu-1": ("10.96.0.7",)}))
    await ground.write(ZONE, manifest("GlobalZone", ZONE, ZONE_SPEC))
    await ground.write(POLICY, manifest("TrafficPolicy", POLICY, POLICY_SPEC))
    await ground.until_told(HOST, "203.0.113.1", "198.51.100.1")
    await nats_server.stop()
    while not metrics.DNS_STALE_SECONDS._value.get():
        await asyncio.sleep(0.05)
    await ground.until_told(HOST, "203.0.113.1", "198.51.100.1")
    await ground.until_told(WEB, "10.96.0.7")
    await nats_server.start()
    while metrics.DNS_STALE_SECONDS._value.get():
        await asyncio.sleep(0.05)
    splits = [{"region": "", "clusters": [{"name": "us-1", "share": 10_000}]}]
    await ground.write(POLICY, manifest("TrafficPolicy", POLICY, POLICY_SPEC, splits=splits))
    await ground.until_told(HOST, "198.51.100.1")


async def test_a_process_that_answers_only_has_no_part_in_writing() -> None:
    settings = Settings(dns=DnsSettings(port=0, only=True))
    store, bus = MemoryStore(), MemoryBus("test")
    tasks = assemble(settings, store, bus, clock=SystemClock(), readiness=Readiness())
    assert {"dns", "dns zones", "dns services", "exports"} <= tasks.keys()
    assert "lease" not in tasks


@pytest.mark.parametrize(
    "settings",
    [
        DnsSettings(clients=("10.0.0.0/40",)),
        DnsSettings(member_networks=("10.0.0.0/8",)),
        DnsSettings(transfer_key="nobody"),
        DnsSettings(keys_file=Path("/nowhere/keys")),
    ],
    ids=["network", "member", "key", "file"],
)
async def test_settings_that_cannot_be_are_refused_at_the_start(settings: DnsSettings) -> None:
    with pytest.raises(BadSetting):
        Dns(
            MemoryStore().mirror,
            MemoryBus("test"),
            LiveCatalogue(),
            clock=SystemClock(),
            settings=settings,
            guard=Guard(fail_fast=True),
        )
