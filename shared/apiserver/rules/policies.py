"""Rules for PropagationPolicy and ClusterPropagationPolicy beyond their schema. Pure."""

from collections.abc import Iterable

from shared.api.policy import (
    Placement,
    PropagationPolicy,
    ReplicaLimit,
    ReplicaScheduling,
    Toleration,
    WeightPreference,
)
from shared.apiserver.rules.ownership import check_drift, check_replica_ownership
from shared.apiserver.rules.rollouts import check_strategy
from shared.apiserver.rules.selection import (
    check_affinity,
    check_resource_selectors,
    forbidden,
    required,
    wrong,
)
from shared.errors import FieldError

_PLACEMENT = "spec.placement"
_REPLICAS = f"{_PLACEMENT}.replicaScheduling"


def check_policy(policy: PropagationPolicy) -> list[FieldError]:
    spec = policy.spec
    faults: list[FieldError] = []
    if not spec.resource_selectors:
        faults.append(required("spec.resourceSelectors", "a policy must select something"))
    faults += check_resource_selectors(
        spec.resource_selectors, "spec.resourceSelectors", policy.metadata.namespace
    )
    faults += _check_placement(spec.placement)
    faults += check_replica_ownership(spec.replica_ownership, "spec.replicaOwnership")
    faults += check_drift(spec.drift, "spec.drift")
    faults += check_strategy(spec.rollout, "spec.rollout")
    return faults


def _check_placement(placement: Placement) -> Iterable[FieldError]:
    yield from check_affinity(placement.cluster_affinity, f"{_PLACEMENT}.clusterAffinity")
    for index, toleration in enumerate(placement.cluster_tolerations):
        yield from _check_toleration(toleration, f"{_PLACEMENT}.clusterTolerations[{index}]")
    if placement.replica_scheduling is not None:
        yield from _check_replicas(placement.replica_scheduling)


def _check_toleration(toleration: Toleration, path: str) -> Iterable[FieldError]:
    if not toleration.key and toleration.operator != "Exists":
        yield wrong(f"{path}.operator", toleration.operator, "must be Exists when key is empty")
    if toleration.operator == "Exists" and toleration.value:
        yield wrong(f"{path}.value", toleration.value, "must be empty when operator is Exists")
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        yield wrong(f"{path}.effect", toleration.effect, "must be NoExecute with tolerationSeconds")


def _check_replicas(scheduling: ReplicaScheduling) -> Iterable[FieldError]:
    preference = scheduling.weight_preference
    if preference is not None:
        if scheduling.replica_scheduling_type == "Duplicated":
            yield forbidden(f"{_REPLICAS}.weightPreference", "replicas are Duplicated, not Divided")
        yield from _check_weights(preference, f"{_REPLICAS}.weightPreference")
    for index, limit in enumerate(scheduling.replica_limits):
        yield from _check_limit(limit, f"{_REPLICAS}.replicaLimits[{index}]")


def _check_weights(preference: WeightPreference, path: str) -> Iterable[FieldError]:
    weights = preference.static_weight_list
    for index, one in enumerate(weights):
        where = f"{path}.staticWeightList[{index}]"
        if one.weight < 0:
            yield wrong(f"{where}.weight", one.weight, "must be 0 or more")
        yield from check_affinity(one.target_cluster, f"{where}.targetCluster")
    if preference.dynamic_weight:
        return
    if not weights:
        yield required(f"{path}.staticWeightList", "weights, or dynamicWeight")
    elif all(one.weight == 0 for one in weights):
        where = f"{path}.staticWeightList"
        yield wrong(where, "[0, ...]", "at least one weight must be above 0")


def _check_limit(limit: ReplicaLimit, path: str) -> Iterable[FieldError]:
    yield from check_affinity(limit.target_cluster, f"{path}.targetCluster")
    if limit.min_replicas < 0:
        yield wrong(f"{path}.minReplicas", limit.min_replicas, "must be 0 or more")
    if limit.max_replicas is None:
        return
    if limit.max_replicas < 0:
        yield wrong(f"{path}.maxReplicas", limit.max_replicas, "must be 0 or more")
    elif limit.max_replicas < limit.min_replicas:
        why = f"must not be below minReplicas ({limit.min_replicas})"
        yield wrong(f"{path}.maxReplicas", limit.max_replicas, why)
