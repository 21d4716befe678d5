"""Where namespaces are: with what lives in them, everywhere by a policy, nowhere by a label."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from shared.api.meta import API_VERSION, GROUP
from shared.api.policy import SKIP_LABEL
from shared.apimachinery.manifest import Manifest, ObjectKey
from tests.federation import SOON, Federation, config_map, config_map_key, eventually

SHOP = ObjectKey("", "namespaces", "", "shop")
A = config_map_key("a")


@pytest.fixture
async def federation() -> AsyncIterator[Federation]:
    async with AsyncExitStack() as stack:
        found = Federation(["eu-1", "us-1"])
        await stack.enter_async_context(found.serving())
        await stack.enter_async_context(found.dispatching())
        await stack.enter_async_context(found.applying(retries=SOON))
        yield found


def shop(generation: int = 1, **labels: str) -> Manifest:
    metadata: dict[str, Any] = {"name": "shop", "uid": "uid-shop", "generation": generation}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            **metadata,
            "labels": {name.replace("_", "-"): v for name, v in labels.items()},
        },
    }


def kept_away(generation: int = 1) -> Manifest:
    found = shop(generation)
    found["metadata"]["labels"] = {SKIP_LABEL: "true"}
    return found


def members_with_it(federation: Federation) -> set[str]:
    return {
        name for name, member in federation.members.items() if member.get("namespaces", "shop", "")
    }


async def refused(federation: Federation, cluster: str) -> bool:
    report = await federation.report(cluster, A)
    return report is not None and report.reason == "NotFound"


async def test_one_that_stays_away_is_not_made_for_what_lives_in_it(
    federation: Federation,
) -> None:
    await federation.write(SHOP, kept_away())
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None})
    await eventually(lambda: refused(federation, "eu-1"))
    assert members_with_it(federation) == set()
    # A policy of its own brings it, and what waits for it comes after.
    await federation.bind(SHOP, {"eu-1": None})
    await eventually(lambda: federation.members["eu-1"].get("configmaps", "a"))
    assert members_with_it(federation) == {"eu-1"}
    assert (
        SKIP_LABEL
        not in federation.members["eu-1"].get("namespaces", "shop", "")["metadata"]["labels"]
    )


async def test_one_that_is_told_to_stay_away_later_stays_where_it_is(
    federation: Federation,
) -> None:
    await federation.write(SHOP, shop())
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None})
    await eventually(lambda: federation.members["eu-1"].get("configmaps", "a"))
    await federation.write(SHOP, kept_away(generation=2))
    await federation.bind(A, {"eu-1": None, "us-1": None})
    await eventually(lambda: refused(federation, "us-1"))
    assert members_with_it(federation) == {"eu-1"}
    assert federation.members["eu-1"].get("configmaps", "a")


async def test_a_policy_may_have_it_everywhere(federation: Federation) -> None:
    await federation.write(SHOP, shop(team="a"))
    await federation.bind(SHOP, {"eu-1": None, "us-1": None})
    await eventually(lambda: members_with_it(federation) == {"eu-1", "us-1"})
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None})
    await eventually(lambda: federation.members["eu-1"].get("configmaps", "a"))
    await federation.delete(await federation.bind(A, {"eu-1": None}))
    await eventually(lambda: not federation.members["eu-1"].get("configmaps", "a"))
    assert members_with_it(federation) == {"eu-1", "us-1"}


OVERRIDE = ObjectKey(GROUP, "clusteroverridepolicies", "", "o")


def an_override(overriders: Manifest, **selector: Any) -> Manifest:
    rule = {"targetCluster": {"clusterNames": ["us-1"]}, "overriders": overriders}
    return {
        "apiVersion": API_VERSION,
        "kind": "ClusterOverridePolicy",
        "metadata": {"name": "o", "generation": 1},
        "spec": {"resourceSelectors": [selector] if selector else [], "overrideRules": [rule]},
    }


def zone_of(federation: Federation, resource: str, *name: str, member: str = "us-1") -> Any:
    found = federation.members[member].get(resource, *name)
    return (found.get("metadata", {}).get("labels") or {}).get("zone") if found else None


def zones(federation: Federation) -> dict[str, Any]:
    return {
        name: zone_of(federation, "namespaces", "shop", "", member=name)
        for name in federation.members
    }


async def test_one_that_follows_is_overridden_where_an_override_names_namespaces(
    federation: Federation,
) -> None:
    """Karmada's clusteroverridepolicy_test.go: nobody placed the namespace itself."""
    labelled = {"labelsOverrider": [{"operator": "add", "value": {"zone": "${cluster.name}"}}]}
    await federation.write(SHOP, shop())
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None, "us-1": None})
    await eventually(lambda: members_with_it(federation) == {"eu-1", "us-1"})
    # One for everything means what lives there.
    await federation.write(OVERRIDE, an_override(labelled))
    await eventually(lambda: zone_of(federation, "configmaps", "a", "shop") == "us-1")
    assert zones(federation) == {"eu-1": None, "us-1": None}
    await federation.write(OVERRIDE, an_override(labelled, apiVersion="v1", kind="Namespace"))
    await eventually(lambda: zones(federation) == {"eu-1": None, "us-1": "us-1"})
    await federation.delete(OVERRIDE)
    await eventually(lambda: zones(federation) == {"eu-1": None, "us-1": None})


async def test_an_override_that_does_not_fit_a_namespace_holds_up_nothing_in_it(
    federation: Federation,
) -> None:
    wrong = {"plaintext": [{"path": "/spec/nowhere/x", "operator": "replace", "value": "x"}]}
    await federation.write(OVERRIDE, an_override(wrong, apiVersion="v1", kind="Namespace"))
    await federation.write(SHOP, shop())
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None, "us-1": None})
    await eventually(lambda: federation.members["us-1"].get("configmaps", "a"))

    async def told() -> bool:
        stored = await federation.store.get(OVERRIDE)
        conditions = (stored.manifest.get("status") or {}).get("conditions", []) if stored else []
        return any("namespaces shop in us-1" in one["message"] for one in conditions)

    await eventually(told)
