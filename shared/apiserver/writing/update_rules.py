"""What differs from kind to kind in a PUT: whether it may create, and must name a version.

Source: `AllowCreateOnUpdate` and `AllowUnconditionalUpdate` of the strategies in kube-apiserver.
"""

from shared.apimachinery.manifest import GroupResource
from shared.apiserver.kinds import ResourceKind

_RBAC = "rbac.authorization.k8s.io"

CREATED_BY_UPDATE = frozenset(
    {
        GroupResource("", "endpoints"),
        GroupResource("", "events"),
        GroupResource("", "limitranges"),
        GroupResource("", "services"),
        GroupResource("coordination.k8s.io", "leasecandidates"),
        GroupResource("coordination.k8s.io", "leases"),
        GroupResource("events.k8s.io", "events"),
        GroupResource("node.k8s.io", "runtimeclasses"),
        GroupResource(_RBAC, "clusterrolebindings"),
        GroupResource(_RBAC, "clusterroles"),
        GroupResource(_RBAC, "rolebindings"),
        GroupResource(_RBAC, "roles"),
    }
)
_NEEDING_VERSION = frozenset(
    {
        GroupResource("apiextensions.k8s.io", "customresourcedefinitions"),
        GroupResource("apiregistration.k8s.io", "apiservices"),
        GroupResource("certificates.k8s.io", "clustertrustbundles"),
        GroupResource("coordination.k8s.io", "leasecandidates"),
        GroupResource("coordination.k8s.io", "leases"),
        GroupResource("node.k8s.io", "runtimeclasses"),
        GroupResource("policy", "poddisruptionbudgets"),
        GroupResource("storage.k8s.io", "csidrivers"),
        GroupResource("storage.k8s.io", "csinodes"),
        GroupResource("storage.k8s.io", "csistoragecapacities"),
        GroupResource("storage.k8s.io", "volumeattachments"),
    }
)
_ADMISSION = "admissionregistration.k8s.io"


def needs_version(kind: ResourceKind) -> bool:
    """Whether an update of *kind* without resourceVersion is refused rather than unconditional."""
    return kind.custom or kind.gvk.group == _ADMISSION or kind.group_resource in _NEEDING_VERSION
