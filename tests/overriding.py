"""Overriding a manifest in one call: for tests of overriders."""

from typing import Any

from services.propagator.core.overrides import (
    OverrideFailure,
    PolicyRules,
    apply_overrides,
    rules_of,
)
from shared.api.cluster import Cluster, ClusterSpec
from shared.api.meta import ObjectMeta, read
from shared.api.override import OverridePolicy
from shared.apimachinery.manifest import Manifest, ObjectKey, copy

EU = Cluster(
    metadata=ObjectMeta(name="eu-1", labels={"tier": "gold", "a.example/b": "c"}),
    spec=ClusterSpec(region="europe", provider="acme"),
)


def a_deployment() -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {
            "replicas": 2,
            "template": {
                "spec": {
                    "initContainers": [{"name": "init", "image": "busybox"}],
                    "containers": [
                        {"name": "web", "image": "registry.example/shop/web:1.4.2", "args": ["-v"]}
                    ],
                }
            },
        },
    }


def a_config_map(**data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


def key_of(name: str, namespace: str = "") -> ObjectKey:
    resource = "overridepolicies" if namespace else "clusteroverridepolicies"
    return ObjectKey("hanse.dev", resource, namespace, name)


def policy(*rules: Any, name: str = "p", namespace: str = "", **spec: Any) -> PolicyRules:
    """A policy with *rules*, each the overriders of one."""
    given = {"overrideRules": [{"overriders": one} for one in rules], **spec}
    return rules_of(key_of(name, namespace), read({"spec": given}, OverridePolicy))


def overridden(
    manifest: Manifest, *rules: Any, cluster: Cluster = EU
) -> Manifest | OverrideFailure:
    """Apply *rules*; neither the manifest nor the rules are changed by that."""
    rules_before = copy({"rules": list(rules)})["rules"]
    before = copy(manifest)
    found = apply_overrides(manifest, policy(*rules).overrides, cluster)
    assert manifest == before
    assert list(rules) == rules_before
    return found


def changed(manifest: Manifest, cluster: Cluster = EU, **overriders: Any) -> Manifest:
    found = overridden(manifest, overriders, cluster=cluster)
    assert isinstance(found, dict), found
    return found


def failure(manifest: Manifest, cluster: Cluster = EU, **overriders: Any) -> str:
    found = overridden(manifest, overriders, cluster=cluster)
    assert isinstance(found, OverrideFailure)
    return found.message
