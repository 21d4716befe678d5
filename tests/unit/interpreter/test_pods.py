"""Containers are found wherever a kind keeps them."""

from typing import Any

import pytest

from shared.interpreter.pods import containers_of

POD = {"initContainers": [{"name": "a"}], "containers": [{"name": "b"}]}
TEMPLATE = {"spec": {"template": {"spec": POD}}}


@pytest.mark.parametrize(
    ("api_version", "kind", "body"),
    [
        ("v1", "Pod", {"spec": POD}),
        ("v1", "PodTemplate", {"template": {"spec": POD}}),
        ("v1", "ReplicationController", TEMPLATE),
        ("apps/v1", "Deployment", TEMPLATE),
        ("apps/v1", "StatefulSet", TEMPLATE),
        ("apps/v1", "DaemonSet", TEMPLATE),
        ("apps/v1", "ReplicaSet", TEMPLATE),
        ("batch/v1", "Job", TEMPLATE),
        ("batch/v1", "CronJob", {"spec": {"jobTemplate": TEMPLATE}}),
        ("argoproj.io/v1alpha1", "Rollout", TEMPLATE),
        ("batch.volcano.sh/v1alpha1", "Job", {"spec": {"tasks": [{"template": {"spec": POD}}]}}),
        (
            "kubeflow.org/v1",
            "PyTorchJob",
            {"spec": {"pytorchReplicaSpecs": {"Worker": {"template": {"spec": POD}}}}},
        ),
        ("ray.io/v1", "RayCluster", {"spec": {"headGroupSpec": {"template": {"spec": POD}}}}),
        ("elastic.co/v1", "Search", {"spec": {"nodeSets": [{"podTemplate": {"spec": POD}}]}}),
    ],
)
def test_containers_of_a_kind(api_version: str, kind: str, body: dict[str, Any]) -> None:
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **body}
    assert [one["name"] for one in containers_of(manifest)] == ["a", "b"]


@pytest.mark.parametrize(
    "manifest",
    [
        {"apiVersion": "v1", "kind": "ConfigMap", **TEMPLATE},
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": []}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": {}}}},
        {"apiVersion": "apps/v1", "kind": "Deployment"},
        {"apiVersion": "a.example/v1", "kind": "A", "spec": {"template": {"spec": {"size": 1}}}},
        {"apiVersion": "a.example/v1", "kind": "A", "spec": [1, "two", None]},
    ],
)
def test_what_runs_no_pods_has_none(manifest: dict[str, Any]) -> None:
    assert containers_of(manifest) == []
