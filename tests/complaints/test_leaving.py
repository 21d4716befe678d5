"""Leaving, deleting and what was never ours: rows 24, 25, 28, 30 and 36 of docs/complaints.md."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, uid_of
from shared.events import subjects
from shared.events.work_facts import WorkRemoved
from shared.memberapi.http import open_member
from shared.memberapi.port import ResourceType
from tests.complaints.witness import witnessing
from tests.federation import (
    SOON,
    Federation,
    TestMember,
    config_map,
    config_map_key,
    eventually,
)

A = config_map_key("a")
SHOP = ObjectKey("", "namespaces", "", "shop")
DEFINITION = ObjectKey(
    "apiextensions.k8s.io", "customresourcedefinitions", "", "widgets.acme.example"
)
WIDGET = ObjectKey("acme.example", "widgets", "shop", "w")
CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
WIDGETS = ResourceType(GroupVersionKind("acme.example", "v1", "Widget"), "widgets", namespaced=True)


def applied(federation: Federation, cluster: str, key: ObjectKey) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        report = await federation.report(cluster, key)
        return report is not None and report.applied and report.present

    return holds


def refused(
    federation: Federation, cluster: str, key: ObjectKey, reason: str
) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        report = await federation.report(cluster, key)
        return report is not None and not report.applied and report.reason == reason

    return holds


def forgotten(federation: Federation, cluster: str, *keys: ObjectKey) -> Callable[[], Any]:
    async def holds() -> bool:
        orders = [await federation.order(cluster, key) for key in keys]
        reports = [await federation.report(cluster, key) for key in keys]
        return not any([*orders, *reports])

    return holds


async def create(member: TestMember, manifest: Manifest, kind: ResourceType = CONFIG_MAPS) -> None:
    """Somebody in the member makes an object."""
    async with open_member(member.credentials(), name="somebody") as api:
        namespace = "" if not kind.namespaced else "default" if kind is WIDGETS else "shop"
        await api.create(kind, namespace, manifest)


async def remove(member: TestMember, kind: ResourceType, name: str) -> None:
    async with open_member(member.credentials(), name="somebody") as api:
        namespace = "shop" if kind.namespaced else ""
        live = await api.get(kind, namespace, name)
        assert live is not None
        await api.delete(kind, namespace, name, uid=uid_of(live), propagation="Background")


async def test_row_24_a_member_that_is_down_and_has_no_credentials_left_can_leave(
    federation: Federation,
) -> None:
    """Unjoining never ended: the cluster was down, or its secret gone (karmada#3740, #1847, #5564).

    Also karmada#6886, #4431 and #1969.
    """
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None, "us-1": None})
    await eventually(applied(federation, "eu-1", A))
    await eventually(applied(federation, "us-1", A))
    federation.members["us-1"].hangs = True
    await federation.bus.board("SECRETS").delete(subjects.member_key("us-1"))
    # Something is still to be done there, which nobody will ever do.
    await federation.write(A, config_map("a", "2", generation=2))
    await federation.bind(A, {"eu-1": None, "us-1": None})
    await federation.delete(ObjectKey("hanse.dev", "clusters", "", "us-1"))
    await eventually(forgotten(federation, "us-1", A, SHOP))
    await eventually(lambda: federation.members["eu-1"].get("configmaps", "a")["data"]["a"] == "2")
    assert federation.members["us-1"].get("configmaps", "a")["data"]["a"] == "1"


async def test_row_25_leaving_touches_nothing_in_the_member(federation: Federation) -> None:
    """Unjoining the cluster that hosted the control plane destroyed it (karmada#1350)."""
    eu = federation.members["eu-1"]
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None})
    await eventually(applied(federation, "eu-1", A))
    with witnessing({"eu-1": eu.store.mirror}) as witness:
        asked = len(eu.requests)
        await federation.delete(ObjectKey("hanse.dev", "clusters", "", "eu-1"))
        await eventually(forgotten(federation, "eu-1", A, SHOP))
        assert {method for method, _ in eu.requests[asked:]} <= {"GET"}
    assert witness.deleted == []
    assert eu.get("configmaps", "a")


async def test_row_25_a_namespace_is_not_taken_from_under_what_others_put_there(
    federation: Federation,
) -> None:
    """What nobody had told the federation to create went all the same (karmada#1350)."""
    eu = federation.members["eu-1"]
    await federation.write(A, config_map("a"))
    binding = await federation.bind(A, {"eu-1": None})
    await eventually(applied(federation, "eu-1", A))
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}}
    await create(eu, theirs)
    await federation.delete(binding)
    await eventually(forgotten(federation, "eu-1", A, SHOP))
    assert not eu.get("configmaps", "a")
    assert eu.get("configmaps", "theirs")
    namespace = eu.get("namespaces", "shop", "")
    assert "deletionTimestamp" not in namespace["metadata"]
    assert not namespace["metadata"].get("labels", {}).get("hanse.dev/managed")
    assert await kept_for(federation, SHOP) == ["configmaps shop/theirs"]

    # What lives there later lives there as in any namespace of the member's own.
    await federation.bind(A, {"eu-1": None})
    await eventually(lambda: eu.get("configmaps", "a"))


async def kept_for(federation: Federation, key: ObjectKey) -> list[str]:
    facts = [
        msgspec.json.decode(one, type=WorkRemoved)
        for one in await federation.facts("work", "removed")
    ]
    return [one.kept_for for one in facts if one.name == key.name]


async def test_row_25_a_definition_is_not_taken_from_under_the_objects_of_others(
    federation: Federation,
) -> None:
    """To delete a definition deletes all objects of its kind, whoever made them."""
    eu = federation.members["eu-1"]
    definition = the_definition()
    definition["metadata"] |= {"uid": "uid-definition", "generation": 1}
    await federation.write(DEFINITION, definition)
    binding = await federation.bind(DEFINITION, {"eu-1": None})
    await eventually(applied(federation, "eu-1", DEFINITION))
    theirs = {"apiVersion": "acme.example/v1", "kind": "Widget", "metadata": {"name": "theirs"}}
    await create(eu, theirs, WIDGETS)
    await federation.delete(binding)
    await eventually(forgotten(federation, "eu-1", DEFINITION))
    assert eu.get("widgets", "theirs", "default", "acme.example")
    assert await kept_for(federation, DEFINITION) == ["widgets default/theirs"]


async def test_a_definition_goes_after_what_is_ordered_of_its_kind(federation: Federation) -> None:
    """Its policy goes, or it moves, while another policy still has objects of the kind there."""
    eu = federation.members["eu-1"]
    definition = the_definition()
    definition["metadata"] |= {"uid": "uid-definition", "generation": 1}
    await federation.write(DEFINITION, definition)
    defining = await federation.bind(DEFINITION, {"eu-1": None})
    await eventually(applied(federation, "eu-1", DEFINITION))
    widget = {"apiVersion": "acme.example/v1", "kind": "Widget", "metadata": {"name": "w"}}
    widget["metadata"] |= {"namespace": "shop", "uid": "uid-widget", "generation": 1}
    await federation.write(WIDGET, widget)
    using = await federation.bind(WIDGET, {"eu-1": None})
    await eventually(applied(federation, "eu-1", WIDGET))
    uid = uid_of(eu.get("widgets", "w", "shop", "acme.example"))
    await federation.delete(defining)

    async def says_why() -> bool:
        report = await federation.report("eu-1", DEFINITION)
        return report is not None and "widgets.acme.example shop/w" in report.message

    await eventually(says_why)
    assert uid_of(eu.get("widgets", "w", "shop", "acme.example")) == uid
    await federation.delete(using)
    await eventually(forgotten(federation, "eu-1", WIDGET, DEFINITION))
    assert await kept_for(federation, DEFINITION) == [""]


async def test_row_28_a_member_that_shows_nothing_has_lost_nothing(
    unattended: Federation,
) -> None:
    """Objects went because a view was empty that had not been filled (karmada#6434, #6612).

    An API server that has just started may list nothing; that is doubted, object by object.
    """
    eu = unattended.members["eu-1"]
    await unattended.write(A, config_map("a"))
    await unattended.bind(A, {"eu-1": None})
    async with unattended.applying():
        await eventually(applied(unattended, "eu-1", A))
    uid, asked = uid_of(eu.get("configmaps", "a")), len(eu.requests)
    eu.shows_nothing = True
    async with unattended.applying():
        await eventually(lambda: ("GET", "/api/v1/namespaces/shop/configmaps/a") in eu.requests)
        await unattended.write(A, config_map("a", "2", generation=2))
        await unattended.bind(A, {"eu-1": None})
        await eventually(lambda: eu.get("configmaps", "a")["data"]["a"] == "2")
    assert uid_of(eu.get("configmaps", "a")) == uid
    assert "DELETE" not in {method for method, _ in eu.requests[asked:]}
    assert not await unattended.facts("drift", "corrected")


async def test_row_30_a_namespace_is_where_something_lives_and_nowhere_else(
    federation: Federation,
) -> None:
    """Every namespace was made in every cluster (karmada#2512, #5032, #1981)."""
    eu, us = federation.members["eu-1"], federation.members["us-1"]
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "shop", "uid": "uid-shop", "generation": 1},
    }
    await federation.write(SHOP, namespace)
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"us-1": None})
    await eventually(applied(federation, "us-1", A))
    assert us.get("namespaces", "shop", "")
    assert not eu.get("namespaces", "shop", "")
    assert await federation.order("eu-1", SHOP) is None
    await federation.bind(A, {"eu-1": None})
    await eventually(applied(federation, "eu-1", A))
    await eventually(lambda: not us.get("namespaces", "shop", ""))


async def test_row_36_what_was_to_be_kept_and_is_gone_already_is_done_with(
    unattended: Federation,
) -> None:
    """A work to be preserved hung for ever, for its object was gone (karmada#7083, #7463)."""
    eu = unattended.members["eu-1"]
    await unattended.write(A, config_map("a"))
    binding = await unattended.bind(A, {"eu-1": None}, preserveResourcesOnDeletion=True)
    async with unattended.applying():
        await eventually(applied(unattended, "eu-1", A))
    await unattended.delete(binding)

    async def revoked() -> bool:
        order = await unattended.order("eu-1", A)
        return order is not None and order.is_tombstone

    await eventually(revoked)
    await remove(eu, CONFIG_MAPS, "a")
    async with unattended.applying():
        await eventually(forgotten(unattended, "eu-1", A))


async def test_row_36_what_a_member_does_not_know_any_more_is_deleted_all_the_same(
    unattended: Federation,
) -> None:
    """Deleting was blocked: the member no longer served the kind (karmada#7028)."""
    eu = unattended.members["eu-1"]
    widget = {
        "apiVersion": "acme.example/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "shop", "uid": "uid-w", "generation": 1},
    }
    definitions = ResourceType(
        GroupVersionKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
        DEFINITION.resource,
        namespaced=False,
    )
    await create(eu, the_definition(), definitions)
    await unattended.write(WIDGET, widget)
    binding = await unattended.bind(WIDGET, {"eu-1": None})
    async with unattended.applying(retries=SOON):
        await eventually(applied(unattended, "eu-1", WIDGET))
        # While it is to be there the binding says in words what is missing, and where.
        await remove(eu, definitions, DEFINITION.name)
        await eventually(refused(unattended, "eu-1", WIDGET, "NoKindMatch"))
    await eventually(lambda: not eu.get(DEFINITION.resource, DEFINITION.name, "", DEFINITION.group))
    await unattended.delete(binding)
    async with unattended.applying():
        await eventually(forgotten(unattended, "eu-1", WIDGET, SHOP))


def the_definition() -> Manifest:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": DEFINITION.name},
        "spec": {
            "group": "acme.example",
            "scope": "Namespaced",
            "names": names,
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }
