"""What a built-in kind asks of its contents beyond types: ranges, names, parts that must fit.

A member would refuse such an object anyway, minutes later and in the name of Hanse; here its author
hears of it at once. The rules are those of `k8s.io/kubernetes/pkg/apis/*/validation` (1.36), and
judge what a cluster would store, with its defaults. Rare kinds and sources of volumes have no rules
here beyond their schema: what passes may still be refused by a member, and is reported then.
"""

from collections.abc import Callable, Iterable, Mapping

from shared.apimachinery.defaults import with_defaults
from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apiserver.semantics.access import (
    judge_cluster_role,
    judge_cluster_role_binding,
    judge_role,
    judge_role_binding,
)
from shared.apiserver.semantics.bounds import judge_limit_range, judge_quota
from shared.apiserver.semantics.changes import judge_beginning, judge_change
from shared.apiserver.semantics.claims import judge_claim
from shared.apiserver.semantics.classes import judge_priority_class, judge_runtime_class
from shared.apiserver.semantics.configuration import judge_config_map, judge_secret
from shared.apiserver.semantics.drivers import (
    judge_attachment,
    judge_csi_driver,
    judge_csi_node,
    judge_storage_capacity,
)
from shared.apiserver.semantics.endpoints import judge_endpoint_slice, judge_endpoints
from shared.apiserver.semantics.events import judge_event
from shared.apiserver.semantics.ingress import judge_ingress, judge_ingress_class
from shared.apiserver.semantics.jobs import judge_cron_job, judge_job
from shared.apiserver.semantics.namespaces import judge_namespace
from shared.apiserver.semantics.network import judge_service
from shared.apiserver.semantics.nodes import judge_lease, judge_node
from shared.apiserver.semantics.pods import judge_pod
from shared.apiserver.semantics.policies import judge_network_policy
from shared.apiserver.semantics.scaling import judge_autoscaler, judge_budget
from shared.apiserver.semantics.storage import judge_storage_class, judge_volume
from shared.apiserver.semantics.workloads import (
    judge_daemon_set,
    judge_deployment,
    judge_pod_template,
    judge_replica_set,
    judge_replication_controller,
    judge_revision,
    judge_stateful_set,
)
from shared.errors import FieldError

Judge = Callable[[Manifest], Iterable[FieldError]]
_RBAC = "rbac.authorization.k8s.io"
_STORAGE = "storage.k8s.io"

_JUDGES: Mapping[GroupResource, Judge] = {
    GroupResource("", "configmaps"): judge_config_map,
    GroupResource("", "endpoints"): judge_endpoints,
    GroupResource("", "events"): judge_event,
    GroupResource("", "limitranges"): judge_limit_range,
    GroupResource("", "namespaces"): judge_namespace,
    GroupResource("", "nodes"): judge_node,
    GroupResource("", "persistentvolumeclaims"): judge_claim,
    GroupResource("", "persistentvolumes"): judge_volume,
    GroupResource("", "pods"): judge_pod,
    GroupResource("", "podtemplates"): judge_pod_template,
    GroupResource("", "replicationcontrollers"): judge_replication_controller,
    GroupResource("", "resourcequotas"): judge_quota,
    GroupResource("", "secrets"): judge_secret,
    GroupResource("", "services"): judge_service,
    GroupResource("apps", "controllerrevisions"): judge_revision,
    GroupResource("apps", "daemonsets"): judge_daemon_set,
    GroupResource("apps", "deployments"): judge_deployment,
    GroupResource("apps", "replicasets"): judge_replica_set,
    GroupResource("apps", "statefulsets"): judge_stateful_set,
    GroupResource("autoscaling", "horizontalpodautoscalers"): judge_autoscaler,
    GroupResource("batch", "cronjobs"): judge_cron_job,
    GroupResource("batch", "jobs"): judge_job,
    GroupResource("coordination.k8s.io", "leases"): judge_lease,
    GroupResource("discovery.k8s.io", "endpointslices"): judge_endpoint_slice,
    GroupResource("events.k8s.io", "events"): judge_event,
    GroupResource("networking.k8s.io", "ingressclasses"): judge_ingress_class,
    GroupResource("networking.k8s.io", "ingresses"): judge_ingress,
    GroupResource("networking.k8s.io", "networkpolicies"): judge_network_policy,
    GroupResource("node.k8s.io", "runtimeclasses"): judge_runtime_class,
    GroupResource("policy", "poddisruptionbudgets"): judge_budget,
    GroupResource(_RBAC, "clusterrolebindings"): judge_cluster_role_binding,
    GroupResource(_RBAC, "clusterroles"): judge_cluster_role,
    GroupResource(_RBAC, "rolebindings"): judge_role_binding,
    GroupResource(_RBAC, "roles"): judge_role,
    GroupResource("scheduling.k8s.io", "priorityclasses"): judge_priority_class,
    GroupResource(_STORAGE, "csidrivers"): judge_csi_driver,
    GroupResource(_STORAGE, "csinodes"): judge_csi_node,
    GroupResource(_STORAGE, "csistoragecapacities"): judge_storage_capacity,
    GroupResource(_STORAGE, "storageclasses"): judge_storage_class,
    GroupResource(_STORAGE, "volumeattachments"): judge_attachment,
}
_NOT_JUDGED = frozenset({"apiVersion", "kind", "metadata", "status"})


def has_rules(resource: GroupResource) -> bool:
    """Whether the contents are judged here, fields that must be there among them."""
    return resource in _JUDGES


def judge(
    resource: GroupResource, old: Manifest | None, new: Manifest, part: str = ""
) -> list[FieldError]:
    """Return what is wrong with *new*, whose types its schema has judged already.

    *part*: the subresource through which it is written, which may allow other changes.
    Contents that are as they were in *old* are not judged again.
    """
    rules = _JUDGES.get(resource)
    if rules is None:
        return []
    full = with_defaults(resource, new)
    if old is None:
        return [*rules(full), *judge_beginning(resource, full)]
    if all(old.get(part) == new.get(part) for part in {*old, *new} - _NOT_JUDGED):
        return []
    return [*rules(full), *judge_change(resource, with_defaults(resource, old), full, part)]
