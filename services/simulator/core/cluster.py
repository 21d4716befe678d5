"""What a new cluster has before anyone uses it: nodes, namespaces, a storage class.

And what every namespace gets: its default service account and the cluster's certificate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.simulator.core.fields import entries, is_deleting, section, with_spec, with_status
from services.simulator.core.plan import (
    CONFIG_MAPS,
    NAMESPACES,
    NODES,
    SERVICE_ACCOUNTS,
    SERVICES,
    STORAGE_CLASSES,
    Create,
    Replace,
    Write,
)
from services.simulator.core.status import condition, set_condition
from shared.apimachinery.manifest import Manifest, name_of

SYSTEM_NAMESPACES = ("kube-system", "default", "kube-public", "kube-node-lease")
ROOT_CERTIFICATE = "kube-root-ca.crt"
UNREACHABLE = "node.kubernetes.io/unreachable"
_DESCRIPTION = (
    "The certificate by which pods verify the API server inside the cluster; other uses are not "
    "promised."
)


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


def make_namespace(name: str, uid: str = "") -> Manifest:
    """Return a namespace; with *uid* where it must be the same after a restart."""
    metadata: dict[str, Any] = {"name": name, "labels": {"kubernetes.io/metadata.name": name}}
    if uid:
        metadata["uid"] = uid
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": metadata,
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def first_objects(
    nodes: Sequence[Manifest], identity: str, api_address: str, api_port: int
) -> list[Write]:
    """Return what the cluster starts with. *identity* is the uid of `kube-system`."""
    writes: list[Write] = [
        Create(NAMESPACES, make_namespace(name, identity if name == "kube-system" else ""))
        for name in SYSTEM_NAMESPACES
    ]
    writes.extend(Create(NODES, node) for node in nodes)
    writes.append(
        Create(
            STORAGE_CLASSES,
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": "standard",
                    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
                },
                "provisioner": "simulated.hanse.dev/disk",
                "reclaimPolicy": "Delete",
                "volumeBindingMode": "Immediate",
            },
        )
    )
    port = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": api_port}
    writes.append(
        Create(
            SERVICES,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    "name": "kubernetes",
                    "namespace": "default",
                    "labels": {"component": "apiserver", "provider": "kubernetes"},
                },
                "spec": {
                    "clusterIP": api_address,
                    "clusterIPs": [api_address],
                    "internalTrafficPolicy": "Cluster",
                    "ipFamilies": ["IPv4"],
                    "ipFamilyPolicy": "SingleStack",
                    "ports": [port],
                    "sessionAffinity": "None",
                    "type": "ClusterIP",
                },
                "status": {"loadBalancer": {}},
            },
        )
    )
    return writes


def furnish_namespace(
    namespace: Manifest, account: Manifest | None, bundle: Manifest | None, certificate: str
) -> list[Write]:
    """Give a namespace its default service account and the certificate, again if they are gone."""
    if is_deleting(namespace):
        return []
    name = name_of(namespace)
    writes: list[Write] = []
    if account is None:
        metadata: dict[str, Any] = {"name": "default", "namespace": name}
        new = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        writes.append(Create(SERVICE_ACCOUNTS, new))
    if bundle is None:
        metadata = {
            "name": ROOT_CERTIFICATE,
            "namespace": name,
            "annotations": {"kubernetes.io/description": _DESCRIPTION},
        }
        data = {"ca.crt": certificate}
        new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        writes.append(Create(CONFIG_MAPS, new))
    elif section(bundle, "data").get("ca.crt") != certificate:
        writes.append(Replace(CONFIG_MAPS, bundle, {**bundle, "data": {"ca.crt": certificate}}))
    return writes
