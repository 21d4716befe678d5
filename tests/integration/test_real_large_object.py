"""A definition of almost two mebibytes reaches a real member: more no kube-apiserver stores.

Whatever etcd is told, it sends no more to it at a time. What the hub takes beyond that is refused
by members, and told (`test_real_members`).
"""

from pathlib import Path

import pytest

from shared.apimachinery.manifest import Manifest, encode
from tests.integration.real_members import Ground, kind, running, until
from tests.kube_apiserver import find_assets, run_kube_apiserver

pytestmark = pytest.mark.kube_apiserver

MEMBER = "roomy"
MEBIBYTE = 1024 * 1024
DEFINITIONS = kind(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
LARGES = kind("stable.example.com/v1", "Large", "larges")


def a_definition(fields: int) -> Manifest:
    properties = {
        f"field{number}": {"type": "string", "description": "x" * 1_000} for number in range(fields)
    }
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": properties}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "larges.stable.example.com"},
        "spec": {
            "group": "stable.example.com",
            "scope": "Namespaced",
            "names": {"plural": "larges", "singular": "large", "kind": "Large"},
            "versions": [version],
        },
    }


async def test_the_largest_definition_and_an_object_of_it(tmp_path: Path) -> None:
    find_assets()
    definition = a_definition(1_900)
    assert 1.85 * MEBIBYTE < len(encode(definition)) < 2 * MEBIBYTE
    policy: Manifest = {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "ClusterPropagationPolicy",
        "metadata": {"name": "everything"},
        "spec": {"resourceSelectors": [{"apiVersion": "*", "kind": "*"}]},
    }
    large: Manifest = {
        "apiVersion": "stable.example.com/v1",
        "kind": "Large",
        "metadata": {"name": "one", "namespace": "default"},
        "spec": {"field7": "here"},
    }
    (tmp_path / "member").mkdir()
    with run_kube_apiserver(tmp_path / "member", request_bytes_max=16 * MEBIBYTE) as credentials:
        async with running(tmp_path / "federation", {MEMBER: credentials}) as ground:
            await ground.apply(policy, definition)
            await ground.until_live(
                MEMBER, DEFINITIONS, "larges.stable.example.com", is_established
            )
            await apply_once_served(ground, large)
            live = await ground.until_live(MEMBER, LARGES, "one")
            assert live["spec"] == {"field7": "here"}
            await ground.delete(definition)
            await until(lambda: gone(ground))


def is_established(definition: Manifest) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


async def apply_once_served(ground: Ground, manifest: Manifest) -> None:
    """The hub serves a kind a moment after it was defined."""

    async def served() -> bool:
        kinds = await ground.federation.hub.api.discover()
        return any(one.resource == "larges" for one in kinds)

    await until(served)
    await ground.apply(manifest)


async def gone(ground: Ground) -> bool:
    return not await ground.live(MEMBER, DEFINITIONS, "larges.stable.example.com")
