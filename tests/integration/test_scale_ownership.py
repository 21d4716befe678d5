"""Who owns replicas after a scale: they go from hand to hand, and from nobody to nobody."""

from collections.abc import AsyncIterator, Iterator

import pytest

from shared.apimachinery.manifest import encode
from shared.memberapi.credentials import MemberCredentials
from tests.integration.either_member import (
    DEPLOYMENTS,
    NAMESPACE,
    Ground,
    a_deployment,
    standing_on,
)
from tests.kube_apiserver import find_assets, run_kube_apiserver

Owner = tuple[str, str, str, bool]


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemberCredentials]:
    find_assets()
    with run_kube_apiserver(tmp_path_factory.mktemp("kube-apiserver")) as found:
        yield found


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.kube_apiserver)])
async def ground(request: pytest.FixtureRequest) -> AsyncIterator[Ground]:
    real = request.param == "real"
    async with standing_on(request.getfixturevalue("credentials") if real else None) as found:
        yield found


async def applied(ground: Ground, name: str, replicas: int | None) -> None:
    """Somebody applies a Deployment, saying how many replicas or leaving it unsaid."""
    manifest = a_deployment(name)
    manifest["metadata"]["namespace"] = NAMESPACE
    del manifest["spec"]["replicas"]
    if replicas is not None:
        manifest["spec"]["replicas"] = replicas
    body = encode(manifest)
    await ground.api.apply_encoded(DEPLOYMENTS, NAMESPACE, name, body, manager="app")


async def scaled(ground: Ground, name: str, replicas: int, manager: str) -> list[Owner]:
    """Scale, and tell who owns the replicas then: name, operation, subresource, whether timed."""
    body = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"replicas": replicas},
    }
    path = f"{DEPLOYMENTS.path(NAMESPACE, name)}/scale?fieldManager={manager}"
    await ground.api.put(path, encode(body))
    live = await ground.live(DEPLOYMENTS, name)
    assert live["spec"]["replicas"] == replicas
    return [
        (one["manager"], one["operation"], one.get("subresource", ""), "time" in one)
        for one in live["metadata"]["managedFields"]
        if "f:replicas" in one["fieldsV1"].get("f:spec", {})
    ]


async def test_they_are_of_whoever_changed_them_last(ground: Ground) -> None:
    await applied(ground, "held", 2)
    kubectl = [("kubectl", "Update", "scale", False)]
    assert await scaled(ground, "held", 5, "kubectl") == kubectl
    assert await scaled(ground, "held", 5, "other") == kubectl
    assert await scaled(ground, "held", 7, "other") == [("other", "Update", "scale", False)]


async def test_of_nobody_they_stay_nobodys(ground: Ground) -> None:
    await applied(ground, "free", None)
    assert await scaled(ground, "free", 5, "kubectl") == []
    assert await scaled(ground, "free", 7, "other") == []
