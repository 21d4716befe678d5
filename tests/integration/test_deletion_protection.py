"""What bears the label of protection is not deleted through the gateway, nor is its namespace."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.apimachinery.manifest import ObjectKey
from shared.bus.memory import MemoryBus
from shared.store.memory import MemoryStore
from tests.integration.test_gateway import running_gateway
from tests.served_api import NAMESPACES, Client, config_map

MAPS = f"{NAMESPACES}/shop/configmaps"
POLICIES = "/apis/hanse.dev/v1alpha1/namespaces/shop/propagationpolicies"
LABEL = "hanse.dev/deletion-protected"
KARMADAS = "resourcetemplate.karmada.io/deletion-protected"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with running_gateway(tmp_path, MemoryStore(), MemoryBus()) as (_, found):
        await found.post(NAMESPACES, {"metadata": {"name": "shop"}})
        yield found


async def protect(client: Client, name: str, label: str = LABEL, value: str = "true") -> None:
    manifest = config_map(name, "shop")
    manifest["metadata"]["labels"] = {label: value}
    assert (await client.post(MAPS, manifest)).code == 201


async def unprotect(client: Client, name: str) -> None:
    patch = {"metadata": {"labels": None}}
    assert (await client.patch(f"{MAPS}/{name}", patch)).code == 200


@pytest.mark.parametrize(("label", "value"), [(LABEL, "true"), (KARMADAS, "Always")])
async def test_it_stays_until_the_label_is_taken_away(
    client: Client, label: str, value: str
) -> None:
    await protect(client, "kept", label, value)
    refused = await client.delete(f"{MAPS}/kept")
    assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
    assert f"protected from deletion by its label {label}" in refused.body["message"]
    await unprotect(client, "kept")
    assert (await client.delete(f"{MAPS}/kept")).code == 200


@pytest.mark.parametrize(("label", "value"), [(LABEL, "false"), (KARMADAS, "Never")])
async def test_a_label_that_says_no_protects_nothing(
    client: Client, label: str, value: str
) -> None:
    await protect(client, "free", label, value)
    assert (await client.delete(f"{MAPS}/free")).code == 200


async def test_of_many_the_protected_stay(client: Client) -> None:
    await protect(client, "kept")
    await client.post(MAPS, config_map("gone", "shop"))
    await client.delete(MAPS)
    names = [item["metadata"]["name"] for item in (await client.get(MAPS)).body["items"]]
    assert names == ["kept"]


async def test_a_namespace_stays_with_what_is_protected_in_it(client: Client) -> None:
    await protect(client, "kept")
    refused = await client.delete(f"{NAMESPACES}/shop")
    assert refused.code == 403
    assert "what is in it is protected from deletion: configmaps kept" in refused.body["message"]
    found = (await client.get(f"{NAMESPACES}/shop")).body
    assert "deletionTimestamp" not in found["metadata"]
    await unprotect(client, "kept")
    assert (await client.delete(f"{NAMESPACES}/shop")).code == 200


async def test_a_policy_stays_with_what_it_placed(tmp_path: Path) -> None:
    store = MemoryStore()
    resource = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "resource": "configmaps",
        "namespace": "shop",
        "name": "kept",
    }
    by = {"kind": "PropagationPolicy", "namespace": "shop", "name": "placing"}
    binding = ObjectKey("hanse.dev", "resourcebindings", "shop", "kept-configmap")
    await store.create(binding, {"spec": {"resource": resource, "policy": by}})
    async with running_gateway(tmp_path, store, MemoryBus()) as (_, client):
        await client.post(NAMESPACES, {"metadata": {"name": "shop"}})
        await protect(client, "kept")
        selector = {"apiVersion": "v1", "kind": "ConfigMap"}
        for name in ("placing", "idle"):
            policy = {"metadata": {"name": name}, "spec": {"resourceSelectors": [selector]}}
            assert (await client.post(POLICIES, policy)).code == 201
        refused = await client.delete(f"{POLICIES}/placing")
        assert refused.code == 403
        why = "what it placed is protected from deletion: configmaps shop/kept"
        assert why in refused.body["message"]
        assert (await client.delete(f"{POLICIES}/idle")).code == 200
        await unprotect(client, "kept")
        assert (await client.delete(f"{POLICIES}/placing")).code == 200
