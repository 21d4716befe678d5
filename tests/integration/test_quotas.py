"""Quotas: refused at the door in kube-apiserver's words, kept in decisions, told in status."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.memory import MemoryBus
from shared.store.memory import MemoryStore
from tests.federation import deployment_key, eventually
from tests.integration.test_gateway import running_gateway
from tests.scheduled_federation import a_policy, apply, policy_key, scheduled_federation
from tests.served_api import NAMESPACES, Client

WEBS = "/apis/apps/v1/namespaces/shop/deployments"
HANSE = "/apis/hanse.dev/v1alpha1"
QUOTAS = f"{HANSE}/namespaces/shop/federatedresourcequotas"
QUOTA: Manifest = {
    "apiVersion": "hanse.dev/v1alpha1",
    "kind": "FederatedResourceQuota",
    "metadata": {"name": "team", "namespace": "shop"},
    "spec": {"overall": {"requests.cpu": "4", "pods": 10}},
}


@pytest.fixture
async def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def client(tmp_path: Path, store: MemoryStore) -> AsyncIterator[Client]:
    async with running_gateway(tmp_path, store, MemoryBus()) as (_, found):
        await found.post(NAMESPACES, {"metadata": {"name": "shop"}})
        yield found


def a_web(name: str, replicas: int) -> Manifest:
    labels = {"app": name}
    main = {"name": "main", "image": "x", "resources": {"requests": {"cpu": "1"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [main]}},
        },
    }


async def test_what_exceeds_a_quota_is_refused_as_by_a_real_server(client: Client) -> None:
    assert (await client.post(QUOTAS, QUOTA)).code == 201
    assert (await client.post(WEBS, a_web("one", 3))).code == 201
    refused = await client.post(WEBS, a_web("two", 2))
    assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"] == (
        'deployments.apps "two" is forbidden: exceeded quota: team, requested: requests.cpu=2,'
        " used: requests.cpu=3, limited: requests.cpu=4"
    )
    assert (await client.post(WEBS, a_web("two", 1))).code == 201
    grown = await client.patch(f"{WEBS}/one/scale", {"spec": {"replicas": 5}})
    assert grown.code == 403
    assert "requested: requests.cpu=2, used: requests.cpu=4" in grown.body["message"]
    assert (await client.patch(f"{WEBS}/one/scale", {"spec": {"replicas": 2}})).code == 200
    assert (await client.delete(f"{WEBS}/two")).code == 200
    assert (await client.patch(f"{WEBS}/one/scale", {"spec": {"replicas": 4}})).code == 200


async def test_what_is_above_a_quota_already_may_change_and_shrink(client: Client) -> None:
    assert (await client.post(WEBS, a_web("one", 6))).code == 201
    assert (await client.post(QUOTAS, QUOTA)).code == 201
    labels: Manifest = {"metadata": {"labels": {"a": "b"}}, "spec": {"minReadySeconds": 3}}
    assert (await client.patch(f"{WEBS}/one", labels)).code == 200
    assert (await client.patch(f"{WEBS}/one", {"spec": {"replicas": 5}})).code == 200
    assert (await client.patch(f"{WEBS}/one", {"spec": {"replicas": 7}})).code == 403


async def test_each_copy_counts(client: Client, store: MemoryStore) -> None:
    assert (await client.post(WEBS, a_web("one", 1))).code == 201
    key = ObjectKey("hanse.dev", "resourcebindings", "shop", "one-deployment")
    resource = {"apiVersion": "apps/v1", "kind": "Deployment", "resource": "deployments"}
    spec = {
        "resource": {**resource, "namespace": "shop", "name": "one"},
        "clusters": [{"name": "eu"}, {"name": "us"}, {"name": "ap"}],
    }
    metadata = {"name": "one-deployment", "namespace": "shop"}
    await store.create(key, {"metadata": metadata, "spec": spec})
    assert (await client.post(QUOTAS, QUOTA)).code == 201
    refused = await client.post(WEBS, a_web("two", 2))
    assert "used: requests.cpu=3" in refused.body["message"]
    assert (await client.patch(f"{WEBS}/one", {"spec": {"replicas": 2}})).code == 403


async def test_a_group_bound_to_the_namespace_has_a_quota_too(client: Client) -> None:
    group: dict[str, Any] = {"namespaces": ["shop", "cart"], "quota": {"hard": {"cpu": "2"}}}
    manifest = {"metadata": {"name": "team-a"}, "spec": group}
    assert (await client.post(f"{HANSE}/clustergroups", manifest)).code == 201
    refused = await client.post(WEBS, a_web("one", 3))
    assert "exceeded quota: clustergroup/team-a" in refused.body["message"]
    manifest["spec"]["quota"] = {"hard": {"limits.cpu": "2"}}
    manifest["metadata"] = {"name": "team-b"}
    assert (await client.post(f"{HANSE}/clustergroups", manifest)).code == 422


async def test_decisions_keep_to_it_and_its_status_tells_the_use(tmp_path: Path) -> None:
    async with scheduled_federation(tmp_path, "eu-1", "us-1") as federation:
        quota = ObjectKey("hanse.dev", "federatedresourcequotas", "shop", "team")
        await apply(federation, quota, QUOTA)
        web = {"apiVersion": "apps/v1", "kind": "Deployment"}
        divided = {"replicaScheduling": {"replicaSchedulingType": "Divided"}}
        await apply(federation, policy_key("web"), a_policy(web, placement=divided))
        await apply(federation, deployment_key("one"), a_web("one", 3))

        async def used() -> str:
            stored = await federation.store.get(quota)
            assert stored is not None
            status = stored.manifest.get("status") or {}
            return str((status.get("overallUsed") or {}).get("requests.cpu"))

        async def is_three() -> bool:
            return await used() == "3"

        await eventually(is_three)
        await apply(federation, deployment_key("two"), a_web("two", 2))
        binding = ObjectKey("hanse.dev", "resourcebindings", "shop", "two-deployment")

        async def reason() -> str:
            stored = await federation.store.get(binding)
            conditions = stored.manifest["status"]["conditions"] if stored is not None else ()
            return next((one["reason"] for one in conditions if one["type"] == "Scheduled"), "")

        async def is_exceeded() -> bool:
            return await reason() == "QuotaExceeded"

        await eventually(is_exceeded)
        assert await used() == "3"


SENSELESS: tuple[Any, ...] = (
    "nothing",
    {"replicas": "many"},
    {"replicas": 2, "template": {"spec": {"containers": "none"}}},
    {"replicas": 2, "template": {"spec": {"containers": [{"resources": [1]}]}}},
    {"replicas": 2, "template": {"spec": {"containers": [{"resources": {"requests": 5}}]}}},
    {
        "replicas": 2,
        "template": {"spec": {"containers": [{"resources": {"requests": {"cpu": "much"}}}]}},
    },
)


async def test_what_makes_no_sense_is_judged_by_its_own_rules(client: Client) -> None:
    assert (await client.post(QUOTAS, QUOTA)).code == 201
    for spec in SENSELESS:
        refused = await client.post(WEBS, {**a_web("odd", 1), "spec": spec})
        assert refused.code in (400, 422), spec
    nameless = {**a_web("odd", 1), "metadata": {"generateName": "odd-"}}
    assert (await client.post(WEBS, nameless)).code == 201
