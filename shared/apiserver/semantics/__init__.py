"""What a built-in kind asks of its contents beyond types: ranges, names, parts that must fit.

A member would refuse such an object anyway, minutes later and in the name of Hanse; here its author
hears of it at once. The rules are those of `k8s.io/kubernetes/pkg/apis/*/validation` that people
run into, not all of them: what passes may still be refused by a member, and is reported then.
"""

from collections.abc import Callable, Mapping

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apiserver.semantics.configuration import judge_claim, judge_data
from shared.apiserver.semantics.network import judge_ingress, judge_service
from shared.apiserver.semantics.pods import judge_pod
from shared.apiserver.semantics.scaling import judge_autoscaler, judge_budget
from shared.apiserver.semantics.workloads import (
    judge_cron_job,
    judge_daemon_set,
    judge_deployment,
    judge_job,
    judge_replica_set,
    judge_stateful_set,
)
from shared.errors import FieldError

Judge = Callable[[Manifest], list[FieldError]]

_JUDGES: Mapping[GroupResource, Judge] = {
    GroupResource("", "configmaps"): judge_data,
    GroupResource("", "persistentvolumeclaims"): judge_claim,
    GroupResource("", "pods"): judge_pod,
    GroupResource("", "secrets"): judge_data,
    GroupResource("", "services"): judge_service,
    GroupResource("apps", "daemonsets"): judge_daemon_set,
    GroupResource("apps", "deployments"): judge_deployment,
    GroupResource("apps", "replicasets"): judge_replica_set,
    GroupResource("apps", "statefulsets"): judge_stateful_set,
    GroupResource("autoscaling", "horizontalpodautoscalers"): judge_autoscaler,
    GroupResource("batch", "cronjobs"): judge_cron_job,
    GroupResource("batch", "jobs"): judge_job,
    GroupResource("networking.k8s.io", "ingresses"): judge_ingress,
    GroupResource("policy", "poddisruptionbudgets"): judge_budget,
}
_PARTS = ("spec", "data", "binaryData")


def judge(resource: GroupResource, old: Manifest | None, new: Manifest) -> list[FieldError]:
    """Return what is wrong with *new*, whose types its schema has judged already.

    Contents that are as they were in *old* are not judged again.
    """
    rules = _JUDGES.get(resource)
    if rules is None:
        return []
    if old is not None and all(old.get(part) == new.get(part) for part in _PARTS):
        return []
    return rules(new)
