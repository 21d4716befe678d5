"""Overrides on their way to the members: variables of each, over a real nats-server."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey, copy
from tests.federation import Federation, config_map, config_map_key, eventually, on_jetstream

A = config_map_key("a")
POLICY = ObjectKey("hanse.dev", "overridepolicies", "shop", "p")
EU = ObjectKey("hanse.dev", "clusters", "", "eu-1")


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    """Two members, dispatch and apply running."""
    async with on_jetstream(tmp_path, ["eu-1", "us-1"]) as found:
        yield found


def policy(**overriders: Any) -> Manifest:
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "OverridePolicy",
        "metadata": {"name": "p", "namespace": "shop", "generation": 1},
        "spec": {"overrideRules": [{"overriders": overriders}]},
    }


async def data_in(federation: Federation, cluster: str, data: dict[str, str]) -> None:
    member = federation.members[cluster]
    await eventually(lambda: member.get("configmaps", "a").get("data") == data)


async def label(federation: Federation, labels: dict[str, str]) -> None:
    stored = await federation.store.get(EU)
    assert stored is not None
    cluster = copy(stored.manifest)
    cluster["metadata"]["labels"] = labels
    await federation.write(EU, cluster)


async def message(federation: Federation) -> str:
    """What the policy's condition says; empty while it is well."""
    stored = await federation.store.get(POLICY)
    assert stored is not None
    conditions = stored.manifest.get("status", {}).get("conditions") or [{}]
    return str(conditions[0].get("message", ""))


async def failures(federation: Federation, binding: ObjectKey) -> list[Manifest]:
    """What the binding says of clusters whose overrides failed."""
    stored = await federation.store.get(binding)
    assert stored is not None
    return list(stored.manifest.get("status", {}).get("overrideFailures") or ())


async def test_each_member_gets_its_own_values_and_new_ones_when_it_changes(
    federation: Federation,
) -> None:
    operation = {"subPath": "/region", "operator": "replace", "value": "${cluster.region}"}
    rules = policy(
        variablesOverrider=[{"path": "/data/b"}],
        fieldOverrider=[{"fieldPath": "/data/a", "yaml": [operation]}],
        labelsOverrider=[{"operator": "add", "value": {"tier": "${cluster.labels.tier}"}}],
    )
    manifest = config_map("a", "region: none\n")
    manifest["data"]["b"] = "at ${cluster.name}, ${HOME}"
    await label(federation, {"tier": "gold"})
    await federation.write(POLICY, rules)
    await federation.write(A, manifest)
    binding = await federation.bind(A, {"eu-1": None, "us-1": None})
    await data_in(federation, "eu-1", {"a": "region: eu-1\n", "b": "at eu-1, ${HOME}"})

    # The other member has no such label: it gets nothing, and the policy says why.
    async def told() -> bool:
        return "us-1 has no label tier" in await message(federation)

    await eventually(told)
    assert await federation.order("us-1", A) is None
    assert len(await federation.facts("override", "failed")) == 1
    (failed,) = await failures(federation, binding)
    assert failed["cluster"] == "us-1"
    assert failed["policy"] == {"kind": "OverridePolicy", "namespace": "shop", "name": "p"}
    assert "us-1 has no label tier" in failed["message"]

    await label(federation, {"tier": "iron"})
    member = federation.members["eu-1"]
    await eventually(lambda: member.get("configmaps", "a")["metadata"]["labels"]["tier"] == "iron")

    # What fits again is not told any more.
    rules["spec"]["overrideRules"][0]["overriders"].pop("labelsOverrider")
    rules["metadata"]["generation"] = 2
    await federation.write(POLICY, rules)
    await data_in(federation, "us-1", {"a": "region: us-1\n", "b": "at us-1, ${HOME}"})

    async def silent() -> bool:
        return not await failures(federation, binding)

    await eventually(silent)
