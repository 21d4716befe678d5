"""Manifests that the people of a simulation apply."""

import random
from collections.abc import Sequence

from shared.apimachinery.manifest import Manifest

HANSE = "hanse.dev/v1alpha1"
WORKLOADS = ("web", "api", "db")
CONFIGS = ("one", "two", "three")
FENCED = "solo"
"""What must not run in two members: its name, and that of its policy."""

FENCED_GRACE_SECONDS = 3

DIVISIONS = ("weight", "room", "copies")


def namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def cluster(name: str, region: str, mode: str = "Push") -> Manifest:
    return {
        "apiVersion": HANSE,
        "kind": "Cluster",
        "metadata": {"name": name, "labels": {"name": name}},
        "spec": {"apiEndpoint": f"https://{name}", "region": region, "mode": mode},
    }


def deployment(
    name: str, where: str, *, replicas: int = 1, division: str = "weight", revision: int = 0
) -> Manifest:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": where,
            "labels": {"division": division},
            "annotations": {"revision": str(revision)},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": f"registry.example/c:{revision}"}]},
            },
        },
    }


def config(name: str, where: str, revision: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": where},
        "data": {"revision": str(revision)},
    }


def definition() -> Manifest:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.org"},
        "spec": {
            "group": "example.org",
            "names": {"plural": "widgets", "kind": "Widget"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def widget(name: str, where: str, revision: int) -> Manifest:
    return {
        "apiVersion": "example.org/v1",
        "kind": "Widget",
        "metadata": {"name": name, "namespace": where},
        "spec": {"revision": revision},
    }


def autoscaler(name: str, where: str) -> Manifest:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": where},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": 10,
        },
    }


def first_policies(chance: random.Random) -> list[Manifest]:
    """Rules for definitions, and for each division of workloads and the rest of a namespace."""
    definitions = {
        "apiVersion": HANSE,
        "kind": "ClusterPropagationPolicy",
        "metadata": {"name": "definitions"},
        "spec": {
            "resourceSelectors": [
                {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
            ],
            "placement": {"replicaScheduling": {"replicaSchedulingType": "Duplicated"}},
        },
    }
    found: list[Manifest] = [definitions]
    for division in DIVISIONS:
        found.append(_policy(chance, "shop", division, [], conflict="Abort"))
        if chance.random() < 0.5:
            found.append(_policy(chance, "blog", division, [], conflict="Abort"))
    found.append(_policy(chance, "shop", "rest", [], conflict="Abort"))
    found.append(_policy(chance, "blog", "rest", [], conflict="Overwrite"))
    return found


def policy(chance: random.Random, where: str, members: Sequence[str]) -> Manifest:
    """One of those of a namespace, with other rules than before."""
    excluded = [chance.choice(sorted(members))] if chance.random() < 0.5 else []
    division = chance.choice((*DIVISIONS, "rest"))
    conflict = chance.choice(("Abort", "Overwrite"))
    return _policy(chance, where, division, excluded, conflict=conflict)


def stages(chance: random.Random) -> Manifest:
    """How changes of what is copied to every member go about; whoever fails is not waited for."""
    last = {"name": "rest", "approval": "Required"}
    return {
        "stages": [
            {"name": "canary", "percentage": 30},
            *([last] if chance.random() < 0.3 else []),
        ],
        "maxConcurrency": 1,
        "maxFailures": "100%",
        "progressDeadline": "10s",
    }


def rollout(name: str, where: str) -> Manifest:
    return {
        "apiVersion": HANSE,
        "kind": "ResourceRollout",
        "metadata": {"name": name, "namespace": where},
    }


def _policy(
    chance: random.Random, where: str, division: str, excluded: Sequence[str], *, conflict: str
) -> Manifest:
    selector: Manifest = {"apiVersion": "apps/v1", "kind": "Deployment"}
    scheduling: Manifest = {"replicaSchedulingType": "Duplicated"}
    match division:
        case "weight":
            weight = {"targetCluster": {}, "weight": chance.randrange(1, 4)}
            scheduling = {
                "replicaSchedulingType": "Divided",
                "weightPreference": {"staticWeightList": [weight]},
            }
        case "room":
            scheduling = {
                "replicaSchedulingType": "Divided",
                "weightPreference": {"dynamicWeight": "AvailableReplicas"},
            }
    if division == "rest":
        selectors = [
            {"apiVersion": "v1", "kind": "ConfigMap"},
            {"apiVersion": "example.org/v1", "kind": "Widget"},
        ]
    else:
        selectors = [{**selector, "labelSelector": {"matchLabels": {"division": division}}}]
    return {
        "apiVersion": HANSE,
        "kind": "PropagationPolicy",
        "metadata": {"name": division, "namespace": where},
        "spec": {
            "resourceSelectors": selectors,
            "conflictResolution": conflict,
            "preserveResourcesOnDeletion": False,
            **({"rollout": stages(chance)} if division == "copies" else {}),
            "placement": {
                "clusterAffinity": {"exclude": list(excluded)},
                "replicaScheduling": scheduling,
                "clusterTolerations": [],
            },
        },
    }


def fenced_policy(chance: random.Random, members: Sequence[str]) -> Manifest:
    """One member has it, whichever is allowed now."""
    excluded = [chance.choice(sorted(members))] if members and chance.random() < 0.6 else []
    one = {"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}
    return {
        "apiVersion": HANSE,
        "kind": "PropagationPolicy",
        "metadata": {"name": FENCED, "namespace": "shop"},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": FENCED}],
            "failover": {
                "fencing": "Required",
                "cluster": {"purgeMode": chance.choice(("Directly", "Gracefully", "Never"))},
            },
            "placement": {
                "clusterAffinity": {"exclude": excluded},
                "spreadConstraints": [one],
                "replicaScheduling": {"replicaSchedulingType": "Duplicated"},
            },
        },
    }


def override(chance: random.Random, where: str, members: Sequence[str]) -> Manifest:
    name = chance.choice(sorted(members))
    overriders: Manifest = chance.choice(
        (
            {
                "imageOverrider": [
                    {"component": "Registry", "operator": "replace", "value": f"{name}.example"}
                ]
            },
            {"labelsOverrider": [{"operator": "add", "value": {"of": name}}]},
        )
    )
    return {
        "apiVersion": HANSE,
        "kind": "OverridePolicy",
        "metadata": {"name": f"for-{name}", "namespace": where},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "overrideRules": [
                {"targetCluster": {"clusterNames": [name]}, "overriders": overriders}
            ],
        },
    }
