"""What a new cluster has before anyone uses it: nodes, namespaces, a storage class.

And what every namespace gets: its default service account and the cluster's certificate.
"""

from collections.abc import Sequence
from typing import Any

from services.simulator.core.fields import is_deleting, section
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
from shared.apimachinery.manifest import Manifest, name_of

SYSTEM_NAMESPACES = ("kube-system", "default", "kube-public", "kube-node-lease")
ROOT_CERTIFICATE = "kube-root-ca.crt"
_DESCRIPTION = (
    "The certificate by which pods verify the API server inside the cluster; other uses are not "
    "promised."
)


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
    return [
        *(
            Create(NAMESPACES, make_namespace(name, identity if name == "kube-system" else ""))
            for name in SYSTEM_NAMESPACES
        ),
        *(Create(NODES, node) for node in nodes),
        Create(STORAGE_CLASSES, _storage_class()),
        Create(SERVICES, _api_service(api_address, api_port)),
    ]


def _storage_class() -> Manifest:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "simulated.hanse.dev/disk",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def _api_service(address: str, port: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": address,
            "clusterIPs": [address],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
        "status": {"loadBalancer": {}},
    }


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
