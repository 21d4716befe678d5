"""A fleet in ten regions, policies of every sort, and Deployments: what the scheduler is given."""

import random
from collections.abc import Iterable
from typing import Any

from bench.load import deployment
from shared.apimachinery.manifest import Manifest, ObjectKey

NAMESPACES = 40
SEED = 7


def cluster(number: int, chance: random.Random) -> Manifest:
    """Build a member in one of ten regions, with nodes of three sizes and some of them free."""
    region = f"region-{number % 10}"
    sizes = [(4, 16), (8, 32), (16, 64), (32, 128)]
    nodes = []
    for cpu, memory in chance.sample(sizes, 3):
        free = {
            "cpu": f"{chance.randrange(0, cpu * 1000)}m",
            "memory": f"{chance.randrange(0, memory * 1024)}Mi",
            "pods": str(chance.randrange(0, 110)),
        }
        nodes.append({"count": chance.randrange(1, 9), "free": free})
    kinds = [{"name": "deployments", "kind": "Deployment"}]
    taints = [{"key": "edge", "effect": "NoSchedule"}] if number % 10 == 9 else []
    conditions = [
        {"type": name, "status": "True", "reason": "Seen"} for name in ("Ready", "Joined")
    ]
    return {
        "metadata": {
            "name": f"member-{number:04d}",
            "labels": {"env": "prod" if number % 4 else "test", "tier": str(number % 3)},
        },
        "spec": {"region": region, "provider": f"provider-{number % 3}", "taints": taints},
        "status": {
            "conditions": conditions,
            "apiEnablements": [{"groupVersion": "apps/v1", "resources": kinds}],
            "capacity": {"nodeClasses": nodes},
        },
    }


def policies(clusters: int, *, spread: bool) -> Iterable[Manifest]:
    """Build one policy for all, and three of different sorts in each namespace."""
    production = {"labelSelector": {"matchLabels": {"env": "prod"}}}
    weights = [
        {"targetCluster": _in_region(number), "weight": number % 3 + 1}
        for number in range(min(10, clusters))
    ]
    static = {"weightPreference": {"staticWeightList": weights}}
    room = {
        "weightPreference": {"dynamicWeight": "AvailableReplicas"},
        "replicaLimits": [{"targetCluster": {}, "minReplicas": 1, "maxReplicas": 6}],
    }
    constraints = [
        {"spreadByField": "region", "minGroups": 2, "maxGroups": 3},
        {"spreadByField": "cluster", "maxGroups": 12},
    ]
    yield policy("all", "", [{"apiVersion": "*", "kind": "*"}], {})
    for number in range(NAMESPACES):
        place = f"team-{number}"
        tiers = [("weights", "backend", static), ("room", "worker", room)]
        for name, tier, rules in tiers:
            labels = {"matchLabels": {"tier": tier}}
            selector = {"apiVersion": "apps/v1", "kind": "Deployment", "labelSelector": labels}
            placement: dict[str, Any] = {"clusterAffinity": production, "replicaScheduling": rules}
            if spread:
                placement |= {"spreadConstraints": constraints, "replicaScheduling": room}
            yield policy(name, place, [selector], placement)
        copied = {"clusterAffinity": _in_region(number % 10)}
        yield policy("copied", place, [{"apiVersion": "apps/v1", "kind": "Deployment"}], copied)


def policy(name: str, namespace: str, selectors: list[Any], placement: Any) -> Manifest:
    return {
        "kind": "PropagationPolicy" if namespace else "ClusterPropagationPolicy",
        "metadata": {"name": name, "namespace": namespace, "generation": 1},
        "spec": {"resourceSelectors": selectors, "placement": placement},
    }


def _in_region(number: int) -> dict[str, Any]:
    region = {"key": "region", "operator": "In", "values": [f"region-{number % 10}"]}
    return {"fieldSelector": {"matchExpressions": [region]}}


def template(number: int, chance: random.Random) -> tuple[ObjectKey, Manifest]:
    """Build a Deployment of 1 to 50 replicas in one of the namespaces, one in ten elsewhere."""
    namespace = f"team-{number % NAMESPACES}" if number % 10 else "elsewhere"
    manifest = deployment(number, namespace=namespace)
    manifest["metadata"]["labels"] = {
        **manifest["metadata"]["labels"],
        "tier": chance.choice(["backend", "worker", "worker", "frontend"]),
    }
    manifest["spec"]["replicas"] = chance.choice([1, 2, 3, 3, 5, 10, 20, 50])
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["resources"]["requests"] = {
        "cpu": chance.choice(["50m", "100m", "250m", "500m", "1", "2"]),
        "memory": chance.choice(["64Mi", "128Mi", "256Mi", "1Gi", "4Gi"]),
    }
    # What no other has: that much of a real one cannot be packed.
    own = random.Random(number)  # noqa: S311
    container["image"] += f"@sha256:{own.randbytes(32).hex()}"
    manifest["metadata"]["annotations"]["example.com/commit"] = own.randbytes(20).hex()
    name = str(manifest["metadata"]["name"])
    return ObjectKey("apps", "deployments", namespace, name), manifest
