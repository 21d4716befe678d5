"""Weights of a policy in routes of the Gateway API, over a nats-server and members' workers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.json import decode

from shared.api.meta import API_VERSION, GROUP, read
from shared.api.traffic_policy import TRAFFIC_POLICIES, TrafficPolicy
from shared.apimachinery.manifest import Manifest, ObjectKey, copy
from shared.bus.topology import WORK
from shared.events import subjects
from shared.events.requests import API_SERVICES
from shared.events.services import ServicesOverview
from tests.traffic_ground import (
    EU,
    ROUTES,
    ROUTES_DEFINITION,
    US,
    TrafficGround,
    traffic_ground,
)

ROUTE = ObjectKey(ROUTES, "httproutes", "shop", "front")
OWN = ObjectKey(ROUTES, "httproutes", "shop", "web")
POLICY = ObjectKey(GROUP, TRAFFIC_POLICIES, "shop", "web")
OVERRIDE = ObjectKey(GROUP, "overridepolicies", "shop", "traffic-web")
IMPORT = {"group": "multicluster.x-k8s.io", "kind": "ServiceImport", "name": "web", "port": 80}


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[TrafficGround]:
    """Both members export the service; routes are known in the first."""
    async with traffic_ground(tmp_path, EU, US) as found, found.dispatching():
        await found.define(EU, ROUTES_DEFINITION)
        for number, member in enumerate((EU, US), start=1):
            await found.service(member)
            await found.endpoints(member, f"10.{number}.0.1")
            await found.export(member)
        yield found


def a_policy(**spec: Any) -> Manifest:
    metadata = {"name": "web", "namespace": "shop", "uid": "u", "generation": 1}
    return {
        "apiVersion": API_VERSION,
        "kind": "TrafficPolicy",
        "metadata": {**metadata, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"service": "web", "routes": [{"targetCluster": {"clusterNames": [EU]}}], **spec},
    }


def a_route(*rules: Any) -> Manifest:
    return {
        "apiVersion": f"{ROUTES}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "front", "namespace": "shop", "uid": "r", "generation": 1},
        "spec": {"parentRefs": [{"name": "public"}], "rules": [*rules]},
    }


def weights(ground: TrafficGround, key: ObjectKey = ROUTE, rule: int = 0) -> dict[str, int]:
    spec = ground.members[EU].get(key.resource, key.name, group=ROUTES).get("spec") or {"rules": []}
    if len(spec["rules"]) <= rule:
        return {}
    return {one["name"]: one.get("weight", 1) for one in spec["rules"][rule]["backendRefs"]}


async def carried(ground: TrafficGround, key: ObjectKey = POLICY) -> tuple[str, str, str]:
    stored = await ground.store.get(key)
    assert stored is not None
    for one in read(stored.manifest, TrafficPolicy).status.conditions:
        if one.type == "Carried":
            return one.status, one.reason, one.message
    return "", "", ""


async def test_a_route_of_a_user_is_weighed_and_stays_theirs(ground: TrafficGround) -> None:
    first = {"matches": [{"path": {"value": "/a"}}], "backendRefs": [IMPORT]}
    await ground.write(ROUTE, a_route(first))
    await ground.bind(ROUTE, {EU: None})
    await ground.until(lambda: weights(ground) == {"web": 1})

    await ground.write(POLICY, a_policy())
    await ground.until(lambda: weights(ground) == {"web-eu-1": 5_000, "web-us-1": 5_000})
    assert await carried(ground) == ("True", "Carried", "")
    # What is weighed leads to the endpoints of its cluster.
    for name, address in (("web-eu-1", "10.1.0.1"), ("web-us-1", "10.2.0.1")):
        assert ground.members[EU].get("services", name)["spec"]["ports"][0]["port"] == 80
        (there,) = [
            one.manifest
            for one in ground.members[EU].store.mirror.items()
            if one.key.resource == "endpointslices"
            and one.manifest["metadata"]["labels"].get("kubernetes.io/service-name") == name
        ]
        assert [one["addresses"] for one in there["endpoints"]] == [[address]]
        assert there["ports"][0]["port"] == 8080
    # Nothing of it where no gateway carries the traffic.
    assert ground.members[US].get("services", "web-us-1") == {}

    await ground.endpoints(EU, "10.1.0.1", "10.1.0.2", "10.1.0.3")
    await ground.until(lambda: weights(ground) == {"web-eu-1": 7_500, "web-us-1": 2_500})
    # The author goes on as if there were no weights.
    second = {"matches": [{"path": {"value": "/b"}}], "backendRefs": [{"name": "web", "port": 80}]}
    edited = a_route(first, second)
    edited["metadata"]["generation"] = 2
    await ground.write(ROUTE, edited)
    await ground.bind(ROUTE, {EU: None})
    await ground.until(lambda: weights(ground, rule=1) == {"web-eu-1": 7_500, "web-us-1": 2_500})
    stored = await ground.store.get(ROUTE)
    assert stored is not None
    assert stored.manifest["spec"] == edited["spec"]

    await ground.delete(POLICY)
    await ground.until(lambda: weights(ground) == {"web": 1})
    # What was weighed goes once nothing refers to it any more.
    await ground.until(lambda: ground.members[EU].get("services", "web-us-1") == {})
    assert await ground.store.get(OVERRIDE) is None


async def test_a_gateway_that_is_named_gets_a_route_and_what_hinders_it_is_told(
    ground: TrafficGround,
) -> None:
    gateway = {"name": "public", "namespace": "infra", "sectionName": "https"}
    routes = [{"targetCluster": {"clusterNames": [EU]}, "gateway": gateway}]
    theirs = a_route({"backendRefs": [{"name": "mine", "port": 80}]})
    theirs["metadata"]["name"] = "web"
    await ground.put(EU, OWN, theirs)
    await ground.write(POLICY, a_policy(routes=routes, hosts=["shop.example.com"]))

    async def told() -> bool:
        return (await carried(ground))[:2] == ("False", "Refused")

    await ground.until(told)
    assert (await carried(ground))[2].startswith("eu-1: httproutes web: ")
    assert weights(ground, OWN) == {"mine": 1}
    asked = b'{"namespace": "shop"}'
    answer = await ground.bus.request(API_SERVICES, asked, deadline=timedelta(seconds=5))
    (service,) = decode(answer, type=ServicesOverview).services
    assert any(one.startswith("policy web: eu-1: httproutes web: ") for one in service.troubles)

    await ground.take(EU, OWN)
    await ground.until(lambda: weights(ground, OWN) == {"web-eu-1": 5_000, "web-us-1": 5_000})
    spec = ground.members[EU].get("httproutes", "web", group=ROUTES)["spec"]
    assert (spec["parentRefs"], spec["hostnames"]) == ([gateway], ["shop.example.com"])

    async def well() -> bool:
        return (await carried(ground))[0] == "True"

    await ground.until(well)
    # Without the gateway the route goes, and with it the condition once there is no route at all.
    stored = await ground.store.get(POLICY)
    assert stored is not None
    changed = copy(stored.manifest)
    del changed["spec"]["routes"]
    await ground.write(POLICY, changed)
    await ground.until(lambda: weights(ground, OWN) == {})

    async def silent() -> bool:
        return (await carried(ground))[0] == ""

    await ground.until(silent)


async def test_an_override_policy_of_somebody_else_is_left_alone(ground: TrafficGround) -> None:
    theirs: Manifest = {
        "apiVersion": API_VERSION,
        "kind": "OverridePolicy",
        "metadata": {"name": "traffic-web", "namespace": "shop", "uid": "o", "generation": 1},
        "spec": {"overrideRules": [{"overriders": {"plaintext": []}}]},
    }
    await ground.write(OVERRIDE, theirs)
    await ground.write(POLICY, a_policy())

    async def told() -> bool:
        return (await carried(ground))[1] == "NameTaken"

    await ground.until(told)
    stored = await ground.store.get(OVERRIDE)
    assert stored is not None
    assert stored.manifest["spec"] == theirs["spec"]


async def test_two_policies_do_not_take_turns_with_what_only_one_can_have(
    ground: TrafficGround,
) -> None:
    ports = [{"name": f"p{one}", "port": one, "protocol": "TCP"} for one in (80, 81)]
    for member in (EU, US):
        await ground.service(member, ports=ports)
    await ground.write(POLICY, a_policy(port=80))
    await ground.until(lambda: _port(ground) == 80)
    other = POLICY._replace(name="other")
    manifest = a_policy(port=81)
    manifest["metadata"] |= {"name": "other", "creationTimestamp": "2026-01-02T00:00:00Z"}
    await ground.write(other, manifest)

    async def told() -> bool:
        return (await carried(ground, other))[1] == "NameTaken"

    await ground.until(told)
    subject = subjects.work(EU, ObjectKey("", "services", "shop", "web-eu-1"))
    before = await ground.bus.last(WORK, subject)
    await asyncio.sleep(0.3)
    after = await ground.bus.last(WORK, subject)
    assert before is not None
    assert after is not None
    assert before.sequence == after.sequence

    stored = await ground.store.get(POLICY)
    assert stored is not None
    await ground.store.delete(POLICY, stored.manifest, expected=stored.revision)
    await ground.until(lambda: _port(ground) == 81, 30.0)


def _port(ground: TrafficGround) -> int:
    spec = ground.members[EU].get("services", "web-eu-1").get("spec") or {}
    return int(spec["ports"][0]["port"]) if spec else 0
