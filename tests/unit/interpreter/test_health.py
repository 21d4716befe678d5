"""When an object of each kind counts as healthy."""

from typing import Any

import pytest

from shared.apimachinery.manifest import Manifest
from shared.interpreter.registry import BUILT_IN


def health_of(manifest: Manifest) -> str:
    return BUILT_IN.of(manifest).health(manifest)


def an_object(
    api_version: str,
    kind: str,
    *,
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    generation: int = 2,
    **metadata: Any,
) -> Manifest:
    found: Manifest = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web", "generation": generation, **metadata},
    }
    if spec is not None:
        found["spec"] = spec
    if status is not None:
        found["status"] = status
    return found


def condition(name: str, status: str, reason: str = "Because") -> dict[str, str]:
    return {"type": name, "status": status, "reason": reason}


ROLLED_OUT = {
    "observedGeneration": 2,
    "replicas": 3,
    "updatedReplicas": 3,
    "readyReplicas": 3,
    "availableReplicas": 3,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "Healthy"),
        ({"observedGeneration": 1}, "Progressing"),
        ({"updatedReplicas": 1}, "Progressing"),
        ({"replicas": 4}, "Progressing"),
        ({"availableReplicas": 2}, "Progressing"),
        ({"conditions": [condition("ReplicaFailure", "True")]}, "Degraded"),
        (
            {"conditions": [condition("Progressing", "False", "ProgressDeadlineExceeded")]},
            "Degraded",
        ),
        (
            {
                "availableReplicas": 0,
                "conditions": [
                    condition("Progressing", "True", "NewReplicaSetAvailable"),
                    condition("Available", "False"),
                ],
            },
            "Degraded",
        ),
    ],
)
def test_a_deployment_is_healthy_once_rolled_out(changes: dict[str, Any], expected: str) -> None:
    deployment = an_object(
        "apps/v1", "Deployment", spec={"replicas": 3}, status=ROLLED_OUT | changes
    )
    assert health_of(deployment) == expected


def test_a_deployment_without_status_is_progressing() -> None:
    assert health_of(an_object("apps/v1", "Deployment", spec={"replicas": 0})) == "Progressing"


@pytest.mark.parametrize(
    ("spec", "changes", "expected"),
    [
        ({}, {}, "Healthy"),
        ({}, {"currentRevision": "a"}, "Progressing"),
        ({}, {"readyReplicas": 1}, "Progressing"),
        (
            {"updateStrategy": {"rollingUpdate": {"partition": 2}}},
            {"currentRevision": "a", "updatedReplicas": 1},
            "Healthy",
        ),
        ({"updateStrategy": {"type": "OnDelete"}}, {"currentRevision": "a"}, "Healthy"),
    ],
)
def test_a_stateful_set_is_healthy_once_its_revision_is_everywhere(
    spec: dict[str, Any], changes: dict[str, Any], expected: str
) -> None:
    status = ROLLED_OUT | {"currentRevision": "b", "updateRevision": "b"} | changes
    stateful_set = an_object("apps/v1", "StatefulSet", spec={"replicas": 3} | spec, status=status)
    assert health_of(stateful_set) == expected


@pytest.mark.parametrize(
    ("available", "updated", "expected"),
    [(2, 2, "Healthy"), (1, 2, "Progressing"), (2, 1, "Progressing")],
)
def test_a_daemon_set_is_healthy_once_on_every_node(
    available: int, updated: int, expected: str
) -> None:
    status = {
        "observedGeneration": 2,
        "desiredNumberScheduled": 2,
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
    }
    assert health_of(an_object("apps/v1", "DaemonSet", status=status)) == expected


CRASHING = {"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "status", "expected"),
    [
        ("apps/v1", "ReplicaSet", {"replicas": 1}, ROLLED_OUT, "Healthy"),
        ("apps/v1", "ReplicaSet", {"replicas": 4}, ROLLED_OUT, "Progressing"),
        ("batch/v1", "Job", {}, {}, "Progressing"),
        ("batch/v1", "Job", {}, {"conditions": [condition("Complete", "True")]}, "Healthy"),
        ("batch/v1", "Job", {}, {"conditions": [condition("Failed", "True")]}, "Degraded"),
        ("batch/v1", "CronJob", {}, {}, "Healthy"),
        ("v1", "Pod", {}, {"phase": "Pending"}, "Progressing"),
        ("v1", "Pod", {}, {"phase": "Succeeded"}, "Healthy"),
        ("v1", "Pod", {}, {"phase": "Failed"}, "Degraded"),
        ("v1", "Pod", {}, {"phase": "Unknown"}, "Unknown"),
        ("v1", "Pod", {}, {"phase": "Pending"} | CRASHING, "Degraded"),
        (
            "v1",
            "Pod",
            {},
            {"phase": "Running", "conditions": [condition("Ready", "True")]},
            "Healthy",
        ),
        ("v1", "PersistentVolumeClaim", {}, {"phase": "Bound"}, "Healthy"),
        ("v1", "PersistentVolumeClaim", {}, {"phase": "Pending"}, "Progressing"),
        ("v1", "PersistentVolumeClaim", {}, {"phase": "Lost"}, "Degraded"),
        ("v1", "Service", {"type": "ClusterIP"}, {}, "Healthy"),
        ("v1", "Service", {"type": "LoadBalancer"}, {"loadBalancer": {}}, "Progressing"),
        (
            "v1",
            "Service",
            {"type": "LoadBalancer"},
            {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
            "Healthy",
        ),
        ("networking.k8s.io/v1", "Ingress", {}, {}, "Progressing"),
        (
            "networking.k8s.io/v1",
            "Ingress",
            {},
            {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}},
            "Healthy",
        ),
        ("autoscaling/v2", "HorizontalPodAutoscaler", {}, {}, "Progressing"),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {},
            {"conditions": [condition("ScalingActive", "False", "FailedGetScale")]},
            "Degraded",
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {},
            {"conditions": [condition("ScalingActive", "False", "ScalingDisabled")]},
            "Healthy",
        ),
        (
            "policy/v1",
            "PodDisruptionBudget",
            {},
            {"observedGeneration": 2, "currentHealthy": 1, "desiredHealthy": 2},
            "Progressing",
        ),
        ("v1", "Namespace", {}, {"phase": "Active"}, "Healthy"),
        ("v1", "Namespace", {}, {"phase": "Terminating"}, "Progressing"),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            {},
            {"conditions": [condition("Established", "True")]},
            "Healthy",
        ),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, {}, "Progressing"),
        ("v1", "ConfigMap", None, None, "Healthy"),
        ("acme.example/v1", "Widget", {}, {}, "Healthy"),
        ("acme.example/v1", "Widget", {}, {"observedGeneration": 1}, "Progressing"),
        ("acme.example/v1", "Widget", {}, {"conditions": [condition("Ready", "True")]}, "Healthy"),
        (
            "acme.example/v1",
            "Widget",
            {},
            {"conditions": [condition("Available", "False")]},
            "Progressing",
        ),
        (
            "acme.example/v1",
            "Widget",
            {},
            {"conditions": [condition("Stalled", "True"), condition("Ready", "False")]},
            "Degraded",
        ),
    ],
)
def test_each_kind_is_judged_by_its_own_rule(
    api_version: str,
    kind: str,
    spec: dict[str, Any] | None,
    status: dict[str, Any] | None,
    expected: str,
) -> None:
    assert health_of(an_object(api_version, kind, spec=spec, status=status)) == expected


def test_an_object_being_deleted_is_progressing() -> None:
    deleted = an_object("v1", "ConfigMap", deletionTimestamp="2026-01-01T00:00:00Z")
    assert health_of(deleted) == "Progressing"


@pytest.mark.parametrize("status", ["broken", None, {"conditions": "x"}, {"conditions": [1]}])
def test_a_status_of_the_wrong_shape_is_no_crash(status: Any) -> None:
    assert health_of(
        {"apiVersion": "acme.example/v1", "kind": "Widget", "metadata": {}, "status": status}
    )
