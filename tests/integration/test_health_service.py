"""Health over a real store and bus: probes, verdicts, facts and folded statuses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from services.health.service import Health
from services.health.settings import Settings
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus import topology
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, CaughtUp, Message
from shared.clock import SystemClock, format_micro_time
from shared.errors import StaleRevision
from shared.events import subjects
from shared.events.work import WorkReport, encode_report
from shared.store.memory import MemoryStore
from shared.store.port import ObjectStore
from tests.integration.watched_member import (
    KEY,
    NODE,
    Members,
    WatchedMember,
    cluster_key,
    condition,
    open_ground,
    register,
    until,
)

QUICK = Settings(
    probe_interval=timedelta(milliseconds=20),
    probe_deadline=timedelta(seconds=1),
    capacity_interval=timedelta(milliseconds=50),
    observation_ttl=timedelta(seconds=3),
    fold_delay=timedelta(milliseconds=10),
    fold_interval=timedelta(milliseconds=20),
)
JOINED = {"conditions": [{"type": "Joined", "status": "True", "reason": "Identified"}]}
TEMPLATE_KEY = ObjectKey("apps", "deployments", "shop", "web")
BINDING_KEY = ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")


@pytest.fixture(params=["memory", "nats"])
async def ground(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[ObjectStore, Bus]]:
    async with open_ground(request.param, tmp_path) as found:
        yield found


@asynccontextmanager
async def running(
    store: ObjectStore, bus: Bus, members: Members, settings: Settings = QUICK
) -> AsyncIterator[None]:
    health = Health(
        store, bus, key=KEY, connect=members.connect, clock=SystemClock(), settings=settings
    )
    tasks = [asyncio.create_task(run(), name=name) for name, run in health.tasks.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [each for each in ended if not isinstance(each, asyncio.CancelledError)] == []


def cluster(store: ObjectStore, name: str) -> Manifest:
    stored = store.mirror.get(cluster_key(name))
    return stored.manifest if stored is not None else {}


def ready(store: ObjectStore, name: str) -> tuple[str, str]:
    found = condition(cluster(store, name), "Ready")
    return found.get("status", ""), found.get("reason", "")


def taints(store: ObjectStore, name: str) -> set[str]:
    found = (cluster(store, name).get("status") or {}).get("taints") or ()
    return {taint["effect"] for taint in found}


async def facts(bus: Bus, pattern: str) -> list[dict[str, Any]]:
    found = []
    async with bus.follow(topology.EVENTS, [f"{subjects.EVENTS}.{pattern}"]) as messages:
        async for message in messages:
            if isinstance(message, CaughtUp):
                return found
            found.append(msgspec.json.decode(message.body))
    return found


async def test_a_reachable_member_is_ready_and_has_room(ground: tuple[ObjectStore, Bus]) -> None:
    store, bus = ground
    await register(store, bus, "eu-1", id="uid-1", **JOINED)
    async with running(store, bus, Members(eu_1=WatchedMember())):
        await until(lambda: ready(store, "eu-1") == ("True", "Reachable"))
        await until(lambda: "capacity" in cluster(store, "eu-1")["status"])
    status = cluster(store, "eu-1")["status"]
    assert status["capacity"]["allocatable"]["cpu"] == "4"
    assert status["observedTime"]
    assert status["id"] == "uid-1"
    assert condition(cluster(store, "eu-1"), "Joined")["status"] == "True"


async def test_a_member_that_lists_nonsense_harms_nobody_else() -> None:
    store, bus = MemoryStore(), MemoryBus()
    members = Members(eu_1=WatchedMember(), us_1=WatchedMember("uid-2"))
    members["eu-1"].nodes = ({**NODE, "spec": {"taints": ["nonsense"]}},)
    for name in ("eu-1", "us-1"):
        await register(store, bus, name, **JOINED)
    async with running(store, bus, members):
        await until(lambda: "capacity" in cluster(store, "us-1").get("status", {}))
        await until(lambda: ready(store, "eu-1") == ("True", "Reachable"))
        members["eu-1"].nodes = (NODE,)
        await until(lambda: "capacity" in cluster(store, "eu-1").get("status", {}))


async def test_a_member_whose_quotas_are_nonsense_is_looked_at_all_the_same() -> None:
    store, bus, member = MemoryStore(), MemoryBus(), WatchedMember()
    member.quotas = cast("Any", ("nonsense",))
    await register(store, bus, "eu-1", **JOINED)
    async with running(store, bus, Members(eu_1=member)):
        await until(lambda: ready(store, "eu-1") == ("True", "Reachable"))
        member.state = "silent"
        await until(lambda: ready(store, "eu-1")[0] != "True")


async def test_a_quota_is_known_before_room_is_reckoned_the_next_time() -> None:
    store, bus, member = MemoryStore(), MemoryBus(), WatchedMember()
    await register(store, bus, "eu-1", **JOINED)
    seldom = replace(QUICK, capacity_interval=timedelta(hours=1))

    def left() -> list[dict[str, Any]]:
        return cluster(store, "eu-1").get("status", {}).get("capacity", {}).get("quotas", [])

    async with running(store, bus, Members(eu_1=member), seldom):
        await until(lambda: "capacity" in cluster(store, "eu-1").get("status", {}))
        quota = {"metadata": {"name": "q", "namespace": "shop"}, "spec": {"hard": {"pods": "3"}}}
        member.quotas = (quota,)
        member.change("ADDED", quota)
        await until(lambda: left() == [{"namespace": "shop", "free": {"pods": "3"}}])
        member.quotas = ()
        member.change("DELETED", quota)
        await until(lambda: left() == [])


async def test_a_silent_member_is_tainted_and_the_taint_goes_when_it_is_back(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    members = Members(eu_1=WatchedMember())
    await register(store, bus, "eu-1", **JOINED)
    async with running(store, bus, members):
        await until(lambda: ready(store, "eu-1")[0] == "True")
        members["eu-1"].state = "silent"
        await until(lambda: ready(store, "eu-1") == ("False", "Unreachable"))
        assert taints(store, "eu-1") == {"NoSchedule", "NoExecute"}
        members["eu-1"].state = "well"
        await until(lambda: ready(store, "eu-1") == ("True", "Recovered"))
        assert taints(store, "eu-1") == set()
        async with asyncio.timeout(20):
            while not await facts(bus, "cluster.recovered.*"):
                await asyncio.sleep(0.01)
    (gone,) = await facts(bus, "cluster.became-unreachable.*")
    assert gone["cluster"] == "eu-1"
    assert gone["tainted"] is True


async def test_when_most_of_the_fleet_seems_gone_nobody_is_tainted(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    names = ["eu-1", "us-1", "ap-1"]
    members = Members(eu_1=WatchedMember(), us_1=WatchedMember(), ap_1=WatchedMember())
    for name in names:
        await register(store, bus, name, **JOINED)
    async with running(store, bus, members):
        await until(lambda: all(ready(store, name)[0] == "True" for name in names))
        for name in names:
            members[name].state = "silent"
        await until(lambda: all(ready(store, name)[1] == "Unreachable" for name in names))
        assert [taints(store, name) for name in names] == [set(), set(), set()]
        assert condition(cluster(store, "eu-1"), "FailoverHeld")["status"] == "True"

        # Two come back: what is still gone is gone by itself.
        for name in ("us-1", "ap-1"):
            members[name].state = "well"
        await until(lambda: taints(store, "eu-1") == {"NoSchedule", "NoExecute"})
        await until(lambda: condition(cluster(store, "eu-1"), "FailoverHeld") == {})


async def test_refused_credentials_are_no_failure_of_the_member(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    members = Members(eu_1=WatchedMember())
    members["eu-1"].state = "refusing"
    await register(store, bus, "eu-1", **JOINED)
    async with running(store, bus, members):
        await until(lambda: ready(store, "eu-1") == ("False", "CredentialsRefused"))
    assert taints(store, "eu-1") == {"NoSchedule"}
    accepted = condition(cluster(store, "eu-1"), "CredentialsAccepted")
    assert accepted["reason"] == "Unauthorized"
    assert "secret" not in str(cluster(store, "eu-1"))


async def test_credentials_under_another_key_harm_that_member_only(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    await register(store, bus, "eu-1", **JOINED)
    await register(store, bus, "us-1", **JOINED)
    await bus.board("SECRETS").put(subjects.member_key("us-1"), b"\x01nonsense-nonsense-nonsense")
    async with running(store, bus, Members(eu_1=WatchedMember(), us_1=WatchedMember())):
        await until(lambda: ready(store, "us-1") == ("False", "CredentialsRefused"))
        await until(lambda: ready(store, "eu-1") == ("True", "Reachable"))


async def put_template(store: ObjectStore, *clusters: str) -> None:
    await store.create(
        TEMPLATE_KEY,
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "web",
                "namespace": "shop",
                "uid": "u1",
                "generation": 2,
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": {"replicas": 2},
        },
    )
    await store.create(
        BINDING_KEY,
        {
            "apiVersion": "hanse.dev/v1alpha1",
            "kind": "ResourceBinding",
            "metadata": {"name": "web-deployment", "namespace": "shop", "generation": 1},
            "spec": {
                "resource": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "resource": "deployments",
                    "namespace": "shop",
                    "name": "web",
                    "uid": "u1",
                    "generation": 2,
                },
                "policy": {"kind": "PropagationPolicy", "name": "all"},
                "clusters": [{"name": name, "replicas": 1} for name in clusters],
            },
        },
    )


async def report(bus: Bus, name: str, *, at: ObjectKey = TEMPLATE_KEY, **changes: Any) -> None:
    known: dict[str, Any] = {
        "generation": 1,
        "template_uid": "u1",
        "template_generation": 2,
        "applied": True,
        "present": True,
        "observed_time": format_micro_time(SystemClock().now()),
        "health": "Healthy",
        "status": {
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": 1,
            "availableReplicas": 1,
            "observedGeneration": 5,
            "generation": 5,
        },
    }
    body = encode_report(WorkReport(**(known | changes)))
    await bus.publish(Message(subjects.status(name, at), body))


async def test_reports_become_the_status_of_binding_and_template(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    for name in ("eu-1", "us-1"):
        await store.create(cluster_key(name), {"metadata": {"name": name}})
    await put_template(store, "eu-1", "us-1")
    await report(bus, "eu-1")
    async with running(store, bus, Members()):

        def healthy() -> bool:
            stored = store.mirror.get(BINDING_KEY)
            assert stored is not None
            return condition(stored.manifest, "Healthy").get("status") == "True"

        await report(bus, "us-1")
        await until(healthy)

        def template() -> Manifest:
            stored = store.mirror.get(TEMPLATE_KEY)
            assert stored is not None
            return stored.manifest

        await until(lambda: (template().get("status") or {}).get("readyReplicas") == 2)
        assert template()["status"]["observedGeneration"] == 2
        assert template()["metadata"]["generation"] == 2
        assert template()["metadata"]["managedFields"] == [{"manager": "kubectl"}]

        # Once all is said, nothing is written, not even for the same report made later.
        async with asyncio.timeout(20):
            while (before := store.mirror.revision) != await revision_after(store, 0.1):
                continue
        await report(bus, "us-1")
        assert await revision_after(store, 0.2) == before
        await report(bus, "eu-1", health="Degraded")
        await until(lambda: not healthy())


async def test_a_binding_that_goes_names_the_member_it_waits_for(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    silent = {"conditions": [{"type": "Ready", "status": "False", "reason": "Unreachable"}]}
    await store.create(cluster_key("eu-1"), {"metadata": {"name": "eu-1"}, "status": silent})
    await put_template(store, "eu-1")
    await report(bus, "eu-1")
    async with running(store, bus, Members()):

        def removing() -> Manifest:
            stored = store.mirror.get(BINDING_KEY)
            return condition(stored.manifest, "Removing") if stored is not None else {}

        stored = await store.get(BINDING_KEY)
        assert stored is not None
        gone = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["hanse.dev/works"]}
        going = {
            **stored.manifest,
            "metadata": {**stored.manifest["metadata"], **gone},
            "spec": {**stored.manifest["spec"], "clusters": []},
        }
        await store.update(BINDING_KEY, going, expected=stored.revision)
        await until(lambda: removing().get("status") == "True")
        assert removing()["message"] == "eu-1: nothing is heard of the cluster"
        member = await store.get(cluster_key("eu-1"))
        assert member is not None
        await store.delete(member.key, expected=member.revision, last=member.manifest)
        await until(lambda: removing().get("status") == "False")


async def revision_after(store: ObjectStore, seconds: float) -> int:
    """Return the store's revision after giving whoever would write the time to."""
    await asyncio.sleep(seconds)
    return store.mirror.revision


async def test_a_template_without_a_binding_observes_nothing(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    await store.create(cluster_key("eu-1"), {"metadata": {"name": "eu-1"}})
    await put_template(store, "eu-1")
    await report(bus, "eu-1")
    async with running(store, bus, Members()):

        def status() -> dict[str, Any]:
            stored = store.mirror.get(TEMPLATE_KEY)
            assert stored is not None
            return stored.manifest.get("status") or {}

        await until(lambda: status().get("readyReplicas") == 1)
        while (binding := await store.get(BINDING_KEY)) is not None:
            # Health may write in between.
            with contextlib.suppress(StaleRevision):
                await store.delete(BINDING_KEY, binding.manifest, expected=binding.revision)
        await until(lambda: status() == {"observedGeneration": 0})


async def test_a_malformed_report_is_passed_over(ground: tuple[ObjectStore, Bus]) -> None:
    store, bus = ground
    await store.create(cluster_key("eu-1"), {"metadata": {"name": "eu-1"}})
    await put_template(store, "eu-1")
    async with running(store, bus, Members()):
        await bus.publish(Message(subjects.status("us-1", TEMPLATE_KEY), b"\xff not json"))
        await report(bus, "eu-1")

        def replicas() -> int:
            stored = store.mirror.get(TEMPLATE_KEY)
            assert stored is not None
            return int((stored.manifest.get("status") or {}).get("replicas", 0))

        await until(lambda: replicas() == 1)


async def test_an_ingress_shows_the_addresses_of_those_who_take_traffic() -> None:
    store, bus = MemoryStore(), MemoryBus()
    key = ObjectKey("networking.k8s.io", "ingresses", "shop", "front")
    policy_key = ObjectKey("hanse.dev", "trafficpolicies", "shop", "web")
    metadata = {"name": "front", "namespace": "shop", "uid": "u1", "generation": 2}
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    manifest: Manifest = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": {"defaultBackend": backend},
    }
    await store.create(key, manifest)
    resource = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "resource": "ingresses"}
    await store.create(
        BINDING_KEY,
        {
            "apiVersion": "hanse.dev/v1alpha1",
            "kind": "ResourceBinding",
            "metadata": {"name": BINDING_KEY.name, "namespace": "shop", "generation": 1},
            "spec": {
                "resource": {**resource, **metadata},
                "policy": {"kind": "PropagationPolicy", "name": "all"},
                "clusters": [{"name": "eu-1"}, {"name": "us-1"}],
            },
        },
    )
    for name, address in (("eu-1", "192.0.2.1"), ("us-1", "192.0.2.2")):
        await store.create(cluster_key(name), {"metadata": {"name": name}})
        status = {"loadBalancer": {"ingress": [{"ip": address}]}}
        await report(bus, name, at=key, status=status)

    async def decide(**shares: int) -> None:
        clusters = [
            {"name": name.replace("_", "-"), "share": part} for name, part in shares.items()
        ]
        stored = store.mirror.get(policy_key)
        decided = {
            "apiVersion": "hanse.dev/v1alpha1",
            "kind": "TrafficPolicy",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"service": "web"},
            "status": {"splits": [{"region": "", "clusters": clusters}]},
        }
        if stored is None:
            await store.create(policy_key, decided)
        else:
            await store.update(policy_key, decided, expected=stored.revision)

    def addresses() -> list[str]:
        stored = store.mirror.get(key)
        assert stored is not None
        balancer = (stored.manifest.get("status") or {}).get("loadBalancer") or {}
        return [one["ip"] for one in balancer.get("ingress") or ()]

    async with running(store, bus, Members()):
        await until(lambda: addresses() == ["192.0.2.1", "192.0.2.2"])
        await decide(eu_1=10_000, us_1=0)
        await until(lambda: addresses() == ["192.0.2.1"])
        await decide(eu_1=5_000, us_1=5_000)
        await until(lambda: addresses() == ["192.0.2.1", "192.0.2.2"])
        await decide(us_1=10_000)
        await until(lambda: addresses() == ["192.0.2.2"])
        # Who can take none is better than nobody.
        await decide(eu_1=0, us_1=0)
        await until(lambda: addresses() == ["192.0.2.1", "192.0.2.2"])
