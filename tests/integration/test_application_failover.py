"""An object that is not healthy where it is goes elsewhere, over a real nats-server and members."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey
from tests.federation import Federation, deployment, deployment_key, eventually
from tests.scheduled_federation import (
    a_policy,
    apply,
    policy_key,
    scheduled_federation,
    with_health,
)

BINDING = ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
ONE = {"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]}
APPLICATION: dict[str, Any] = {
    "decisionConditions": {"tolerationSeconds": 1},
    "statePreservation": {
        "rules": [{"aliasLabelName": "shop.example/had", "jsonPath": "{.replicas}"}]
    },
}


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    async with scheduled_federation(tmp_path, "eu-1", "us-1") as found, with_health(found):
        yield found


def held(federation: Federation) -> dict[str, Manifest]:
    found = {
        name: member.get("deployments", "web", group="apps")
        for name, member in federation.members.items()
    }
    return {name: one for name, one in found.items() if one}


async def run_there(federation: Federation, name: str, *, available: int) -> None:
    """Play the controllers of a member: so many of two pods are available."""
    store = federation.members[name].store
    stored = store.mirror.get(deployment_key("web"))
    assert stored is not None
    counts = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": available}
    generation = stored.manifest["metadata"]["generation"]
    status = {**counts, "availableReplicas": available, "observedGeneration": generation}
    await store.update(stored.key, {**stored.manifest, "status": status}, expected=stored.revision)


async def place(federation: Federation, **failover: Any) -> str:
    """Return the cluster that the one copy was placed in."""
    policy = a_policy(WEB, placement=ONE, failover=failover)
    await apply(federation, policy_key("web"), policy)
    await apply(federation, deployment_key("web"), deployment("web", 2))
    await eventually(lambda: held(federation))
    (first,) = held(federation)
    return first


async def test_it_moves_with_its_state_and_leaves_when_it_is_well_elsewhere(
    federation: Federation,
) -> None:
    first = await place(federation, application=APPLICATION)
    await run_there(federation, first, available=0)
    await eventually(lambda: len(held(federation)) == 2)
    (second,) = set(held(federation)) - {first}
    assert held(federation)[second]["metadata"]["labels"]["shop.example/had"] == "2"
    assert "shop.example/had" not in held(federation)[first]["metadata"]["labels"]
    await run_there(federation, second, available=2)
    await eventually(lambda: set(held(federation)) == {second})

    stored = await federation.store.get(BINDING)
    assert stored is not None
    (failure,) = stored.manifest["spec"]["applicationFailures"]
    assert (failure["cluster"], failure.get("times", 1)) == (first, 1)
    facts = [msgspec.json.decode(one) for one in await federation.facts("placement", "decided")]
    assert any(one["code"] == "ApplicationUnhealthy" for one in facts[-1]["rejected"])


async def test_without_a_rule_it_stays_however_it_does(federation: Federation) -> None:
    first = await place(federation)
    await run_there(federation, first, available=0)

    async def is_known() -> bool:
        stored = await federation.store.get(BINDING)
        assert stored is not None
        reports = stored.manifest["status"].get("aggregatedStatus") or [{}]
        return reports[0].get("status", {}).get("replicas") == 2

    await eventually(is_known)
    stored = await federation.store.get(BINDING)
    assert stored is not None
    assert "unhealthySince" not in stored.manifest["status"]["aggregatedStatus"][0]
    assert set(held(federation)) == {first}
