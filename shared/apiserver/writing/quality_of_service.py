"""How a node may treat a pod that it has too little room for: read from what the pod asks for.

Source: `k8s.io/kubernetes/pkg/apis/core/helper/qos` (ComputePodQOS).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from shared.apimachinery.defaults import with_defaults
from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apimachinery.parts import entries, section
from shared.apimachinery.quantity import parse_quantity

PODS = GroupResource("", "pods")
_COUNTED = ("cpu", "memory")
Amounts = dict[str, Decimal]


def with_quality_of_service(new: Manifest) -> Manifest:
    """Return a new, valid pod with `status.qosClass`, which stays as long as the pod."""
    spec = section(with_defaults(PODS, new), "spec")
    return {**new, "status": {**section(new, "status"), "qosClass": quality_of_service(spec)}}


def quality_of_service(spec: Mapping[str, Any]) -> str:
    """*spec* has its defaults: what is not requested is requested up to its limit."""
    whole = section(spec, "resources")
    asking = [spec] if whole else [*entries(spec, "containers"), *entries(spec, "initContainers")]
    requests = _sum(section(one, "resources", "requests") for one in asking)
    limits = _sum(section(one, "resources", "limits") for one in asking)
    if not requests and not limits:
        return "BestEffort"
    bounded = all(
        len(_amounts(section(one, "resources", "limits"))) == len(_COUNTED) for one in asking
    )
    return "Guaranteed" if bounded and requests == limits else "Burstable"


def _amounts(found: Mapping[str, Any]) -> Amounts:
    amounts = {name: parse_quantity(found[name] or 0) for name in _COUNTED if name in found}
    return {name: amount for name, amount in amounts.items() if amount > 0}


def _sum(lists: Iterable[Mapping[str, Any]]) -> Amounts:
    total: Amounts = {}
    for one in lists:
        for name, amount in _amounts(one).items():
            total[name] = total.get(name, Decimal(0)) + amount
    return total
