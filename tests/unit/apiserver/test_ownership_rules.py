"""What a policy may not say of ownership, and where the fault is."""

from typing import Any

import pytest

from shared.api.meta import read
from shared.api.policy import PropagationPolicy
from shared.apiserver.rules.policies import check_policy


def faults(**spec: Any) -> list[str]:
    selectors = [{"apiVersion": "apps/v1", "kind": "Deployment"}]
    policy = {"metadata": {"name": "p"}, "spec": {"resourceSelectors": selectors, **spec}}
    return [one.path for one in check_policy(read(policy, PropagationPolicy))]


@pytest.mark.parametrize(
    ("ownership", "wrong"),
    [
        ({"owner": "Hanse"}, []),
        ({"owner": "Shared", "minReplicas": 0, "maxReplicas": 0}, []),
        ({"owner": "Shared"}, ["minReplicas"]),
        ({"owner": "Member", "maxReplicas": 3}, ["maxReplicas"]),
        ({"owner": "Shared", "minReplicas": 4, "maxReplicas": 3}, ["maxReplicas"]),
        ({"owner": "Shared", "minReplicas": -1}, ["minReplicas"]),
    ],
)
def test_bounds_belong_to_shared_replicas(ownership: dict[str, Any], wrong: list[str]) -> None:
    assert faults(replicaOwnership=ownership) == [f"spec.replicaOwnership.{one}" for one in wrong]


@pytest.mark.parametrize(
    "path", ["", "/", "spec", "/status/replicas", "/kind", "/spec/a~2b", ".spec.replicas"]
)
def test_a_path_is_a_pointer_into_what_is_applied(path: str) -> None:
    assert faults(drift={"paths": [{"path": path}]}) == ["spec.drift.paths[0].path"]


def test_paths_are_said_once_and_few() -> None:
    path = {"path": "/metadata/annotations/a~1b"}
    assert faults(drift={"paths": [path]}) == []
    assert faults(drift={"paths": [path, path]}) == ["spec.drift.paths[1].path"]
    many = [{"path": f"/spec/{number}"} for number in range(65)]
    assert faults(drift={"paths": many}) == ["spec.drift.paths"]
