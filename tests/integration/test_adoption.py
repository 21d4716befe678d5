"""Objects that were there before: left, taken over with a mark, and given back as they were."""

import base64
import json
from typing import Any

from shared.apimachinery.manifest import Manifest
from tests.integration.either_member import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    SECRETS,
    Ground,
    a_config_map,
    a_deployment,
    managers_of,
)

ADOPTED = "hanse.dev/adopted"
OVERWRITE = {"conflictResolution": "Overwrite"}
IF_NO_DIFF = {"conflictResolution": "IfNoDiff"}


def mark_of(live: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(live["metadata"]["annotations"][ADOPTED])
    return found


def assert_released(live: Manifest) -> None:
    """Nothing of Hanse is left in it."""
    assert not managers_of(live) & {"hanse", "hanse-adoption", "hanse-handover"}
    metadata = live["metadata"]
    names = [*(metadata.get("labels") or {}), *(metadata.get("annotations") or {})]
    assert [name for name in names if name.startswith("hanse.dev/")] == []


async def test_it_is_left_and_who_holds_what_is_said(ground: Ground) -> None:
    await ground.theirs(CONFIG_MAPS, a_config_map("left", owner="them", same="x"))
    await ground.order(CONFIG_MAPS, a_config_map("left", owner="us", same="x"))
    said = await ground.refused(CONFIG_MAPS, "left")
    assert "AlreadyExists: configmaps default/left exists in the member" in said
    assert "kubectl-create holds .data.owner;" in said
    live = await ground.live(CONFIG_MAPS, "left")
    assert live["data"] == {"owner": "them", "same": "x"}
    assert managers_of(live) == {"kubectl-create"}


async def test_it_is_taken_over_with_a_mark_and_given_back_as_it_was(ground: Ground) -> None:
    await ground.theirs(CONFIG_MAPS, a_config_map("taken", owner="them", same="x", free="1"))
    binding = await ground.order(
        CONFIG_MAPS, a_config_map("taken", owner="us", same="x", more="y"), **OVERWRITE
    )
    await ground.applied(CONFIG_MAPS, "taken")
    live = await ground.live(CONFIG_MAPS, "taken")
    assert live["data"] == {"owner": "us", "same": "x", "more": "y", "free": "1"}
    mark = mark_of(live)
    assert mark["managers"] == ["kubectl-create"]
    assert mark["previous"]["data"] == {"owner": "them", "same": "x", "free": "1"}

    # The mark outlives orders; what they change on their side meanwhile stays theirs.
    await ground.order(
        CONFIG_MAPS, a_config_map("taken", owner="we", same="z"), generation=2, **OVERWRITE
    )
    await ground.applied(CONFIG_MAPS, "taken", 2)
    await ground.edit(CONFIG_MAPS, "taken", {"data": {"free": "2"}})
    live = await ground.live(CONFIG_MAPS, "taken")
    assert live["data"] == {"owner": "we", "same": "z", "free": "2"}
    assert mark_of(live) == mark

    await ground.federation.delete(binding)
    live = await ground.until_live(
        CONFIG_MAPS, "taken", lambda it: ADOPTED not in (it["metadata"].get("annotations") or {})
    )
    assert live["data"] == {"owner": "them", "same": "x", "free": "2"}
    assert_released(live)
    assert "kubectl-create" in managers_of(live)

    # And may be taken over again, or be left.
    await ground.order(CONFIG_MAPS, a_config_map("taken", owner="us"), generation=3)
    assert "AlreadyExists" in await ground.refused(CONFIG_MAPS, "taken")


async def test_lists_are_given_back_item_by_item(ground: Ground) -> None:
    theirs = a_deployment("listed", env=[{"name": "A", "value": "1"}])
    side = {"name": "side", "image": "side:1"}
    theirs["spec"]["template"]["spec"]["containers"].append(side)
    await ground.theirs(DEPLOYMENTS, theirs)
    env = [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]
    binding = await ground.order(DEPLOYMENTS, a_deployment("listed", "web:2", env=env), **OVERWRITE)
    await ground.applied(DEPLOYMENTS, "listed")

    def web(live: Manifest) -> dict[str, Any]:
        containers = {one["name"]: one for one in live["spec"]["template"]["spec"]["containers"]}
        assert containers["side"]["image"] == "side:1"
        return dict(containers["web"])

    live = await ground.live(DEPLOYMENTS, "listed")
    assert (web(live)["image"], web(live)["env"]) == ("web:2", env)
    await ground.federation.delete(binding)
    live = await ground.until_live(
        DEPLOYMENTS, "listed", lambda it: ADOPTED not in (it["metadata"].get("annotations") or {})
    )
    assert (web(live)["image"], web(live)["env"]) == ("web:1", [{"name": "A", "value": "1"}])
    assert_released(live)


async def test_without_a_difference_it_is_taken_over(ground: Ground) -> None:
    await ground.theirs(DEPLOYMENTS, a_deployment("equal"))
    await ground.order(DEPLOYMENTS, a_deployment("equal"), **IF_NO_DIFF)
    await ground.applied(DEPLOYMENTS, "equal")
    live = await ground.live(DEPLOYMENTS, "equal")
    assert mark_of(live)["managers"] == ["kubectl-create"]
    assert "hanse" in managers_of(live)


async def test_with_a_difference_it_is_not_and_which_is_said(ground: Ground) -> None:
    before = await ground.theirs(DEPLOYMENTS, a_deployment("other", "web:9"))
    await ground.order(DEPLOYMENTS, a_deployment("other"), **IF_NO_DIFF)
    said = await ground.refused(DEPLOYMENTS, "other")
    assert "would change .spec.template.spec.containers[0].image" in said
    assert 'kubectl-create holds .spec.template.spec.containers[name="web"].image' in said
    live = await ground.live(DEPLOYMENTS, "other")
    assert live["metadata"]["managedFields"] == before["metadata"]["managedFields"]
    # Once their owner brings it in line it is taken over.
    await ground.edit(
        DEPLOYMENTS, "other", {"spec": a_deployment("other")["spec"]}, manager="kubectl-create"
    )
    await ground.applied(DEPLOYMENTS, "other")


async def test_what_was_taken_over_is_deleted_where_the_policy_says_so(ground: Ground) -> None:
    await ground.theirs(CONFIG_MAPS, a_config_map("doomed", owner="them"))
    binding = await ground.order(
        CONFIG_MAPS,
        a_config_map("doomed", owner="us"),
        adoptedResourcesOnDeletion="Delete",
        **OVERWRITE,
    )
    await ground.applied(CONFIG_MAPS, "doomed")
    await ground.federation.delete(binding)
    await ground.until_gone(CONFIG_MAPS, "doomed")


async def test_of_a_secret_and_of_what_is_large_only_the_mark_is_kept(ground: Ground) -> None:
    value = base64.b64encode(b"theirs").decode()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden"}}
    await ground.theirs(SECRETS, {**secret, "data": {"key": value}})
    large = a_config_map("large", owner="them", text="x" * 40_000)
    await ground.theirs(CONFIG_MAPS, large)
    ours = base64.b64encode(b"ours").decode()
    bindings = [
        await ground.order(SECRETS, {**secret, "data": {"key": ours}}, **OVERWRITE),
        await ground.order(CONFIG_MAPS, a_config_map("large", owner="us"), **OVERWRITE),
    ]
    for kind, name in ((SECRETS, "hidden"), (CONFIG_MAPS, "large")):
        await ground.applied(kind, name)
        assert "previous" not in mark_of(await ground.live(kind, name))
    for binding in bindings:
        await ground.federation.delete(binding)
    for kind, name in ((SECRETS, "hidden"), (CONFIG_MAPS, "large")):
        live = await ground.until_live(
            kind, name, lambda it: ADOPTED not in (it["metadata"].get("annotations") or {})
        )
        assert_released(live)
    assert (await ground.live(CONFIG_MAPS, "large"))["data"]["owner"] == "us"


async def test_what_is_preserved_is_nobodys_and_may_be_taken_over_again(ground: Ground) -> None:
    binding = await ground.order(
        CONFIG_MAPS, a_config_map("kept", a="1"), preserveResourcesOnDeletion=True
    )
    await ground.applied(CONFIG_MAPS, "kept")
    await ground.federation.delete(binding)
    live = await ground.until_live(CONFIG_MAPS, "kept", lambda it: not it["metadata"].get("labels"))
    assert live["data"] == {"a": "1"}
    assert_released(live)
    await ground.order(CONFIG_MAPS, a_config_map("kept", a="2"), generation=2)
    assert "AlreadyExists" in await ground.refused(CONFIG_MAPS, "kept")
    await ground.order(CONFIG_MAPS, a_config_map("kept", a="2"), generation=3, **OVERWRITE)
    await ground.applied(CONFIG_MAPS, "kept", 3)
    assert (await ground.live(CONFIG_MAPS, "kept"))["data"] == {"a": "2"}
