"""Rules for placements beyond their schema: what contradicts itself, or could never hold. Pure."""

from collections.abc import Iterable, Sequence

from shared.api.placement import (
    Placement,
    PlacementAffinity,
    ReplicaLimit,
    ReplicaScheduling,
    SpreadConstraint,
    Toleration,
    WeightPreference,
    WorkloadAffinity,
)
from shared.apimachinery.cel.expression import Expression, ExpressionFailed
from shared.apimachinery.selectors import check_label_key, check_label_value
from shared.apiserver.rules.scores import check_origin, check_plugins, check_scores
from shared.apiserver.rules.selection import check_affinity, forbidden, required, wrong
from shared.errors import FieldError

_PREFERENCE_MAX = 100
_SKEW_MAX = 1_000
_SOLVE_SECONDS_MAX = 60
_GATHER_SECONDS_MAX = 60
_NAME_MAX = 32


def check_placement(placement: Placement, path: str) -> Iterable[FieldError]:
    yield from check_placement_affinity(placement.cluster_affinity, f"{path}.clusterAffinity")
    yield from _check_groups(placement, path)
    for index, one in enumerate(placement.preferred_cluster_affinities):
        where = f"{path}.preferredClusterAffinities[{index}]"
        if not 1 <= one.weight <= _PREFERENCE_MAX:
            yield wrong(f"{where}.weight", one.weight, f"must be between 1 and {_PREFERENCE_MAX}")
        yield from check_placement_affinity(one.preference, f"{where}.preference")
    yield from check_scores(placement.scores, f"{path}.scores")
    yield from check_plugins(placement.plugins, f"{path}.plugins")
    for index, toleration in enumerate(placement.cluster_tolerations):
        yield from _check_toleration(toleration, f"{path}.clusterTolerations[{index}]")
    yield from _check_spread(placement, f"{path}.spreadConstraints")
    if placement.workload_affinity is not None:
        yield from _check_company(placement.workload_affinity, f"{path}.workloadAffinity")
    if placement.replica_scheduling is not None:
        yield from _check_replicas(placement.replica_scheduling, f"{path}.replicaScheduling")
    if placement.optimise is not None:
        yield from _check_optimise(placement, f"{path}.optimise")


def _check_optimise(placement: Placement, path: str) -> Iterable[FieldError]:
    rules, optimise = placement.replica_scheduling, placement.optimise
    assert optimise is not None, "only that is checked"
    if not 1 <= optimise.time_limit_seconds <= _SOLVE_SECONDS_MAX:
        where, limit = f"{path}.timeLimitSeconds", optimise.time_limit_seconds
        yield wrong(where, limit, f"must be between 1 and {_SOLVE_SECONDS_MAX}")
    if not 0 <= optimise.gather_seconds <= _GATHER_SECONDS_MAX:
        where, limit = f"{path}.gatherSeconds", optimise.gather_seconds
        yield wrong(where, limit, f"must be between 0 and {_GATHER_SECONDS_MAX}")
    preference = rules.weight_preference if rules is not None else None
    dynamic = preference is not None and preference.dynamic_weight
    packed = rules is not None and rules.replica_division_preference == "Aggregated"
    if rules is None or rules.replica_scheduling_type != "Divided" or not (dynamic or packed):
        yield forbidden(path, "shares that follow static weights, or none, cannot be chosen")


def check_placement_affinity(affinity: PlacementAffinity | None, path: str) -> Iterable[FieldError]:
    """What an affinity of a placement may say beyond one of an override."""
    if affinity is None:
        return
    yield from check_affinity(affinity, path)
    expressions = affinity.cel_selector.cel_expressions if affinity.cel_selector else ()
    for index, text in enumerate(expressions):
        try:
            Expression(text, ("cluster",), boolean=True)
        except ExpressionFailed as err:
            yield wrong(f"{path}.celSelector.celExpressions[{index}]", text, str(err))


def _check_groups(placement: Placement, path: str) -> Iterable[FieldError]:
    groups = placement.cluster_affinities
    if groups and placement.cluster_affinity is not None:
        yield forbidden(
            f"{path}.clusterAffinities", "may not be given together with clusterAffinity"
        )
    named: list[tuple[str, str]] = []
    for index, group in enumerate(groups):
        where = f"{path}.clusterAffinities[{index}]"
        named.append((where, group.affinity_name))
        yield from check_placement_affinity(group, where)
        if group.overflow_affinities and _covers_everything(group):
            why = "the group has every cluster already: name its own"
            yield forbidden(f"{where}.overflowAffinities", why)
        for number, overflow in enumerate(group.overflow_affinities):
            within = f"{where}.overflowAffinities[{number}]"
            named.append((within, overflow.affinity_name))
            yield from check_placement_affinity(overflow, within)
    seen: set[str] = set()
    for where, name in named:
        if not 1 <= len(name) <= _NAME_MAX:
            why = f"must be between 1 and {_NAME_MAX} characters"
            yield wrong(f"{where}.affinityName", name, why)
        elif name in seen:
            yield FieldError(
                f"{where}.affinityName", f'Duplicate value: "{name}"', "FieldValueDuplicate"
            )
        else:
            yield from _check_key(name, f"{where}.affinityName")
        seen.add(name)


def _covers_everything(affinity: PlacementAffinity) -> bool:
    """Whether no part of *affinity* rules anything out."""
    return not (
        affinity.label_selector
        or affinity.field_selector
        or affinity.cluster_names
        or affinity.exclude
        or affinity.cluster_groups
        or affinity.cel_selector
    )


def _check_toleration(toleration: Toleration, path: str) -> Iterable[FieldError]:
    if toleration.key:
        yield from _check_key(toleration.key, f"{path}.key")
    try:
        check_label_value(toleration.value)
    except ValueError as err:
        yield FieldError(f"{path}.value", f"Invalid value: {err}")
    if not toleration.key and toleration.operator != "Exists":
        yield wrong(f"{path}.operator", toleration.operator, "must be Exists when key is empty")
    if toleration.operator == "Exists" and toleration.value:
        yield wrong(f"{path}.value", toleration.value, "must be empty when operator is Exists")
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        yield wrong(f"{path}.effect", toleration.effect, "must be NoExecute with tolerationSeconds")


def _check_spread(placement: Placement, path: str) -> Iterable[FieldError]:
    seen: set[str] = set()
    for index, one in enumerate(placement.spread_constraints):
        where = f"{path}[{index}]"
        yield from _check_constraint(one, where)
        what = one.spread_by_label or one.spread_by_field or "cluster"
        if what in seen:
            yield FieldError(where, f'Duplicate value: "{what}"', "FieldValueDuplicate")
        seen.add(what)
    yield from _check_skews(placement, path)


def _check_constraint(one: SpreadConstraint, path: str) -> Iterable[FieldError]:
    if one.spread_by_label and one.spread_by_field:
        yield forbidden(f"{path}.spreadByLabel", "may not be given together with spreadByField")
    if one.spread_by_label:
        yield from _check_key(one.spread_by_label, f"{path}.spreadByLabel")
    numbers = (
        ("minGroups", one.min_groups),
        ("maxGroups", one.max_groups),
        ("maxSkew", one.max_skew),
    )
    for name, number in numbers:
        if number < 0:
            yield wrong(f"{path}.{name}", number, "must be 0 or more")
    if 0 < one.max_groups < one.min_groups:
        why = f"must not be below minGroups ({one.min_groups})"
        yield wrong(f"{path}.maxGroups", one.max_groups, why)
    if one.max_skew > _SKEW_MAX:
        yield wrong(f"{path}.maxSkew", one.max_skew, f"must not be above {_SKEW_MAX}")


def _check_skews(placement: Placement, path: str) -> Iterable[FieldError]:
    """A division is kept level over one sort of groups, and not where clusters have an order."""
    skewed = [index for index, one in enumerate(placement.spread_constraints) if one.max_skew > 0]
    rules = placement.replica_scheduling
    if not skewed or rules is None or rules.replica_scheduling_type != "Divided":
        return
    for index in skewed[1:]:
        yield forbidden(
            f"{path}[{index}].maxSkew", "replicas are kept level by one constraint only"
        )
    where = f"{path}[{skewed[0]}].maxSkew"
    if any(one.overflow_affinities for one in placement.cluster_affinities):
        yield forbidden(where, "may not be given together with overflowAffinities")
    if any(one.priority for one in rules.replica_limits):
        yield forbidden(where, "may not be given together with a priority of clusters")


def _check_company(company: WorkloadAffinity, path: str) -> Iterable[FieldError]:
    for name, group in (("affinity", company.affinity), ("antiAffinity", company.anti_affinity)):
        if group is not None:
            yield from _check_key(group.group_by_label_key, f"{path}.{name}.groupByLabelKey")
    if company.affinity is not None and company.affinity == company.anti_affinity:
        where = f"{path}.antiAffinity.groupByLabelKey"
        yield forbidden(where, "nothing can be with others and keep away from them")


def _check_key(key: str, path: str) -> Iterable[FieldError]:
    try:
        check_label_key(key)
    except ValueError as err:
        yield FieldError(path, f"Invalid value: {err}")


def _check_replicas(scheduling: ReplicaScheduling, path: str) -> Iterable[FieldError]:
    preference = scheduling.weight_preference
    aggregated = scheduling.replica_division_preference == "Aggregated"
    if scheduling.replica_scheduling_type == "Duplicated":
        why = "replicas are Duplicated, not Divided"
        if preference is not None:
            yield forbidden(f"{path}.weightPreference", why)
        if aggregated:
            yield forbidden(f"{path}.replicaDivisionPreference", why)
    elif aggregated and preference is not None:
        yield forbidden(f"{path}.weightPreference", "replicas are Aggregated, not Weighted")
    if preference is not None:
        yield from _check_weights(preference, f"{path}.weightPreference")
    for index, limit in enumerate(scheduling.replica_limits):
        yield from _check_limit(limit, f"{path}.replicaLimits[{index}]")


def _check_weights(preference: WeightPreference, path: str) -> Iterable[FieldError]:
    weights: Sequence[int] = [one.weight for one in preference.static_weight_list]
    for index, one in enumerate(preference.static_weight_list):
        where = f"{path}.staticWeightList[{index}]"
        if one.weight < 0:
            yield wrong(f"{where}.weight", one.weight, "must be 0 or more")
        yield from check_placement_affinity(one.target_cluster, f"{where}.targetCluster")
    is_latency = preference.dynamic_weight == "Latency"
    yield from check_origin(preference, path, allowed=is_latency, of="dynamicWeight Latency")
    if preference.dynamic_weight:
        return
    if not weights:
        yield required(f"{path}.staticWeightList", "weights, or dynamicWeight")
    elif not any(weights):
        where = f"{path}.staticWeightList"
        yield wrong(where, "[0, ...]", "at least one weight must be above 0")


def _check_limit(limit: ReplicaLimit, path: str) -> Iterable[FieldError]:
    yield from check_placement_affinity(limit.target_cluster, f"{path}.targetCluster")
    if limit.min_replicas < 0:
        yield wrong(f"{path}.minReplicas", limit.min_replicas, "must be 0 or more")
    if limit.max_replicas is None:
        return
    if limit.max_replicas < 0:
        yield wrong(f"{path}.maxReplicas", limit.max_replicas, "must be 0 or more")
    elif limit.max_replicas < limit.min_replicas:
        why = f"must not be below minReplicas ({limit.min_replicas})"
        yield wrong(f"{path}.maxReplicas", limit.max_replicas, why)
