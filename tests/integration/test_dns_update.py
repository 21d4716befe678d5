"""Debian's real BIND is told, by signed updates, what a GlobalZone says; and the zone says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dns.message

from services.traffic.core.dns.endpoints import DEFINITION
from services.traffic.dns.serving import Dns
from services.traffic.dns.upkeep import ZoneUpkeep
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.guarding import Guard
from services.traffic.settings import DnsSettings
from shared.apimachinery.manifest import ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, CaughtUp
from shared.bus.topology import EVENTS
from shared.clock import SystemClock
from shared.events.zones import decode_zone_changed
from shared.store.memory import MemoryStore
from shared.store.port import ObjectStore
from tests.integration.bind9 import KEY_TEXT, bind9, free_port, needs_named, until_answered
from tests.integration.test_dns_service import DOMAIN, HOST, POLICY, POLICY_SPEC, ZONE, manifest
from tests.unit.traffic.dns_server import texts
from tests.unit.traffic.test_dns_hosts import NOWHERE

PRIMARY = f"""
zone "{DOMAIN}" {{
    type primary; file "world.db";
    allow-update {{ key "hanse-transfer"; }};
    allow-transfer {{ key "hanse-transfer"; }};
}};
"""
RECORDS = """$TTL 60
@ IN SOA ns.example.com. dns.example.com. 1 60 60 60 1
@ IN NS ns.example.com.
www IN A 192.0.2.1
mine IN A 192.0.2.2
"""


@asynccontextmanager
async def upkeep(folder: Path, bus: Bus | None = None) -> AsyncIterator[ObjectStore]:
    """One process of traffic that has the duty, over memory."""
    bus = bus or MemoryBus("t")
    (folder / "keys").write_text(KEY_TEXT)
    store, clock = MemoryStore(), SystemClock()
    settings = DnsSettings(keys_file=folder / "keys")
    names = Dns(
        store.mirror,
        bus,
        LiveCatalogue(),
        clock=clock,
        settings=settings,
        guard=Guard(fail_fast=True),
    )
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(run())
            for run in (names.zones.run, ZoneUpkeep(store, bus, names, clock).run)
        ]
        yield store
        for task in running:
            task.cancel()


async def write(store: ObjectStore, key: Any, found: dict[str, Any]) -> None:
    there = await store.get(key)
    if there is None:
        await store.create(key, found)
    else:
        status = there.manifest.get("status")
        kept = {"status": status} if status and "status" not in found else {}
        await store.update(key, {**found, **kept}, expected=there.revision)


async def until_said(store: ObjectStore, condition: str, reason: str) -> str:
    """Wait for *condition* to be so by *reason*; returns its message."""
    while True:
        there = await store.get(ZONE)
        for one in (there.manifest.get("status") or {}).get("conditions", ()) if there else ():
            if (one["type"], one["reason"]) == (condition, reason):
                return str(one["message"])
        await asyncio.sleep(0.02)


def zone(port: int, key: str = "hanse-transfer", **spec: Any) -> dict[str, Any]:
    update = {"server": f"127.0.0.1:{port}", "key": key}
    servers = [{"name": "ns.example.com"}]
    whole = {"domain": DOMAIN, "nameServers": servers, "update": update, **spec}
    return manifest("GlobalZone", ZONE, whole)


@needs_named
async def test_bind_says_what_the_zone_says_and_keeps_what_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "world.db").write_text(RECORDS)
    async with bind9(tmp_path, PRIMARY, DOMAIN) as there, upkeep(tmp_path) as store:
        fixed = [{"name": "@", "type": "TXT", "values": ["by hanse"]}]
        await write(store, ZONE, zone(there, records=fixed))
        hosts = [HOST, f"mine.{DOMAIN}", f"*.any.{DOMAIN}"]
        await write(
            store, POLICY, manifest("TrafficPolicy", POLICY, {**POLICY_SPEC, "hosts": hosts})
        )
        answer = await until_answered(there, HOST, "A", lambda one: bool(one.answer))
        assert texts(answer) == ["198.51.100.1", "203.0.113.1"]
        answer = await until_answered(there, f"x.any.{DOMAIN}", "A", lambda one: bool(one.answer))
        assert answer.answer[0].ttl == 30
        assert '"by hanse"' in texts(await until_answered(there, DOMAIN, "TXT", anything))
        # A name that was there before is not Hanse's, and the zone says that.
        message = await until_said(store, "Updated", "NamesTaken")
        assert message.endswith(f"left as they are: mine.{DOMAIN}.")

        splits = [{"region": "", "clusters": [{"name": "eu-1", "share": 10_000}]}]
        policy = manifest("TrafficPolicy", POLICY, {**POLICY_SPEC, "hosts": [HOST]}, splits=splits)
        await write(store, POLICY, policy)
        await until_answered(there, HOST, "A", lambda one: texts(one) == ["203.0.113.1"])
        await until_answered(there, f"x.any.{DOMAIN}", "A", lambda one: not one.answer)
        await until_said(store, "Updated", "Updated")

        gone = await store.get(POLICY)
        assert gone is not None
        await store.delete(POLICY, gone.manifest, expected=gone.revision)
        await until_answered(there, HOST, "A", lambda one: not one.answer)
        for name, address in (("www", "192.0.2.1"), ("mine", "192.0.2.2")):
            assert texts(await until_answered(there, f"{name}.{DOMAIN}", "A", anything)) == [
                address
            ]


def anything(_answer: dns.message.Message) -> bool:
    return True


@needs_named
async def test_what_bind_refuses_is_said_on_the_zone(tmp_path: Path) -> None:
    (tmp_path / "world.db").write_text(RECORDS)
    closed = PRIMARY.replace('allow-update { key "hanse-transfer"; }', "allow-update { none; }")
    async with bind9(tmp_path, closed, DOMAIN) as there, upkeep(tmp_path) as store:
        await write(store, POLICY, manifest("TrafficPolicy", POLICY, POLICY_SPEC))
        await write(store, ZONE, zone(there))
        assert "REFUSED" in await until_said(store, "Updated", "NotUpdated")


async def test_a_zone_says_what_is_amiss_with_it(tmp_path: Path) -> None:
    bus = MemoryBus("t")
    async with upkeep(tmp_path, bus) as store:
        policy = {**POLICY_SPEC, "gateways": []}
        await write(store, POLICY, manifest("TrafficPolicy", POLICY, policy))
        await write(store, ZONE, zone(free_port(), key="nobody", transfer={"allow": ["::/0"]}))
        await until_said(store, "Accepted", "Accepted")
        assert "nobody" in await until_said(store, "Updated", "KeyUnknown")
        await until_said(store, "Transferable", "Transferable")
        message = await until_said(store, "NamesResolve", "HostsAmiss")
        assert message == f"{HOST}: {NOWHERE}"

        await write(store, ZONE, zone(free_port()))
        assert "cannot be read" in await until_said(store, "Updated", "NotUpdated")
        await write(store, POLICY, manifest("TrafficPolicy", POLICY, POLICY_SPEC))
        await until_said(store, "NamesResolve", "Resolved")
        there = await store.get(ZONE)
        assert there is not None
        assert there.manifest["status"]["names"] == 1
    facts = []
    async with bus.follow(
        EVENTS, ["hanse.events.zone.changed.world"], recent=EVENTS.age_max
    ) as messages:
        async for published in messages:
            if isinstance(published, CaughtUp):
                break
            facts.append(decode_zone_changed(published.body))
    amiss = [{one.reason for one in fact.conditions if one.status == "False"} for fact in facts]
    assert amiss[0] == {"HostsAmiss", "KeyUnknown"}
    assert amiss[-1] == {"NotUpdated"}


async def test_external_dns_is_told_in_the_namespace_of_each_policy(tmp_path: Path) -> None:
    key = ObjectKey("externaldns.k8s.io", "dnsendpoints", "shop", "shop.world")
    servers = [{"name": "ns.example.com"}]
    spec = {"domain": DOMAIN, "nameServers": servers, "dnsEndpoints": {"labels": {"dns": "public"}}}
    async with upkeep(tmp_path) as store:
        await write(store, POLICY, manifest("TrafficPolicy", POLICY, POLICY_SPEC))
        await write(store, ZONE, manifest("GlobalZone", ZONE, spec))
        assert DEFINITION.name in await until_said(store, "EndpointsWritten", "KindNotServed")
        await store.create(DEFINITION, {"metadata": {"name": DEFINITION.name}})
        await write(store, ZONE, manifest("GlobalZone", ZONE, {**spec, "ttlSeconds": 60}))
        await until_said(store, "EndpointsWritten", "Written")
        written = await store.get(key)
        assert written is not None
        assert written.manifest["spec"]["endpoints"] == [
            {
                "dnsName": HOST,
                "recordType": "A",
                "recordTTL": 60,
                "targets": ["198.51.100.1", "203.0.113.1"],
            }
        ]
        assert written.manifest["metadata"]["labels"]["dns"] == "public"

        theirs = {**written.manifest, "status": {"observedGeneration": 1}}
        await store.update(key, theirs, expected=written.revision)
        gateways = [{"cluster": "eu-1", "addresses": ["lb.example.net:443"]}]
        policy = {**POLICY_SPEC, "gateways": gateways}
        await write(store, POLICY, manifest("TrafficPolicy", POLICY, policy))
        while (await targets(store, key)) != ["lb.example.net"]:
            await asyncio.sleep(0.02)
        changed = await store.get(key)
        assert changed is not None
        assert changed.manifest["status"] == {"observedGeneration": 1}
        assert changed.manifest["metadata"]["generation"] == 2

        gone = await store.get(ZONE)
        assert gone is not None
        await store.delete(ZONE, gone.manifest, expected=gone.revision)
        while await store.get(key) is not None:
            await asyncio.sleep(0.02)


async def targets(store: ObjectStore, key: ObjectKey) -> list[str]:
    found = await store.get(key)
    return list(found.manifest["spec"]["endpoints"][0]["targets"]) if found is not None else []


async def test_the_younger_of_two_zones_of_one_domain_is_told_so(tmp_path: Path) -> None:
    async with upkeep(tmp_path) as store:
        older = manifest("GlobalZone", ZONE, {"domain": DOMAIN, "nameServers": [{"name": "ns.b"}]})
        older["metadata"] |= {"name": "older", "creationTimestamp": "2025-01-01T00:00:00Z"}
        await write(store, ZONE._replace(name="older"), older)
        await write(store, ZONE, zone(free_port()))
        message = await until_said(store, "Accepted", "DomainTaken")
        assert message == f"{DOMAIN} is the domain of GlobalZone older"
