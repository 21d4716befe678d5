"""What a writer of status may change of an object's metadata, by kind.

Of the older built-in kinds labels, annotations, finalizers and owners may come with the status, and
controllers make use of that; newer ones and custom ones keep them as they are. Source: the status
strategies of `k8s.io/kubernetes/pkg/registry`.
"""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.manifest import GroupResource
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.life.marks import NAMESPACES

_PARTS = frozenset({"labels", "annotations", "finalizers", "ownerReferences"})
_DEPLOYMENTS = GroupResource("apps", "deployments")
_PODS = GroupResource("", "pods")
_OPEN = {
    NAMESPACES,
    _PODS,
    _DEPLOYMENTS,
    GroupResource("", "nodes"),
    GroupResource("", "persistentvolumeclaims"),
    GroupResource("", "persistentvolumes"),
    GroupResource("", "replicationcontrollers"),
    GroupResource("", "resourcequotas"),
    GroupResource("", "services"),
    GroupResource("apps", "daemonsets"),
    GroupResource("apps", "replicasets"),
    GroupResource("apps", "statefulsets"),
    GroupResource("autoscaling", "horizontalpodautoscalers"),
    GroupResource("batch", "cronjobs"),
    GroupResource("batch", "jobs"),
    GroupResource("certificates.k8s.io", "certificatesigningrequests"),
    GroupResource("networking.k8s.io", "ingresses"),
    GroupResource("policy", "poddisruptionbudgets"),
}
_KEPT = {_DEPLOYMENTS: {"labels"}, _PODS: {"ownerReferences"}}
_WRITABLE = {resource: _PARTS - _KEPT.get(resource, set()) for resource in _OPEN}


def metadata_with_status(
    kind: ResourceKind, before: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the metadata *before*, with what of the *given* one comes with a status."""
    found = dict(before)
    for part in _WRITABLE.get(kind.group_resource, ()):
        if given.get(part):
            found[part] = given[part]
        else:
            found.pop(part, None)
    if given.get("managedFields"):
        found["managedFields"] = given["managedFields"]
    return found
