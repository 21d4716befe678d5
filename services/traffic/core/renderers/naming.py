"""Names and labels of what is rendered, the same in every form."""

import hashlib

from shared.apimachinery.manifest import Manifest
from shared.events.traffic import TrafficPlan

MANAGED_BY = "app.kubernetes.io/managed-by"
POLICY_LABEL = "hanse.dev/traffic-policy"
SOURCE_CLUSTER = "multicluster.kubernetes.io/source-cluster"
_NAME_MAX = 63


def backend_name(service: str, cluster: str) -> str:
    """`shop-eu-1`: of the Service that stands for one cluster's share.

    A digest stands for the end of a name that would be too long for a Service.
    """
    plain = f"{service}-{cluster}"
    if len(plain) <= _NAME_MAX:
        return plain
    digest = hashlib.sha256(f"{service}/{cluster}".encode()).hexdigest()[:10]
    return f"{plain[: _NAME_MAX - 11].rstrip('-')}-{digest}"


def metadata(plan: TrafficPlan, name: str, **labels: str) -> Manifest:
    """Metadata of an object of *plan*; *labels* by their names with `__` for the parts."""
    policy = plan.policy[:63].rstrip("-.")
    return {
        "name": name,
        "namespace": plan.namespace,
        "labels": {MANAGED_BY: "hanse", POLICY_LABEL: policy, **labels},
    }
