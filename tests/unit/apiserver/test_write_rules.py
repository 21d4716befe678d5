"""What may not change once written, as a kube-apiserver has it."""

from typing import Any

import pytest

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apiserver.semantics import judge

JOB = GroupResource("batch", "jobs")
STATEFUL_SET = GroupResource("apps", "statefulsets")
POD = GroupResource("", "pods")
CLAIM = GroupResource("", "persistentvolumeclaims")
SERVICE = GroupResource("", "services")
SECRET = GroupResource("", "secrets")
SELECTOR = {"matchLabels": {"a": "x"}}


def pods(image: str, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "a", "image": image}]
    labels = {"labels": {"a": "x"}}
    return {
        "metadata": labels,
        "spec": {"containers": containers, "restartPolicy": "Never", **spec},
    }


def kept(image: str) -> dict[str, Any]:
    return {"selector": SELECTOR, "template": pods(image, restartPolicy="Always")}


def claims(name: str) -> list[dict[str, Any]]:
    storage = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": storage}
    return [{"metadata": {"name": name}, "spec": spec}]


def faults(resource: GroupResource, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [one.path for one in judge(resource, {"spec": before}, {"spec": after})]


@pytest.mark.parametrize(
    ("resource", "before", "after", "path"),
    [
        (JOB, {"template": pods("a:1")}, {"template": pods("a:2")}, "spec.template"),
        (
            STATEFUL_SET,
            {**kept("a:1"), "volumeClaimTemplates": claims("x")},
            {**kept("a:2"), "volumeClaimTemplates": claims("y")},
            "spec",
        ),
        (POD, pods("a:1")["spec"], pods("a:1", hostname="x")["spec"], "spec"),
        (CLAIM, claims("x")[0]["spec"], {**claims("x")[0]["spec"], "volumeMode": "Block"}, "spec"),
        (
            SERVICE,
            {"ports": [{"port": 1}], "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]},
            {"ports": [{"port": 1}], "clusterIP": "10.0.0.2"},
            "spec.clusterIPs[0]",
        ),
    ],
)
def test_what_is_immutable_is_refused_where_it_is(
    resource: GroupResource, before: dict[str, Any], after: dict[str, Any], path: str
) -> None:
    assert faults(resource, before, {**before}) == []
    assert faults(resource, before, after) == [path]


@pytest.mark.parametrize(
    ("resource", "before", "after"),
    [
        (POD, pods("a:1")["spec"], pods("a:2")["spec"]),
        (STATEFUL_SET, kept("a:1"), {**kept("a:2"), "replicas": 3}),
        # What is written is what was the default.
        (STATEFUL_SET, kept("a:1"), {**kept("a:1"), "podManagementPolicy": "OrderedReady"}),
        (
            JOB,
            {"template": pods("a:1"), "suspend": True},
            {"template": pods("a:1", nodeSelector={"a": "b"}), "suspend": True},
        ),
        (
            CLAIM,
            claims("x")[0]["spec"],
            {**claims("x")[0]["spec"], "resources": {"requests": {"storage": "2Gi"}}},
        ),
    ],
)
def test_what_may_change_is_taken(
    resource: GroupResource, before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert faults(resource, before, after) == []


def test_a_sealed_secret_changes_in_its_metadata_only() -> None:
    sealed: Manifest = {"type": "Opaque", "immutable": True, "data": {"a": "YQ=="}}
    assert judge(SECRET, sealed, {**sealed, "metadata": {"labels": {"a": "b"}}}) == []
    changed = {"type": "Opaque", "data": {"a": "Yg=="}}
    assert [one.path for one in judge(SECRET, sealed, changed)] == ["immutable", "data"]


@pytest.mark.parametrize("other", [{}, {"clusterIP": "10.0.0.2"}])
def test_an_address_that_no_server_gave_may_be_taken_back(other: dict[str, Any]) -> None:
    ports = {"ports": [{"port": 1}]}
    assert faults(SERVICE, {**ports, "clusterIP": "10.0.0.1"}, {**ports, **other}) == []
