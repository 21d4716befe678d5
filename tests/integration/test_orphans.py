"""What `--cascade=orphan` left in a member is Hanse's again when it is ordered again."""

import json

import pytest

from services.propagator.core.marks import ORPHANED
from shared.apimachinery.manifest import Manifest
from tests.integration.either_member import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACE,
    Ground,
    a_config_map,
    a_deployment,
    managers_of,
)


async def orphan(ground: Ground, manifest: Manifest, name: str) -> None:
    kind = CONFIG_MAPS if manifest["kind"] == "ConfigMap" else DEPLOYMENTS
    binding = await ground.order(kind, manifest)
    await ground.applied(kind, name)
    await ground.take_back(binding, orphan=True)
    await ground.until_parted(binding)
    assert "hanse" not in managers_of(await ground.live(kind, name))


async def test_it_is_taken_back_as_if_it_had_never_been_left(ground: Ground) -> None:
    await orphan(ground, a_config_map("back", a="1", b="2"), "back")
    uid = (await ground.live(CONFIG_MAPS, "back"))["metadata"]["uid"]
    binding = await ground.order(CONFIG_MAPS, a_config_map("back", a="2"), generation=2)
    await ground.applied(CONFIG_MAPS, "back", 2)
    live = await ground.live(CONFIG_MAPS, "back")
    assert (live["metadata"]["uid"], live["data"]) == (uid, {"a": "2"}), "b goes, too"
    assert ORPHANED not in live["metadata"]["annotations"]
    # It was Hanse's from the beginning, so it is not given back but goes.
    await ground.take_back(binding)
    await ground.until_parted(binding)
    assert not await ground.live(CONFIG_MAPS, "back")


async def test_that_it_was_scaled_meanwhile_changes_nothing(ground: Ground) -> None:
    await orphan(ground, a_deployment("scaled"), "scaled")
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/scaled/scale"
    scale = json.loads(await ground.api.read(path, deadline_seconds=10))
    await ground.api.put(path, json.dumps({**scale, "spec": {"replicas": 3}}).encode())
    await ground.until_live(DEPLOYMENTS, "scaled", lambda it: it["spec"]["replicas"] == 3)
    await ground.order(DEPLOYMENTS, a_deployment("scaled", "web:2"), generation=2)
    await ground.applied(DEPLOYMENTS, "scaled", 2)


@pytest.mark.parametrize("how", ["edited", "applied", "made-anew"])
async def test_what_somebody_made_theirs_meanwhile_is_left(ground: Ground, how: str) -> None:
    name = f"theirs-{how}"
    await orphan(ground, a_config_map(name, a="1"), name)
    if how == "edited":
        await ground.edit(CONFIG_MAPS, name, {"data": {"a": "theirs"}})
    elif how == "applied":
        # Owned, with the value that it has.
        await ground.edit(CONFIG_MAPS, name, {"data": {"b": "1"}}, "helm")
        await ground.edit(CONFIG_MAPS, name, {"data": {"b": None}}, "kubectl-edit")
        await ground.edit(CONFIG_MAPS, name, {"metadata": {"labels": {"app": "x"}}}, "helm")
    else:
        left = await ground.live(CONFIG_MAPS, name)
        await ground.remove(CONFIG_MAPS, name)
        annotations = left["metadata"]["annotations"]
        await ground.theirs(
            CONFIG_MAPS,
            {**a_config_map(name, a="1"), "metadata": {"name": name, "annotations": annotations}},
        )
    before = (await ground.live(CONFIG_MAPS, name))["metadata"]["resourceVersion"]
    await ground.order(CONFIG_MAPS, a_config_map(name, a="1"), generation=2)
    assert "AlreadyExists" in await ground.refused(CONFIG_MAPS, name)
    assert (await ground.live(CONFIG_MAPS, name))["metadata"]["resourceVersion"] == before
