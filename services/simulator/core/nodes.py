"""Nodes: as their kubelets register them, cordoned, silent, and answering again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.simulator.core.fields import entries, section, with_spec, with_status
from services.simulator.core.status import condition, set_condition
from shared.apimachinery.manifest import Manifest

UNREACHABLE = "node.kubernetes.io/unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShape:
    """What every node of the cluster is like; quantities as Kubernetes writes them."""

    cpu: str
    memory: str
    pods: int
    region: str
    zone: str
    provider: str
    cluster: str
    version: str


def make_node(name: str, number: int, shape: NodeShape, now: str) -> Manifest:
    """Return node *number* (from 1) as its kubelet registers it."""
    resources = {
        "cpu": shape.cpu,
        "memory": shape.memory,
        "pods": str(shape.pods),
        "ephemeral-storage": "100Gi",
    }
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "simulated",
    }
    if shape.region:
        labels["topology.kubernetes.io/region"] = shape.region
    if shape.zone:
        labels["topology.kubernetes.io/zone"] = shape.zone
    node: Manifest = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": f"{shape.provider or 'simulated'}://{shape.cluster}/{name}"},
        "status": {
            "capacity": resources,
            "allocatable": dict(resources),
            "addresses": [
                {"type": "InternalIP", "address": f"172.16.{number // 250}.{number % 250 + 1}"},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "kubeletVersion": shape.version,
                "kubeProxyVersion": shape.version,
                "containerRuntimeVersion": "simulated://1",
                "kernelVersion": "simulated",
                "osImage": "simulated",
                "machineID": f"{shape.cluster}-{name}",
                "systemUUID": f"{shape.cluster}-{name}",
                "bootID": f"{shape.cluster}-{name}",
            },
        },
    }
    return node_answering(node, now)


_PRESSURES = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}


def node_answering(node: Manifest, now: str) -> Manifest:
    """Return the node Ready and without the taints of an unreachable one."""
    status = section(node, "status")
    conditions: list[Any] = list(entries(status, "conditions"))
    wanted = [condition(kind, False, *why, now) for kind, why in _PRESSURES.items()]
    wanted.append(condition("Ready", True, "KubeletReady", "kubelet is posting ready status", now))
    for one in wanted:
        conditions = set_condition(conditions, {**one, "lastHeartbeatTime": now})
    changed = with_status(node, {**status, "conditions": conditions})
    return _with_taints(
        changed,
        [one for one in entries(section(node, "spec"), "taints") if one["key"] != UNREACHABLE],
    )


def node_silent(node: Manifest, now: str) -> Manifest:
    """Return the node as the node controller marks it when its kubelet has fallen silent."""
    status = section(node, "status")
    conditions: list[Any] = list(entries(status, "conditions"))
    for kind in (*_PRESSURES, "Ready"):
        one = condition(
            kind, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.", now
        )
        conditions = set_condition(conditions, {**one, "lastHeartbeatTime": now})
    changed = with_status(node, {**status, "conditions": conditions})
    taints = [one for one in entries(section(node, "spec"), "taints") if one["key"] != UNREACHABLE]
    for effect in ("NoSchedule", "NoExecute"):
        taints = [*taints, {"key": UNREACHABLE, "effect": effect, "timeAdded": now}]
    return _with_taints(changed, taints)


def _with_taints(node: Manifest, taints: Sequence[Any]) -> Manifest:
    if list(taints) == list(entries(section(node, "spec"), "taints")):
        return node
    changed = with_spec(node, taints=list(taints))
    if not taints:
        del changed["spec"]["taints"]
    return changed


def cordoned(node: Manifest, *, unschedulable: bool) -> Manifest:
    """Return the node as `kubectl cordon` and `uncordon` leave it."""
    if bool(section(node, "spec").get("unschedulable")) == unschedulable:
        return node
    changed = with_spec(node, unschedulable=True)
    if not unschedulable:
        del changed["spec"]["unschedulable"]
    return changed
