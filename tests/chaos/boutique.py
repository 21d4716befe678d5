"""The load of the chaos tests: a real shop where its manifests are at hand, else one like it."""

from pathlib import Path
from typing import Any

import yaml

from shared.apimachinery.manifest import Manifest

DATA = Path(__file__).parents[3] / "shared" / "data" / "online-boutique.yaml"
NAMESPACE = "default"
POLICY: Manifest = {
    "apiVersion": "hanse.dev/v1alpha1",
    "kind": "ClusterPropagationPolicy",
    "metadata": {"name": "everything"},
    "spec": {
        "resourceSelectors": [{"apiVersion": "*", "kind": "*"}],
        "placement": {"replicaScheduling": {"replicaSchedulingType": "Duplicated"}},
    },
}


def manifests() -> list[Manifest]:
    """Deployments, Services and ServiceAccounts, each with its namespace."""
    found = list(yaml.safe_load_all(DATA.read_text())) if DATA.exists() else _alike()
    shop = [each for each in found if each]
    for each in shop:
        each["metadata"].setdefault("namespace", NAMESPACE)
    return shop


def rolled_out(shop: list[Manifest], revision: int) -> list[Manifest]:
    """The same shop with another image everywhere."""
    changed = []
    for each in shop:
        if each["kind"] == "Deployment":
            spec: dict[str, Any] = each["spec"]["template"]["spec"]
            for container in spec["containers"]:
                image = container["image"].rpartition(":")[0] or container["image"]
                container["image"] = f"{image}:r{revision}"
        changed.append(each)
    return changed


def _alike() -> list[Manifest]:
    names = [f"part-{number}" for number in range(12)]
    return [each for name in names for each in _part(name)]


def _part(name: str) -> list[Manifest]:
    labels = {"app": name}
    container = {
        "name": "server",
        "image": f"registry.example/{name}:v1",
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {"serviceAccountName": name, "containers": [container]},
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
    ]
