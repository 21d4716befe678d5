"""Rules for ClusterGroup beyond its schema. Pure."""

from shared.api.cluster_group import ClusterGroup
from shared.apiserver.names import check_label
from shared.apiserver.rules.quotas import check_group_quota
from shared.apiserver.rules.selection import check_affinity, wrong
from shared.errors import FieldError


def check_group(group: ClusterGroup) -> list[FieldError]:
    faults: list[FieldError] = []
    if why := check_label(group.metadata.name):
        faults.append(wrong("metadata.name", group.metadata.name, why))
    faults += check_affinity(group.spec, "spec")
    for index, name in enumerate(group.spec.namespaces):
        if why := check_label(name):
            faults.append(wrong(f"spec.namespaces[{index}]", name, why))
    faults += check_group_quota(group.spec.quota, "spec.quota")
    return faults
