"""Who owns replicas after a scale: they go from hand to hand, and from nobody to nobody."""

from shared.apimachinery.manifest import encode
from tests.integration.either_member import (
    DEPLOYMENTS,
    NAMESPACE,
    Ground,
    a_deployment,
)

Owner = tuple[str, str, str, bool]


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
