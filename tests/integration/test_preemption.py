"""Giving way to a higher priority: shown by a plan before, and on record afterwards."""

from pathlib import Path
from typing import Any

from hanse.client import HanseClient
from hanse.texts.plan import as_text
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.events.planning import PlanRequest, SupposedTemplate
from tests.federation import Federation, deployment_key, eventually
from tests.scheduled_federation import (
    READY,
    a_policy,
    apply,
    policy_key,
    scheduled_federation,
)

HIGH = ObjectKey("scheduling.k8s.io", "priorityclasses", "", "high")
CLUSTER = ObjectKey("hanse.dev", "clusters", "", "eu-1")
BY_ROOM = {
    "replicaScheduling": {
        "replicaSchedulingType": "Divided",
        "weightPreference": {"dynamicWeight": "AvailableReplicas"},
    }
}


def a_workload(name: str, replicas: int, priority: str = "") -> Manifest:
    labels = {"app": name}
    main = {"name": "main", "image": "x", "resources": {"requests": {"cpu": "1"}}}
    pod: dict[str, Any] = {"containers": [main]}
    if priority:
        pod["priorityClassName"] = priority
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


async def has_room(federation: Federation, cpu: str) -> None:
    stored = await federation.store.get(CLUSTER)
    assert stored is not None
    room = {"nodeClasses": [{"count": 1, "free": {"cpu": cpu, "pods": "50"}}]}
    status = {"conditions": READY, "capacity": room}
    await federation.write(CLUSTER, {**stored.manifest, "status": status})


async def spec(federation: Federation, name: str) -> dict[str, Any]:
    key = ObjectKey("hanse.dev", "resourcebindings", "shop", f"{name}-deployment")
    stored = await federation.store.get(key)
    return dict(stored.manifest["spec"]) if stored is not None else {}


async def shares(federation: Federation, name: str) -> dict[str, int]:
    found = (await spec(federation, name)).get("clusters", ())
    return {one["name"]: one["replicas"] for one in found}


async def test_who_gives_way_is_told_before_and_after(tmp_path: Path) -> None:
    async with scheduled_federation(tmp_path, "eu-1") as federation:
        await has_room(federation, "4")
        await apply(federation, HIGH, {"value": 1000, **kind("scheduling.k8s.io/v1")})
        every = {"apiVersion": "apps/v1", "kind": "Deployment"}
        await apply(federation, policy_key("all"), a_policy(every, placement=BY_ROOM))
        await apply(federation, deployment_key("batch"), a_workload("batch", 4))

        async def is_full() -> bool:
            return await shares(federation, "batch") == {"eu-1": 4}

        await eventually(is_full)
        web = a_workload("web", 3, "high")
        supposed = SupposedTemplate(resource="deployments", namespace="shop", manifest=web)
        plan = await HanseClient(federation.bus, "test").plan(PlanRequest(templates=(supposed,)))
        text = as_text(plan)
        assert (
            "3 replicas of Deployment shop/batch give way in eu-1 (priority 0 under 1000)" in text
        )
        assert "Deployment shop/batch: eu-1 4 -> 1" in text
        assert (plan.unplaced, plan.interrupted) == (1, 3)
        # Nothing is written by asking.
        assert await is_full()

        await apply(federation, deployment_key("web"), web)

        async def has_given_way() -> bool:
            return await shares(federation, "batch") == {"eu-1": 1}

        await eventually(has_given_way)
        assert await shares(federation, "web") == {"eu-1": 3}
        (ceiling,) = (await spec(federation, "batch"))["ceilings"]
        assert ceiling["reason"] == "Preempted"
        assert "gives way to Deployment shop/web, of priority 1000 over 0" in ceiling["message"]

        async def is_answered() -> bool:
            return "preempting" not in await spec(federation, "web")

        await eventually(is_answered)


def kind(api_version: str) -> Manifest:
    return {"apiVersion": api_version, "kind": "PriorityClass", "metadata": {"name": "high"}}
