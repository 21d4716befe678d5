"""The load both sides of a comparison carry: plain Deployments, encoded before the clock starts."""

from collections.abc import Sequence

from bench.observer import EDITION
from shared.apimachinery.manifest import Manifest, encode

NAMESPACE = "bench"


def deployment(number: int, *, namespace: str = NAMESPACE, edition: str = "") -> Manifest:
    """Build a Deployment of ordinary size (about 2 kB) with one replica."""
    name = f"app-{number:05d}"
    labels = {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "bench",
        "app.kubernetes.io/managed-by": "bench",
        "tier": "backend",
    }
    environment = [{"name": f"SETTING_{index}", "value": f"value-{index}"} for index in range(12)]
    annotations = {"example.com/owner": "team-harbour", "example.com/tier": "2", EDITION: edition}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": "main",
                            "image": f"registry.example/bench/{name}:1.0.{number}",
                            "ports": [{"name": "http", "containerPort": 8080}],
                            "env": environment,
                            "resources": {
                                "requests": {"cpu": "1m", "memory": "1Mi"},
                                "limits": {"cpu": "500m", "memory": "256Mi"},
                            },
                            "readinessProbe": {
                                "httpGet": {"path": "/ready", "port": "http"},
                                "periodSeconds": 5,
                            },
                            "livenessProbe": {
                                "httpGet": {"path": "/live", "port": "http"},
                                "periodSeconds": 10,
                            },
                        }
                    ]
                },
            },
        },
    }


def encoded_deployments(
    count: int, *, namespace: str = NAMESPACE, edition: str = ""
) -> dict[str, bytes]:
    """Bodies by name."""
    manifests = [
        deployment(number, namespace=namespace, edition=edition) for number in range(count)
    ]
    return {str(each["metadata"]["name"]): encode(each) for each in manifests}


def policy(namespaces: Sequence[str] = ()) -> Manifest:
    """All Deployments, whole, to every member; and *namespaces*, which then outlast them there."""
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "name": name} for name in namespaces]
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "ClusterPropagationPolicy",
        "metadata": {"name": "bench"},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}, *spaces],
            "placement": {"replicaScheduling": {"replicaSchedulingType": "Duplicated"}},
        },
    }


def namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def local_policy(namespace: str, cluster: str) -> Manifest:
    """The Deployments of *namespace* to one member alone."""
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "bench", "namespace": namespace},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "placement": {
                "clusterAffinity": {"clusterNames": [cluster]},
                "replicaScheduling": {"replicaSchedulingType": "Duplicated"},
            },
        },
    }
