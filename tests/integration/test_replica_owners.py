"""Who decides how many replicas a member runs: Hanse, an autoscaler there, or both in bounds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, encode, uid_of
from shared.memberapi.http import HttpMemberApi, open_member
from shared.memberapi.port import ResourceType
from tests.federation import Federation, deployment, deployment_key, eventually, on_jetstream

AUTOSCALERS = ResourceType(
    GroupVersionKind("autoscaling", "v2", "HorizontalPodAutoscaler"),
    "horizontalpodautoscalers",
    namespaced=True,
)
NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
WEB = deployment_key("web")
SCALER = ObjectKey("autoscaling", "horizontalpodautoscalers", "shop", "web")
SHARED = {"owner": "Shared", "minReplicas": 2, "maxReplicas": 5}


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    async with on_jetstream(tmp_path, ["eu-1"]) as found:
        yield found


@asynccontextmanager
async def somebody(federation: Federation) -> AsyncIterator[HttpMemberApi]:
    credentials = federation.members["eu-1"].credentials()
    async with open_member(credentials, name="somebody") as api:
        yield api


def an_autoscaler() -> Manifest:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 20},
    }


async def add_autoscaler(federation: Federation) -> None:
    async with somebody(federation) as api:
        await api.create(AUTOSCALERS, "shop", an_autoscaler())


async def add_shop(federation: Federation) -> None:
    """The namespace and an autoscaler in it, before Hanse brings anything."""
    async with somebody(federation) as api:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
        await api.create(NAMESPACES, "", namespace)
    await add_autoscaler(federation)


async def remove_autoscaler(federation: Federation) -> None:
    async with somebody(federation) as api:
        live = await api.get(AUTOSCALERS, "shop", "web")
        assert live is not None
        await api.delete(AUTOSCALERS, "shop", "web", uid=uid_of(live), propagation="Background")


async def scale(federation: Federation, replicas: int, manager: str) -> None:
    path = "/apis/apps/v1/namespaces/shop/deployments/web/scale"
    body = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas},
    }
    async with somebody(federation) as api:
        await api.put(f"{path}?fieldManager={manager}", encode(body))


def live(federation: Federation) -> Manifest:
    return federation.members["eu-1"].get("deployments", "web", group="apps")


def replicas(federation: Federation) -> int:
    return int((live(federation).get("spec") or {}).get("replicas", -1))


def image(federation: Federation) -> str:
    spec = live(federation)["spec"]["template"]["spec"]
    return str(spec["containers"][0]["image"])


async def order(federation: Federation, share: int, generation: int = 1, **spec: Any) -> ObjectKey:
    manifest = deployment("web", share, generation=generation)
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["image"] = f"registry.example/c:{generation}"
    await federation.write(WEB, manifest)
    return await federation.bind(WEB, {"eu-1": share}, **spec)


async def applied(federation: Federation, generation: int = 1) -> None:
    async def holds() -> bool:
        report = await federation.report("eu-1", WEB)
        return report is not None and report.applied and report.template_generation == generation

    await eventually(holds)


async def owned_by(federation: Federation, owner: str) -> None:
    async def holds() -> bool:
        report = await federation.report("eu-1", WEB)
        return report is not None and report.replicas_owner == owner

    await eventually(holds)


async def until_corrected(federation: Federation, text: str) -> None:
    async def told() -> bool:
        return any(text.encode() in fact for fact in await federation.facts("drift", "corrected"))

    await eventually(told)


async def test_an_autoscaler_that_was_there_first_is_never_fought(federation: Federation) -> None:
    await add_shop(federation)
    await order(federation, 3)
    await applied(federation)
    assert replicas(federation) == 3
    await owned_by(federation, "Member")
    # Hanse alone wrote them so far: to let go of them must not lose them.
    await order(federation, 3, 2)
    await applied(federation, 2)
    assert replicas(federation) == 3
    await scale(federation, 7, "kube-controller-manager")
    await order(federation, 3, 3)
    await applied(federation, 3)
    assert (replicas(federation), image(federation)) == (7, "registry.example/c:3")
    assert not await federation.facts("drift", "corrected")


async def test_the_share_comes_back_at_once_when_the_autoscaler_goes(
    federation: Federation,
) -> None:
    await order(federation, 3)
    await applied(federation)
    await owned_by(federation, "Hanse")
    await add_autoscaler(federation)
    await owned_by(federation, "Member")
    await scale(federation, 9, "kube-controller-manager")
    await order(federation, 3, 2)
    await applied(federation, 2)
    assert replicas(federation) == 9
    await remove_autoscaler(federation)
    await eventually(lambda: replicas(federation) == 3)
    await owned_by(federation, "Hanse")
    assert not await federation.facts("drift", "corrected")


async def test_an_autoscaler_that_hanse_brings_counts_like_any(federation: Federation) -> None:
    await order(federation, 3)
    scaler = an_autoscaler()
    scaler["metadata"] |= {"uid": "uid-scaler", "generation": 1}
    await federation.write(SCALER, scaler)
    binding = await federation.bind(SCALER, {"eu-1": None})
    await owned_by(federation, "Member")
    await scale(federation, 6, "kube-controller-manager")
    await order(federation, 3, 2)
    await applied(federation, 2)
    assert replicas(federation) == 6
    await federation.delete(binding)
    await eventually(lambda: replicas(federation) == 3)


async def test_a_worker_that_starts_anew_knows_whose_they_are(federation: Federation) -> None:
    await add_shop(federation)
    await order(federation, 3)
    await applied(federation)
    await owned_by(federation, "Member")
    await scale(federation, 8, "kube-controller-manager")
    async with federation.applying():
        await remove_autoscaler(federation)
        await eventually(lambda: replicas(federation) == 3)


async def test_who_cannot_see_autoscalers_takes_nothing_from_them(federation: Federation) -> None:
    await add_shop(federation)
    await order(federation, 3)
    await applied(federation)
    await owned_by(federation, "Member")
    await scale(federation, 8, "kube-controller-manager")
    member = federation.members["eu-1"]
    member.fails_at = "horizontalpodautoscalers"
    listed = sum(member.fails_at in path for _, path in member.requests)
    async with federation.applying():
        await eventually(
            lambda: sum(member.fails_at in path for _, path in member.requests) > listed
        )
        await order(federation, 3, 2)
        await applied(federation, 2)
        assert (replicas(federation), image(federation)) == (8, "registry.example/c:2")
        member.fails_at = ""
        await remove_autoscaler(federation)
        await eventually(lambda: replicas(federation) == 3)


async def test_the_policy_may_keep_them_for_hanse_whatever_scales(federation: Federation) -> None:
    await add_shop(federation)
    await order(federation, 3, replicaOwnership={"owner": "Hanse"})
    await applied(federation)
    await scale(federation, 7, "kube-controller-manager")
    await until_corrected(federation, '"ordered":"3","found":"7"')
    await eventually(lambda: replicas(federation) == 3)


async def test_the_policy_may_leave_them_to_whoever_scales(federation: Federation) -> None:
    await order(federation, 3, replicaOwnership={"owner": "Member"})
    await applied(federation)
    await scale(federation, 1, "kubectl")
    await order(federation, 4, 2, replicaOwnership={"owner": "Member"})
    await applied(federation, 2)
    assert (replicas(federation), image(federation)) == (1, "registry.example/c:2")
    # And may change its mind.
    await order(federation, 4, 3)
    await eventually(lambda: replicas(federation) == 4)
    assert not await federation.facts("drift", "corrected")


async def test_shared_they_are_corrected_outside_of_the_bounds_only(
    federation: Federation,
) -> None:
    await order(federation, 8, replicaOwnership=SHARED)
    await applied(federation)
    assert replicas(federation) == 5
    await scale(federation, 3, "kube-controller-manager")
    await order(federation, 8, 2, replicaOwnership=SHARED)
    await applied(federation, 2)
    assert replicas(federation) == 3
    assert not await federation.facts("drift", "corrected")
    for wrong, right in ((9, 5), (1, 2)):
        await scale(federation, wrong, "kube-controller-manager")
        await eventually(lambda right=right: replicas(federation) == right)
        await until_corrected(federation, f'"ordered":"{right}","found":"{wrong}"')
