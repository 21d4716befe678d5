"""The main path with real kube-apiservers as members: join, hold, drift, refuse, remove, leave."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hanse.demo import holdings
from hanse.membership.join import JoinRefused, Place, join
from hanse.membership.leave import leave
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.clock import parse_time
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import open_member
from shared.runtime.kubeconfig import write_kubeconfig
from tests.integration.real_members import (
    AUTOSCALERS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    DEPLOYMENTS,
    EAST,
    MANAGED,
    NAMESPACE,
    SERVICES,
    TABS,
    WEST,
    Ground,
    running,
    until,
)

pytestmark = [pytest.mark.kube_apiserver, pytest.mark.asyncio(loop_scope="module")]

POLICY: Manifest = {
    "apiVersion": "hanse.dev/v1alpha1",
    "kind": "ClusterPropagationPolicy",
    "metadata": {"name": "everything"},
    "spec": {"resourceSelectors": [{"apiVersion": "*", "kind": "*"}]},
}
RBAC = "rbac.authorization.k8s.io/v1"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(
    kube_apiservers: dict[str, MemberCredentials], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ground]:
    async with running(tmp_path_factory.mktemp("federation"), kube_apiservers) as found:
        await found.apply(POLICY)
        yield found


def an_object(
    api_version: str, kind: str, name: str, *, namespaced: bool = True, **sections: Any
) -> Manifest:
    metadata: dict[str, Any] = {"name": name, **sections.pop("metadata", {})}
    if namespaced:
        metadata["namespace"] = NAMESPACE
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **sections}


def a_config_map(name: str, **data: str) -> Manifest:
    return an_object("v1", "ConfigMap", name, data=data)


def a_deployment(name: str, *, image: str = "web:1", **spec: Any) -> Manifest:
    """Says no replicas unless *spec* does: most manifests leave the one that is meant unsaid."""
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
    spec = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return an_object("apps/v1", "Deployment", name, spec=spec)


def a_service(name: str, **spec: Any) -> Manifest:
    return an_object("v1", "Service", name, spec={"ports": [{"port": 80}], **spec})


async def test_what_cannot_join_is_told_why(
    ground: Ground, kube_apiservers: dict[str, MemberCredentials], tmp_path: Path
) -> None:
    access = kube_apiservers[EAST]
    hub, place = ground.federation.hub.api, Place("another")
    with pytest.raises(JoinRefused, match=f"already, as {EAST}"):
        await join(hub, ground.members[EAST], place, access)
    with pytest.raises(JoinRefused, match="this federation itself"):
        await join(hub, hub, place, access)
    wrong = MemberCredentials(
        server=access.server, certificate_authority=access.certificate_authority, token="expired"
    )
    async with open_member(wrong, name="another") as stranger:
        with pytest.raises(JoinRefused, match="does not accept the credentials"):
            await join(hub, stranger, place, wrong)

    # And as people see it.
    nowhere = tmp_path / "nowhere.yaml"
    authority = access.certificate_authority.encode()
    write_kubeconfig(
        nowhere,
        name="x",
        server="https://127.0.0.1:9",
        certificate_authority=authority,
        token="x",
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hanse", "join", "another"),
        *("--member-kubeconfig", nowhere, "--kubeconfig", ground.federation.kubeconfig),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"127.0.0.1:9: connection refused" in said
    assert b"Traceback" not in said


async def test_members_hold_what_was_decided_and_are_then_left_alone(ground: Ground) -> None:
    rule = {"clusterRoleSelectors": [{"matchLabels": {"part-of": "sum"}}]}
    await ground.apply(
        a_deployment("web"),
        a_service("web"),
        a_config_map("settings", colour="red"),
        an_object("v1", "ServiceAccount", "robot"),
        an_object(RBAC, "ClusterRole", "system:shop:reader", namespaced=False, rules=[]),
        an_object(
            RBAC, "ClusterRole", "shop-sum", namespaced=False, rules=[], aggregationRule=rule
        ),
    )
    await ground.until_everywhere(DEPLOYMENTS, "web", lambda web: web["spec"]["replicas"] == 1)
    await ground.until_everywhere(SERVICES, "web", lambda web: web["spec"]["clusterIP"])
    await ground.until_everywhere(CLUSTER_ROLES, "system:shop:reader")
    await ground.until_everywhere(CLUSTER_ROLES, "shop-sum")

    async def whole() -> bool:
        compared = await holdings.compare(ground.federation.hub, ground.members)
        return compared.holds

    await until(whole)
    before = {
        (member, kind.resource): await ground.live(member, kind, "web")
        for member in ground.members
        for kind in (DEPLOYMENTS, SERVICES)
    }
    for web in before.values():
        entries = web["metadata"]["managedFields"]
        assert ("hanse", "Apply") in {(each["manager"], each["operation"]) for each in entries}
    # Whatever was still to be done to them would be done before this one.
    await ground.apply(a_config_map("later"))
    await ground.until_everywhere(CONFIG_MAPS, "later")
    for (member, resource), web in before.items():
        kind = DEPLOYMENTS if resource == "deployments" else SERVICES
        assert await ground.live(member, kind, "web") == web


async def test_a_definition_comes_before_its_objects(ground: Ground) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = an_object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "crontabs.stable.example.com",
        namespaced=False,
        spec={
            "group": "stable.example.com",
            "scope": "Namespaced",
            "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab"},
            "versions": [version],
        },
    )
    await ground.apply(definition)
    tab = an_object("stable.example.com/v1", "CronTab", "nightly", spec={"cron": "0 3 * * *"})
    await ground.apply(tab)
    await ground.until_everywhere(TABS, "nightly", lambda tab: tab["spec"]["cron"] == "0 3 * * *")


async def test_what_people_do_to_it_in_a_member_is_put_right_and_told(ground: Ground) -> None:
    await ground.apply(a_deployment("drifting"), a_config_map("drifting", colour="red"))
    await ground.until_live(EAST, DEPLOYMENTS, "drifting")
    await ground.until_live(EAST, CONFIG_MAPS, "drifting")
    await ground.scale(EAST, "drifting", 5, manager="kubectl")
    await ground.until_live(EAST, DEPLOYMENTS, "drifting", lambda it: it["spec"]["replicas"] == 1)
    fact = await ground.until_fact(name="drifting", change="Edited")
    (field,) = fact.data["fields"]
    # Of a scale no time is kept: since when is when it was seen.
    assert parse_time(fact.data["since"]) <= parse_time(fact.data["occurred_at"])
    assert field == {
        "path": ".spec.replicas",
        "actor": "kubectl",
        "operation": "Update",
        "ordered": "1",
        "found": "5",
    }

    await ground.remove(EAST, CONFIG_MAPS, "drifting")
    await ground.until_fact(name="drifting", change="Deleted")
    await ground.until_live(EAST, CONFIG_MAPS, "drifting")

    api = ground.members[EAST]
    unmarked: Manifest = {"data": {"colour": "blue"}, "metadata": {"labels": {MANAGED: None}}}
    await api.merge(CONFIG_MAPS, NAMESPACE, "drifting", unmarked)
    settled = await ground.until_live(
        EAST, CONFIG_MAPS, "drifting", lambda found: found["metadata"].get("labels")
    )
    assert settled["data"] == {"colour": "red"}


async def test_what_a_member_writes_itself_is_no_drift(ground: Ground) -> None:
    await ground.apply(a_deployment("busy"))
    await ground.until_live(EAST, DEPLOYMENTS, "busy")
    annotated = {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}}
    await ground.members[EAST].merge(DEPLOYMENTS, NAMESPACE, "busy", annotated)
    ready = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    for member in ground.members:
        await ground.write_status(member, "busy", ready)

    async def healthy() -> bool:
        return (await ground.condition("busy-deployment", "Healthy")).get("status") == "True"

    await until(healthy)
    live = await ground.live(EAST, DEPLOYMENTS, "busy")
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert not [fact for fact in ground.facts if fact.data["name"] == "busy"]


async def test_an_autoscaler_of_a_member_keeps_its_replicas_while_it_is_there(
    ground: Ground,
) -> None:
    await ground.apply(a_deployment("scaled", replicas=2))
    await ground.until_everywhere(DEPLOYMENTS, "scaled")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scaled"}
    scaler = an_object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "scaled",
        spec={"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 9},
    )
    await ground.apply(scaler)
    await ground.until_live(EAST, AUTOSCALERS, "scaled")
    await ground.scale(EAST, "scaled", 7, manager="kube-controller-manager")

    def runs(image: str, replicas: int) -> Any:
        def check(found: Manifest) -> bool:
            spec = found["spec"]
            containers = spec["template"]["spec"]["containers"]
            return (containers[0]["image"], spec["replicas"]) == (image, replicas)

        return check

    await ground.apply(a_deployment("scaled", image="web:2", replicas=2))
    await ground.until_live(EAST, DEPLOYMENTS, "scaled", runs("web:2", 7))
    await ground.until_live(WEST, DEPLOYMENTS, "scaled", runs("web:2", 2))
    await ground.delete(scaler)
    # The share is Hanse's again as soon as the autoscaler is gone.
    await ground.until_live(EAST, DEPLOYMENTS, "scaled", runs("web:2", 2))
    assert not [fact for fact in ground.facts if fact.data["name"] == "scaled"]


async def test_what_was_there_before_stays_its_owners_unless_the_policy_says_so(
    ground: Ground,
) -> None:
    theirs = {"data": {"owner": "them"}}
    for name in ("kept", "taken"):
        manifest = {**a_config_map(name), **theirs}
        await ground.members[EAST].create(CONFIG_MAPS, NAMESPACE, manifest)
    selector = {"apiVersion": "v1", "kind": "ConfigMap", "name": "taken"}
    taking = an_object(
        "hanse.dev/v1alpha1",
        "PropagationPolicy",
        "taking",
        spec={"resourceSelectors": [selector], "conflictResolution": "Overwrite"},
    )
    await ground.apply(taking, a_config_map("kept", owner="us"), a_config_map("taken", owner="us"))
    await ground.until_everywhere(CONFIG_MAPS, "taken", lambda it: it["data"] == {"owner": "us"})
    said = await ground.until_refused("kept-configmap")
    assert f"{EAST}: AlreadyExists" in said
    assert (await ground.live(EAST, CONFIG_MAPS, "kept"))["data"] == {"owner": "them"}
    await ground.delete(taking)


async def test_a_refusal_is_a_condition_and_what_ran_runs_on(ground: Ground) -> None:
    await ground.apply(a_service("fixed"))
    await ground.until_everywhere(SERVICES, "fixed")
    taken = (await ground.live(EAST, SERVICES, "fixed"))["spec"]["clusterIP"]
    other = "10.0.0.77" if taken != "10.0.0.77" else "10.0.0.78"
    await ground.apply(a_service("fixed", clusterIP=other))
    assert "may not change once set" in await ground.until_refused("fixed-service")
    assert (await ground.live(EAST, SERVICES, "fixed"))["spec"]["clusterIP"] == taken

    # Correct the order, and the member obeys again.
    await ground.apply(a_service("fixed", sessionAffinity="ClientIP"))
    await ground.until_everywhere(
        SERVICES, "fixed", lambda found: found["spec"]["sessionAffinity"] == "ClientIP"
    )


async def test_a_finalizer_in_a_member_holds_the_binding_which_says_so(ground: Ground) -> None:
    await ground.apply(a_config_map("held"))
    await ground.until_everywhere(CONFIG_MAPS, "held")
    hold: Manifest = {"metadata": {"finalizers": ["example.com/hold"]}}
    await ground.members[EAST].merge(CONFIG_MAPS, NAMESPACE, "held", hold)
    await ground.delete(a_config_map("held"))

    async def held() -> str:
        found = await ground.condition("held-configmap", "Removing")
        return str(found["message"]) if found.get("status") == "True" else ""

    said = await until(held)
    assert said.startswith(f"{EAST}: held by example.com/hold since 2")
    await ground.members[EAST].merge(
        CONFIG_MAPS, NAMESPACE, "held", {"metadata": {"finalizers": None}}
    )
    await ground.until_unbound("held-configmap")
    assert not await ground.live(EAST, CONFIG_MAPS, "held")


async def test_what_is_orphaned_at_the_hub_stays_in_the_members(ground: Ground) -> None:
    await ground.apply(a_config_map("orphan", colour="red"))
    await ground.until_everywhere(CONFIG_MAPS, "orphan")
    await ground.delete(a_config_map("orphan"), propagation="Orphan")
    await ground.until_unbound("orphan-configmap")
    for member in ground.members:
        live = await ground.live(member, CONFIG_MAPS, "orphan")
        assert live["data"] == {"colour": "red"}
        assert "labels" not in live["metadata"]
        assert not live["metadata"].get("managedFields")


async def test_in_the_foreground_the_template_waits_for_the_members(ground: Ground) -> None:
    await ground.apply(a_deployment("front"))
    await ground.until_everywhere(DEPLOYMENTS, "front")
    await ground.delete(a_deployment("front"), propagation="Foreground")
    # Nobody collects garbage in these members: the finalizer tells how they were asked.
    live = await ground.until_live(
        EAST, DEPLOYMENTS, "front", lambda it: it["metadata"].get("deletionTimestamp")
    )
    assert live["metadata"]["finalizers"] == ["foregroundDeletion"]
    gvk = GroupVersionKind.parse("apps/v1", "Deployment")
    assert await ground.federation.hub.get(gvk, NAMESPACE, "front")
    for member in ground.members:
        await ground.until_live(
            member, DEPLOYMENTS, "front", lambda it: it["metadata"].get("deletionTimestamp")
        )
        await ground.members[member].merge(
            DEPLOYMENTS, NAMESPACE, "front", {"metadata": {"finalizers": None}}
        )

    async def gone() -> bool:
        return await ground.federation.hub.get(gvk, NAMESPACE, "front") is None

    await until(gone)


async def test_what_the_hub_stores_may_be_too_large_for_a_member(ground: Ground) -> None:
    fields = {
        f"field{number}": {"type": "string", "description": "x" * 1_000} for number in range(2_200)
    }
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = an_object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "larges.stable.example.com",
        namespaced=False,
        spec={
            "group": "stable.example.com",
            "scope": "Namespaced",
            "names": {"plural": "larges", "singular": "large", "kind": "Large"},
            "versions": [version],
        },
    )
    await ground.apply(definition)
    binding = "larges.stable.example.com-customresourcedefinition"
    assert "larger than max" in await ground.until_refused(binding, namespaced=False)
    await ground.apply(a_config_map("unimpressed"))
    await ground.until_everywhere(CONFIG_MAPS, "unimpressed")
    await ground.delete(definition)


async def test_what_is_taken_back_leaves_nothing_and_a_member_may_leave(ground: Ground) -> None:
    await ground.apply(a_deployment("last"))
    await ground.until_everywhere(DEPLOYMENTS, "last")
    await ground.delete(POLICY)

    async def nothing() -> bool:
        return not any([await ground.managed(member) for member in ground.members])

    await until(nothing)
    hub = ground.federation.hub.api
    assert (await leave(hub, WEST)).was_member
    assert not (await leave(hub, WEST)).was_member
    # Free for any federation, under any name.
    access = ground.credentials[WEST]
    joined = await join(hub, ground.members[WEST], Place("real-north"), access)
    assert joined.metadata.name == "real-north"
