"""Autoscalers in both of their versions: one object, stored in the newer one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.apiserver.versions.autoscalers import to_v1, to_v2
from tests.served_api import Client, Served

V1 = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
V2 = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def cpu(percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


MEMORY: dict[str, Any] = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
}


def autoscaler(version: str, **spec: Any) -> Manifest:
    return {
        "apiVersion": f"autoscaling/{version}",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": TARGET, "maxReplicas": 5, **spec},
    }


async def test_what_is_written_in_the_old_version_is_stored_in_the_new(served: Served) -> None:
    client = served.client
    answer = await client.post(V1, autoscaler("v1", targetCPUUtilizationPercentage=50))
    assert answer.code == 201
    assert answer.body["apiVersion"] == "autoscaling/v1"
    assert answer.body["spec"]["targetCPUUtilizationPercentage"] == 50
    key = ObjectKey("autoscaling", "horizontalpodautoscalers", "default", "web")
    stored = await served.store.get(key)
    assert stored is not None
    assert stored.manifest["apiVersion"] == "autoscaling/v2"
    spec = (await client.get(f"{V2}/web")).body["spec"]
    assert spec == {"scaleTargetRef": TARGET, "maxReplicas": 5, "metrics": [cpu(50)]}


async def test_both_versions_change_the_same_object(client: Client) -> None:
    await client.post(V2, autoscaler("v2", metrics=[cpu(50), MEMORY]))
    patched = await client.patch(f"{V1}/web", {"spec": {"targetCPUUtilizationPercentage": 70}})
    assert patched.code == 200
    read = (await client.get(f"{V1}/web")).body
    read["spec"]["maxReplicas"] = 9
    assert (await client.put(f"{V1}/web", read)).code == 200
    spec = (await client.get(f"{V2}/web")).body["spec"]
    assert spec["metrics"] == [MEMORY, cpu(70)]
    assert spec["maxReplicas"] == 9
    assert (await client.delete(f"{V1}/web")).code == 200
    assert (await client.get(f"{V2}/web")).code == 404


async def test_lists_and_watches_speak_the_version_asked_for(client: Client) -> None:
    async with client.watch(V1) as lines:
        await client.post(V2, autoscaler("v2", metrics=[cpu(50)]))
        seen = (await lines.next())["object"]
    listing = (await client.get(V1)).body
    # Items of built-in kinds are what their list says.
    assert seen["apiVersion"] == listing["apiVersion"] == "autoscaling/v1"
    for found in (seen, *listing["items"]):
        assert found["spec"]["targetCPUUtilizationPercentage"] == 50
        assert "metrics" not in found["spec"]


async def test_applying_both_versions_is_no_conflict_with_oneself(client: Client) -> None:
    first = autoscaler("v1", targetCPUUtilizationPercentage=50)
    assert (await client.apply(f"{V1}/web", first)).code == 201
    second = autoscaler("v2", metrics=[cpu(60)])
    assert (await client.apply(f"{V2}/web", second)).code == 200
    assert (await client.get(f"{V2}/web")).body["spec"]["metrics"] == [cpu(60)]


# The one CPU target of v1 comes last in v2.
_METRICS = st.builds(
    lambda others, last: [*others, *last],
    st.lists(st.just(MEMORY), max_size=2),
    st.lists(st.integers(1, 99).map(cpu), max_size=1),
)
_BEHAVIOR = st.none() | st.just({"scaleDown": {"stabilizationWindowSeconds": 3}})


@given(metrics=_METRICS, behavior=_BEHAVIOR)
def test_there_and_back_loses_nothing(
    metrics: list[dict[str, Any]], behavior: dict[str, Any] | None
) -> None:
    manifest = autoscaler("v2")
    if metrics:
        manifest["spec"]["metrics"] = metrics
    if behavior:
        manifest["spec"]["behavior"] = behavior
    assert to_v2(to_v1(manifest)) == manifest
