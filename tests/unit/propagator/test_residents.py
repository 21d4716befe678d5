"""What is not Hanse's and would go with a namespace or a definition."""

import pytest

from services.propagator.core.residents import (
    defined_by,
    inhabiting,
    is_anothers,
    takes_others_along,
)
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.memberapi.port import ResourceType


def kind(group: str, version: str, name: str, resource: str, *, namespaced: bool = True):
    return ResourceType(GroupVersionKind(group, version, name), resource, namespaced)


CONFIG_MAPS = kind("", "v1", "ConfigMap", "configmaps")
NAMESPACES = kind("", "v1", "Namespace", "namespaces", namespaced=False)
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u"}


def an_object(name: str = "a", **metadata: object) -> Manifest:
    return {"metadata": {"name": name, **metadata}}


def test_only_what_holds_others_is_looked_into():
    assert takes_others_along(NAMESPACES)
    definitions = "customresourcedefinitions"
    assert takes_others_along(
        kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", definitions)
    )
    assert not takes_others_along(CONFIG_MAPS)
    assert not takes_others_along(kind("acme.example", "v1", "Namespace", "namespaces"))


def test_each_kind_that_lives_in_a_namespace_is_looked_for_once():
    served = [
        CONFIG_MAPS,
        NAMESPACES,
        kind("", "v1", "Event", "events"),
        kind("events.k8s.io", "v1", "Event", "events"),
        kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods"),
        kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        kind("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ]
    found = [(one.gvk.version, one.resource) for one in inhabiting(served)]
    assert found == [("v1", "configmaps"), ("v2", "horizontalpodautoscalers")]


def test_what_somebody_made_is_anothers():
    assert is_anothers(CONFIG_MAPS, an_object())
    # Of a StatefulSet that is gone: Kubernetes keeps it too.
    claims = kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
    assert is_anothers(claims, an_object("data-web-0", labels={"app": "web"}))


@pytest.mark.parametrize(
    "manifest",
    [
        an_object("kube-root-ca.crt"),
        an_object("system:image-pullers"),
        an_object(ownerReferences=[OWNER]),
        an_object(deletionTimestamp="2026-01-01T00:00:00Z"),
        an_object(labels={"hanse.dev/managed": "true"}),
        an_object(managedFields=[{"manager": "hanse", "operation": "Apply"}]),
        {**an_object(), "type": "kubernetes.io/service-account-token"},
    ],
)
def test_what_is_ours_or_of_the_members_own_controllers_is_not(manifest: Manifest):
    assert not is_anothers(CONFIG_MAPS, manifest)


def test_a_definition_tells_its_kind():
    versions = [
        {"name": "v1alpha1", "served": True, "storage": False},
        {"name": "v1", "served": True, "storage": True},
    ]
    spec = {
        "group": "acme.example",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": versions,
    }
    assert defined_by({"spec": spec}) == kind("acme.example", "v1", "Widget", "widgets")
    assert defined_by({"spec": {**spec, "versions": []}}) is None
    assert defined_by({}) is None
