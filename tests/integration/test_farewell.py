"""A binding stays until nothing of it is left in a member, and says what holds it there."""

import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey
from tests.federation import config_map, config_map_key, eventually
from tests.integration.either_member import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    KEEP,
    MEMBER,
    Ground,
    a_config_map,
    a_deployment,
    managers_of,
)

HOLD = "example.com/hold"
SHOP = ObjectKey("", "namespaces", "", "shop")


async def test_the_binding_goes_after_what_it_asked_for(ground: Ground) -> None:
    binding = await ground.order(CONFIG_MAPS, a_config_map("plain", a="1"))
    await ground.applied(CONFIG_MAPS, "plain")
    await ground.take_back(binding)
    await ground.until_parted(binding)
    assert not await ground.live(CONFIG_MAPS, "plain")
    assert await ground.federation.order(MEMBER, ground.key(CONFIG_MAPS, "plain")) is None


async def test_what_a_finalizer_holds_is_said_until_it_is_gone(ground: Ground) -> None:
    binding = await ground.order(CONFIG_MAPS, a_config_map("held", a="1"))
    await ground.applied(CONFIG_MAPS, "held")
    await ground.edit(CONFIG_MAPS, "held", {"metadata": {"finalizers": [HOLD]}})
    await ground.take_back(binding)
    report = await ground.reported(
        CONFIG_MAPS, "held", lambda it: it.reason == "Removing" and it.message
    )
    assert report.present
    since = (await ground.live(CONFIG_MAPS, "held"))["metadata"]["deletionTimestamp"]
    assert report.message == f"held by {HOLD} since {since}"
    assert await ground.federation.store.get(binding) is not None
    await ground.edit(CONFIG_MAPS, "held", {"metadata": {"finalizers": None}})
    await ground.until_parted(binding)


async def test_in_the_foreground_members_delete_in_the_foreground(ground: Ground) -> None:
    binding = await ground.order(DEPLOYMENTS, a_deployment("front"))
    await ground.applied(DEPLOYMENTS, "front")
    await ground.edit(DEPLOYMENTS, "front", {"metadata": {"finalizers": [HOLD]}})
    await ground.take_back(binding, foreground=True)
    await ground.until_live(
        DEPLOYMENTS, "front", lambda it: it["metadata"].get("deletionTimestamp")
    )
    order = await ground.federation.order(MEMBER, ground.key(DEPLOYMENTS, "front"))
    assert order is not None
    assert order.cascade == "Foreground"
    await ground.edit(DEPLOYMENTS, "front", {"metadata": {"finalizers": None}})
    await ground.until_parted(binding)


async def test_what_is_orphaned_stays_as_the_members_own(ground: Ground) -> None:
    binding = await ground.order(CONFIG_MAPS, a_config_map("orphan", a="1"))
    await ground.applied(CONFIG_MAPS, "orphan")
    await ground.take_back(binding, orphan=True)
    await ground.until_parted(binding)
    live = await ground.live(CONFIG_MAPS, "orphan")
    assert live["data"] == {"a": "1"}
    assert "hanse" not in managers_of(live)
    assert not live["metadata"].get("labels")


@pytest.mark.parametrize("how", ["template", "policy", "cluster"])
async def test_what_is_to_be_preserved_is_however_it_ends(ground: Ground, how: str) -> None:
    manifest = a_config_map(f"kept-{how}", a="1")
    binding = await ground.order(CONFIG_MAPS, manifest, **{KEEP: True})
    await ground.applied(CONFIG_MAPS, f"kept-{how}")
    if how == "template":
        await ground.take_back(binding)
        await ground.until_parted(binding)
    elif how == "policy":
        await ground.unbind(binding)
        await ground.until_parted(binding)
    else:
        key = ground.key(CONFIG_MAPS, f"kept-{how}")
        await ground.federation.bind(key, {}, **{KEEP: True})
    live = await ground.until_live(
        CONFIG_MAPS, f"kept-{how}", lambda it: not it["metadata"].get("labels")
    )
    assert live["data"] == {"a": "1"}
    assert not managers_of(live)


@pytest.mark.parametrize("ground", ["simulated"], indirect=True)
async def test_a_namespace_stays_with_what_is_orphaned_in_it(ground: Ground) -> None:
    federation, key = ground.federation, config_map_key("a")
    member = federation.members[MEMBER]
    hub: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    await federation.write(SHOP, hub)
    await federation.write(key, config_map("a"))
    binding = await federation.bind(key, {MEMBER: None})
    await eventually(lambda: member.get("configmaps", "a"))
    leaving = (await federation.store.get(binding)).manifest  # type: ignore[union-attr]
    leaving = {
        **leaving,
        "metadata": {
            **leaving["metadata"],
            "deletionTimestamp": "2026-01-01T00:00:00Z",
            "finalizers": ["hanse.dev/works"],
        },
        "spec": {**leaving["spec"], "clusters": [], "preserveResourcesOnDeletion": True},
    }
    await federation.delete(key)
    await federation.write(binding, leaving)
    await ground.until_parted(binding)

    async def namespace_released() -> bool:
        return await federation.order(MEMBER, SHOP) is None

    await eventually(namespace_released)
    assert member.get("configmaps", "a")["data"] == {"a": "1"}
    assert not member.get("namespaces", "shop", "")["metadata"].get("deletionTimestamp")


@pytest.mark.parametrize("ground", ["simulated"], indirect=True)
async def test_a_namespace_of_the_hub_waits_for_no_member(ground: Ground) -> None:
    binding = await ground.order(CONFIG_MAPS, a_config_map("away", a="1"))
    await ground.applied(CONFIG_MAPS, "away")
    ground.federation.members[MEMBER].hangs = True
    namespace = ObjectKey("", "namespaces", "", "default")
    await ground.federation.write(
        namespace,
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "default", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        },
    )
    await ground.take_back(binding)
    await ground.until_parted(binding)
    ground.federation.members[MEMBER].hangs = False
    await ground.until_gone(CONFIG_MAPS, "away")


@pytest.mark.parametrize("ground", ["simulated"], indirect=True)
async def test_a_binding_that_somebody_deletes_costs_nothing(ground: Ground) -> None:
    binding = await ground.order(CONFIG_MAPS, a_config_map("spared", a="1"))
    await ground.applied(CONFIG_MAPS, "spared")
    stored = await ground.federation.store.get(binding)
    assert stored is not None
    metadata = {
        **stored.manifest["metadata"],
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": ["hanse.dev/works"],
    }
    await ground.federation.write(binding, {**stored.manifest, "metadata": metadata})
    # Whatever dispatch did about it, it did before this one.
    await ground.order(CONFIG_MAPS, a_config_map("later", a="1"))
    await ground.applied(CONFIG_MAPS, "later")
    order = await ground.federation.order(MEMBER, ground.key(CONFIG_MAPS, "spared"))
    assert order is not None
    assert not order.is_tombstone


@pytest.mark.parametrize("ground", ["simulated"], indirect=True)
async def test_a_member_that_is_away_holds_it_until_it_leaves(ground: Ground) -> None:
    binding = await ground.order(CONFIG_MAPS, a_config_map("lost", a="1"))
    await ground.applied(CONFIG_MAPS, "lost")
    ground.federation.members[MEMBER].hangs = True
    await ground.take_back(binding)

    async def revoked() -> bool:
        order = await ground.federation.order(MEMBER, ground.key(CONFIG_MAPS, "lost"))
        return order is not None and order.is_tombstone

    await eventually(revoked)
    assert await ground.federation.store.get(binding) is not None
    await ground.federation.delete(ObjectKey("hanse.dev", "clusters", "", MEMBER))
    await ground.until_parted(binding)


async def test_what_somebody_else_deletes_says_so_while_it_is_held(ground: Ground) -> None:
    await ground.order(DEPLOYMENTS, a_deployment("torn"))
    await ground.applied(DEPLOYMENTS, "torn")
    uid = (await ground.live(DEPLOYMENTS, "torn"))["metadata"]["uid"]
    await ground.edit(DEPLOYMENTS, "torn", {"metadata": {"finalizers": [HOLD]}})
    await ground.remove(DEPLOYMENTS, "torn")
    report = await ground.reported(DEPLOYMENTS, "torn", lambda it: it.reason == "Terminating")
    assert report.applied
    assert report.message.startswith(f"being deleted in the member, held by {HOLD} since ")
    await ground.edit(DEPLOYMENTS, "torn", {"metadata": {"finalizers": None}})
    await ground.until_live(DEPLOYMENTS, "torn", lambda it: it["metadata"]["uid"] != uid)
    await ground.reported(DEPLOYMENTS, "torn", lambda it: it.applied and not it.reason)
