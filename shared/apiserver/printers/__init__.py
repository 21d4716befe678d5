"""Server-side printing: the columns of each built-in kind, as kube-apiserver prints them.

A kind that is not here shows its name and when it was created.
"""

from collections.abc import Mapping

from shared.apiserver.kinds import Column, RowConditions, RowOrder
from shared.apiserver.printers import access, cluster, network, pods, storage, workloads
from shared.apiserver.printers.cells import AGE_ONLY, dig

_ADMISSION = "admissionregistration.k8s.io"
_AUTOSCALING = "autoscaling"
_FLOW = "flowcontrol.apiserver.k8s.io"
_NETWORKING = "networking.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_RESOURCE = "resource.k8s.io"
_STORAGE = "storage.k8s.io"

_COLUMNS: Mapping[tuple[str, str], tuple[Column, ...]] = {
    ("", "ConfigMap"): cluster.CONFIG_MAP,
    ("", "Endpoints"): network.ENDPOINTS,
    ("", "Event"): cluster.EVENT,
    ("", "Namespace"): cluster.NAMESPACE,
    ("", "Node"): cluster.NODE,
    ("", "PersistentVolume"): storage.VOLUME,
    ("", "PersistentVolumeClaim"): storage.VOLUME_CLAIM,
    ("", "Pod"): pods.POD,
    ("", "PodTemplate"): workloads.POD_TEMPLATE,
    ("", "ReplicationController"): workloads.REPLICATION_CONTROLLER,
    ("", "ResourceQuota"): cluster.RESOURCE_QUOTA,
    ("", "Secret"): cluster.SECRET,
    ("", "Service"): network.SERVICE,
    ("", "ServiceAccount"): AGE_ONLY,
    ("apiregistration.k8s.io", "APIService"): access.API_SERVICE,
    ("apps", "ControllerRevision"): workloads.CONTROLLER_REVISION,
    ("apps", "DaemonSet"): workloads.DAEMON_SET,
    ("apps", "Deployment"): workloads.DEPLOYMENT,
    ("apps", "ReplicaSet"): workloads.REPLICA_SET,
    ("apps", "StatefulSet"): workloads.STATEFUL_SET,
    ("batch", "CronJob"): workloads.CRON_JOB,
    ("batch", "Job"): workloads.JOB,
    ("certificates.k8s.io", "CertificateSigningRequest"): access.SIGNING_REQUEST,
    ("coordination.k8s.io", "Lease"): cluster.LEASE,
    ("discovery.k8s.io", "EndpointSlice"): network.ENDPOINT_SLICE,
    ("events.k8s.io", "Event"): cluster.EVENT,
    ("node.k8s.io", "RuntimeClass"): cluster.RUNTIME_CLASS,
    ("policy", "PodDisruptionBudget"): workloads.DISRUPTION_BUDGET,
    ("scheduling.k8s.io", "PriorityClass"): cluster.PRIORITY_CLASS,
    (_ADMISSION, "MutatingAdmissionPolicy"): access.MUTATION_POLICY,
    (_ADMISSION, "MutatingAdmissionPolicyBinding"): access.ADMISSION_POLICY_BINDING,
    (_ADMISSION, "MutatingWebhookConfiguration"): access.WEBHOOK_CONFIGURATION,
    (_ADMISSION, "ValidatingAdmissionPolicy"): access.ADMISSION_POLICY,
    (_ADMISSION, "ValidatingAdmissionPolicyBinding"): access.ADMISSION_POLICY_BINDING,
    (_ADMISSION, "ValidatingWebhookConfiguration"): access.WEBHOOK_CONFIGURATION,
    (_AUTOSCALING, "HorizontalPodAutoscaler"): workloads.AUTOSCALER,
    (_FLOW, "FlowSchema"): access.FLOW_SCHEMA,
    (_FLOW, "PriorityLevelConfiguration"): access.PRIORITY_LEVEL,
    (_NETWORKING, "IPAddress"): network.IP_ADDRESS,
    (_NETWORKING, "Ingress"): network.INGRESS,
    (_NETWORKING, "IngressClass"): network.INGRESS_CLASS,
    (_NETWORKING, "NetworkPolicy"): network.NETWORK_POLICY,
    (_NETWORKING, "ServiceCIDR"): network.SERVICE_CIDR,
    (_RBAC, "ClusterRoleBinding"): access.BINDING,
    (_RBAC, "RoleBinding"): access.BINDING,
    (_RESOURCE, "DeviceClass"): AGE_ONLY,
    (_RESOURCE, "ResourceClaim"): storage.RESOURCE_CLAIM,
    (_RESOURCE, "ResourceClaimTemplate"): AGE_ONLY,
    (_RESOURCE, "ResourceSlice"): storage.RESOURCE_SLICE,
    (_STORAGE, "CSIDriver"): storage.CSI_DRIVER,
    (_STORAGE, "CSINode"): storage.CSI_NODE,
    (_STORAGE, "StorageClass"): storage.STORAGE_CLASS,
    (_STORAGE, "VolumeAttachment"): storage.VOLUME_ATTACHMENT,
    (_STORAGE, "VolumeAttributesClass"): storage.VOLUME_ATTRIBUTES_CLASS,
}
# The moment itself: a client that knows the type shows it as it likes.
_CREATED_AT = (
    Column(
        name="Created At",
        type="date",
        cell=lambda manifest, _: dig(manifest, "metadata", "creationTimestamp"),
    ),
)


_FLOW_SCHEMA = (_FLOW, "FlowSchema")
_POD = ("", "Pod")


def row_conditions_of(group: str, kind: str) -> RowConditions | None:
    """Return what a row says of its whole object: of a pod, that it is over."""
    return pods.row_conditions if (group, kind) == _POD else None


def row_order_of(group: str, kind: str) -> RowOrder | None:
    """Return the key by which a list is printed, where that is not its own order."""
    return access.precedence if (group, kind) == _FLOW_SCHEMA else None


def columns_of(group: str, kind: str) -> tuple[Column, ...]:
    """Return the columns of a built-in kind; NAME comes first unless the kind has its own."""
    return _COLUMNS.get((group, kind), _CREATED_AT)
