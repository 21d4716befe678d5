"""Placed anew, and moved for want of a node: over a real nats-server, health and members."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey, copy
from shared.clock import SystemClock, format_time
from shared.errors import StaleRevision
from tests.federation import Federation, deployment, deployment_key, eventually
from tests.scheduled_federation import (
    a_policy,
    apply,
    policy_key,
    scheduled_federation,
    with_health,
)

BINDING = ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")
REBALANCER = ObjectKey("hanse.dev", "workloadrebalancers", "", "again")
QUICKLY = timedelta(milliseconds=200)
CLUSTER = ObjectKey("hanse.dev", "clusters", "", "eu-1")
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
A_REPLICA_SET = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "metadata": {"name": "web-6f7", "namespace": "shop", "uid": "r"},
    "spec": {"replicas": 2},
}
DIVIDED = {"replicaScheduling": {"replicaSchedulingType": "Divided"}}


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    async with (
        scheduled_federation(tmp_path, "eu-1", "us-1") as found,
        with_health(found, capacity_interval=QUICKLY, probe_interval=QUICKLY),
    ):
        yield found


async def spec(federation: Federation) -> dict[str, Any]:
    stored = await federation.store.get(BINDING)
    return dict(stored.manifest["spec"]) if stored is not None else {}


async def shares(federation: Federation) -> dict[str, int]:
    found = (await spec(federation)).get("clusters", ())
    return {one["name"]: one["replicas"] for one in found}


def a_pod(number: int) -> Manifest:
    """As a member's controllers and scheduler leave one for which there is no node."""
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "lastTransitionTime": format_time(SystemClock().now()),
    }
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6f7", "uid": "r"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"web-6f7-{number}",
            "namespace": "shop",
            "labels": {"pod-template-hash": "6f7"},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": {"containers": [{"name": "main", "image": "x"}]},
        "status": {"phase": "Pending", "conditions": [condition]},
    }


async def test_pods_without_a_node_go_to_another_member(federation: Federation) -> None:
    migration = {"when": {"podUnschedulableFor": "1s"}}
    policy = a_policy(WEB, placement=DIVIDED, autoMigration=migration)
    await apply(federation, policy_key("web"), policy)
    await apply(federation, deployment_key("web"), deployment("web", 4))

    async def both() -> bool:
        return await shares(federation) == {"eu-1": 2, "us-1": 2}

    await eventually(both)
    owner = ObjectKey("apps", "replicasets", "shop", "web-6f7")
    await federation.members["eu-1"].store.create(owner, A_REPLICA_SET)
    for number in range(2):
        key = ObjectKey("", "pods", "shop", f"web-6f7-{number}")
        await federation.members["eu-1"].store.create(key, a_pod(number))

    told: dict[str, int] = {}

    async def moving() -> bool:
        stored = await federation.store.get(BINDING)
        assert stored is not None
        # What is told of a share goes with it.
        for one in (stored.manifest.get("status") or {}).get("aggregatedStatus", ()):
            if "unschedulable" in one:
                told[one["cluster"]] = one["unschedulable"]
        return (await shares(federation)).get("us-1") == 4

    await eventually(moving)
    (ceiling,) = (await spec(federation))["ceilings"]
    assert (ceiling["cluster"], ceiling["replicas"]) == ("eu-1", 0)
    assert told == {"eu-1": 2}


async def test_a_rebalancer_brings_it_home(tmp_path: Path) -> None:
    async with scheduled_federation(tmp_path, "eu-1", "us-1") as federation:
        await bring_it_home(federation)


async def bring_it_home(federation: Federation) -> None:
    groups = [
        {"affinityName": "own", "clusterNames": ["eu-1"]},
        {"affinityName": "far", "clusterNames": ["us-1"]},
    ]
    await taint(federation, [{"key": "busy", "effect": "NoSchedule"}])
    policy = a_policy(WEB, placement={**DIVIDED, "clusterAffinities": groups})
    await apply(federation, policy_key("web"), policy)
    await apply(federation, deployment_key("web"), deployment("web", 2))

    async def placed_in(name: str) -> bool:
        return list(await shares(federation)) == [name]

    await eventually(lambda: placed_in("us-1"))
    await taint(federation, [])
    created = format_time(SystemClock().now())
    manifest = {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "WorkloadRebalancer",
        "metadata": {"name": "again", "generation": 1, "creationTimestamp": created},
        "spec": {"workloads": [{**WEB, "namespace": "shop"}], "ttlSecondsAfterFinished": 1},
    }
    await federation.store.create(REBALANCER, manifest)
    await eventually(lambda: placed_in("eu-1"))
    assert (await spec(federation))["affinityName"] == "own"

    async def gone() -> bool:
        return await federation.store.get(REBALANCER) is None

    await eventually(gone)


async def taint(federation: Federation, taints: list[dict[str, str]]) -> None:
    while True:
        stored = await federation.store.get(CLUSTER)
        assert stored is not None
        manifest = copy(stored.manifest)
        manifest.setdefault("spec", {})["taints"] = taints
        try:
            await federation.store.update(CLUSTER, manifest, expected=stored.revision)
        except StaleRevision:
            # Health wrote its status meanwhile.
            continue
        return
