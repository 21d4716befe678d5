"""What workloads need, from the scheduler's word to the members, over a real nats-server."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey, copy
from shared.clock import SystemClock, format_micro_time
from shared.errors import StaleRevision
from tests.federation import (
    Federation,
    config_map,
    config_map_key,
    deployment,
    deployment_key,
    eventually,
)
from tests.scheduled_federation import scheduled_federation


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    async with scheduled_federation(tmp_path, "eu-1", "us-1") as found:
        yield found


def a_user(name: str, *, generation: int = 1, settings: str = "settings") -> Manifest:
    found = deployment(name, 1, generation=generation)
    found["spec"]["template"]["spec"]["volumes"] = [{"name": "s", "configMap": {"name": settings}}]
    return found


async def place(federation: Federation, name: str, *clusters: str, **more: Any) -> None:
    """A policy for the Deployment of that name, or the same for other clusters."""
    key = ObjectKey("hanse.dev", "propagationpolicies", "shop", name)
    known = await federation.store.get(key)
    generation = known.manifest["metadata"]["generation"] + 1 if known is not None else 1
    spec = {
        "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name}],
        "placement": {"clusterAffinity": {"clusterNames": [*clusters]}},
        **more,
    }
    metadata = {"name": name, "namespace": "shop", "generation": generation}
    await federation.write(
        key,
        {
            "apiVersion": "hanse.dev/v1alpha1",
            "kind": "PropagationPolicy",
            "metadata": metadata,
            "spec": spec,
        },
    )


async def is_well(federation: Federation, name: str, cluster: str) -> bool:
    """Play health: the Deployment is well in *cluster*; False where somebody wrote meanwhile."""
    key = ObjectKey("hanse.dev", "resourcebindings", "shop", f"{name}-deployment")
    stored = await federation.store.get(key)
    assert stored is not None
    report = {
        "cluster": cluster,
        "applied": True,
        "health": "Healthy",
        "observedTime": format_micro_time(SystemClock().now()),
        "status": {"availableReplicas": 1},
    }
    status = {**stored.manifest["status"], "aggregatedStatus": [report]}
    try:
        await federation.store.update(
            key, {**stored.manifest, "status": status}, expected=stored.revision
        )
    except StaleRevision:
        return False
    return True


def held(federation: Federation, name: str = "settings") -> Callable[[], dict[str, Any]]:
    """Data of the ConfigMap by member, of those that hold it."""
    return lambda: {
        cluster: found["data"]
        for cluster, member in federation.members.items()
        if (found := member.get("configmaps", name))
    }


async def test_what_two_share_is_changed_in_both_and_leaves_with_the_last(
    federation: Federation,
) -> None:
    settings = held(federation)
    await federation.write(config_map_key("settings"), config_map("settings"))
    await federation.write(config_map_key("stranger"), config_map("stranger"))
    for name, cluster in (("web", "eu-1"), ("api", "us-1")):
        await place(federation, name, cluster)
        await federation.write(deployment_key(name), a_user(name))
    await eventually(lambda: settings() == {"eu-1": {"a": "1"}, "us-1": {"a": "1"}})
    # It is there before whoever reads it.
    for member in federation.members.values():
        await eventually(lambda member=member: len(member.written()) >= 3)
        kinds = [path.split("/")[-2] for path in member.written()]
        assert kinds.index("configmaps") < kinds.index("deployments")

    await federation.write(config_map_key("settings"), config_map("settings", "2", generation=2))
    await eventually(lambda: settings() == {"eu-1": {"a": "2"}, "us-1": {"a": "2"}})

    await federation.delete(deployment_key("web"))
    await eventually(lambda: settings() == {"us-1": {"a": "2"}})
    other = a_user("api", generation=2, settings="others")
    await federation.write(deployment_key("api"), other)
    await eventually(lambda: settings() == {})
    assert held(federation, "stranger")() == {}
    # The user's own stays: what nobody needs is not what nobody wants.
    assert await federation.store.get(config_map_key("settings")) is not None


@pytest.mark.parametrize("orphaned", [False, True])
async def test_what_is_left_in_a_member_keeps_what_it_needs(
    federation: Federation, *, orphaned: bool
) -> None:
    settings, member = held(federation), federation.members["eu-1"]

    def runs(name: str) -> bool:
        return bool(member.get("deployments", name, group="apps"))

    await federation.write(config_map_key("settings"), config_map("settings"))
    await place(federation, "web", "eu-1", preserveResourcesOnDeletion=not orphaned)
    await place(federation, "api", "eu-1")
    for name in ("web", "api"):
        await federation.write(deployment_key(name), a_user(name))
    await eventually(lambda: runs("web") and runs("api"))
    await eventually(lambda: settings() == {"eu-1": {"a": "1"}})
    binding = ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")

    async def has_gone() -> bool:
        return await federation.store.get(binding) is None

    if orphaned:
        stored = await federation.store.get(binding)
        assert stored is not None
        metadata = {**stored.manifest["metadata"], "ownerReferences": []}
        await federation.write(binding, {**stored.manifest, "metadata": metadata})
    await federation.delete(deployment_key("web"))
    await eventually(has_gone)
    await federation.delete(deployment_key("api"))
    await eventually(lambda: not runs("api"))

    def is_the_members_own() -> bool:
        found = member.get("configmaps", "settings")
        return bool(found) and not found["metadata"].get("labels")

    await eventually(is_the_members_own)
    assert runs("web")
    assert settings() == {"eu-1": {"a": "1"}}


async def test_what_comes_later_is_picked_up_and_moves_with_its_user(
    federation: Federation,
) -> None:
    settings = held(federation)
    await place(federation, "web", "eu-1")
    await federation.write(deployment_key("web"), a_user("web"))
    eu, us = federation.members["eu-1"], federation.members["us-1"]
    await eventually(lambda: eu.get("deployments", "web", group="apps"))
    await federation.write(config_map_key("settings"), config_map("settings"))
    await eventually(lambda: settings() == {"eu-1": {"a": "1"}})
    await place(federation, "web", "us-1")
    await eventually(lambda: us.get("deployments", "web", group="apps"))
    # Both while the old share is there; until health tells that the new one is well.
    await eventually(lambda: settings() == {"eu-1": {"a": "1"}, "us-1": {"a": "1"}})
    await eventually(lambda: is_well(federation, "web", "us-1"))
    await eventually(lambda: settings() == {"us-1": {"a": "1"}})


async def test_a_members_own_is_not_taken_over_and_not_removed(federation: Federation) -> None:
    """What a member had before under that name serves as well; leaving it is no delete."""
    own = copy(config_map("settings", "own"))
    await federation.members["eu-1"].store.create(config_map_key("settings"), own)
    await federation.write(config_map_key("settings"), config_map("settings"))
    await place(federation, "web", "eu-1")
    await federation.write(deployment_key("web"), a_user("web"))

    async def is_refused() -> bool:
        report = await federation.report("eu-1", config_map_key("settings"))
        return report is not None and report.reason == "AlreadyExists"

    await eventually(is_refused)
    await federation.delete(deployment_key("web"))

    async def is_forgotten() -> bool:
        order = await federation.order("eu-1", config_map_key("settings"))
        return order is None

    await eventually(is_forgotten)
    assert held(federation)() == {"eu-1": {"a": "own"}}
