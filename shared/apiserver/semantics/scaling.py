"""Autoscalers and disruption budgets."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apimachinery.quantity import parse_quantity
from shared.apiserver.semantics.faults import (
    amount,
    at_least,
    forbidden,
    invalid,
    named,
    one_of,
    required,
    unsupported,
)
from shared.apiserver.semantics.resources import container_resource_name
from shared.apiserver.semantics.selectors import label_selector
from shared.errors import FieldError

# Each type of metric and the field that holds it, in the order of upstream's types.
_SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_TARGETS = ("Utilization", "Value", "AverageValue")
_PERIOD_MAX, _WINDOW_MAX = 1_800, 3_600


def judge_autoscaler(manifest: Manifest) -> list[FieldError]:
    """Of autoscaling/v1 and v2."""
    return list(_autoscaler(section(manifest, "spec")))


def _autoscaler(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    # That some clusters let an autoscaler go down to none is a feature that is off by default.
    if isinstance(least, int) and least < 1:
        yield invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most == 0:
        yield required("spec.maxReplicas", "must be set and greater than 0")
    elif most < 0:
        yield invalid("spec.maxReplicas", most, "must be greater than or equal to 1")
    if isinstance(least, int) and most < least:
        yield invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    target = section(spec, "scaleTargetRef")
    # Of what can be scaled only these have no group.
    core = target.get("kind") == "ReplicationController"
    yield from _reference(target, "spec.scaleTargetRef", has_group=not core)
    for number, one in enumerate(entries(spec, "metrics")):
        yield from _metric(one, f"spec.metrics[{number}]")
    for name in ("scaleUp", "scaleDown"):
        rules = section(spec, "behavior", name)
        if rules:
            yield from _scaling(rules, f"spec.behavior.{name}")
    if "targetCPUUtilizationPercentage" in spec:
        found = spec["targetCPUUtilizationPercentage"]
        if isinstance(found, int) and found < 1:
            at = "spec.metrics[0].resource.target.averageUtilization"
            yield invalid(at, found, "must be greater than 0")


def _reference(
    found: Mapping[str, Any], path: str, *, has_group: bool = False
) -> Iterator[FieldError]:
    for name in ("kind", "name"):
        yield from named(found, path, texts.path_segment, name)
    version = str(found.get("apiVersion") or "")
    if version.count("/") > 1:
        why = f"unexpected GroupVersion string: {version}"
        yield invalid(f"{path}.apiVersion", version, why)
    elif has_group and "/" not in version:
        yield invalid(f"{path}.apiVersion", version, "apiVersion must specify API group")


def _metric(metric: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    kind = metric.get("type") or ""
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
    if kind not in _SOURCES:
        # Upstream looks twice.
        yield unsupported(f"{path}.type", kind, _SOURCES)
        yield unsupported(f"{path}.type", kind, _SOURCES)
    order = ("object", "external", "pods", "resource", "containerResource")
    given = [name for name in order if metric.get(name) is not None]
    if given:
        yield from _source(section(metric, given[0]), f"{path}.{given[0]}", given[0])
    wanted = _SOURCES.get(kind)
    if wanted is not None and wanted not in given:
        yield required(f"{path}.{wanted}", "must populate information for the given metric source")
    if len(given) != 1:
        yield from (
            forbidden(f"{path}.{name}", "must populate the given metric source only")
            for name in given
            if name != wanted
        )


def _source(source: Mapping[str, Any], path: str, kind: str) -> Iterator[FieldError]:
    target = section(source, "target")
    if kind in ("resource", "containerResource"):
        if not source.get("name"):
            yield required(f"{path}.name", "must specify a resource name")
        elif kind == "containerResource":
            yield from container_resource_name(str(source["name"]), f"{path}.name")
        if kind == "containerResource":
            if not source.get("container"):
                yield required(f"{path}.container", "must specify a container")
            else:
                yield from named(source, path, texts.label, "container")
    else:
        if kind == "object":
            yield from _reference(section(source, "describedObject"), f"{path}.describedObject")
        metric = section(source, "metric")
        if not metric.get("name"):
            yield required(f"{path}.metric.name", "must specify a metric name")
        else:
            yield from named(metric, f"{path}.metric", texts.path_segment)
    yield from _target(target, f"{path}.target")
    yield from _pairs(target, f"{path}.target", kind)


def _target(target: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    kind = target.get("type") or ""
    if not kind:
        yield required(f"{path}.type", "must specify a metric target type")
    if kind not in _TARGETS:
        yield invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        found = target.get(name)
        if found is not None and parse_quantity(found) <= 0:
            yield invalid(f"{path}.{name}", found, "must be positive")
    yield from at_least(target, path, ("averageUtilization",), 1)


def _pairs(target: Mapping[str, Any], path: str, kind: str) -> Iterator[FieldError]:
    """Which numbers each kind of metric must have, and may not have together."""
    has = {name for name, value in target.items() if value is not None}
    match kind:
        case "object":
            if not has & {"value", "averageValue"}:
                why = "must set either a target value or averageValue"
                yield required(f"{path}.averageValue", why)
        case "external":
            both = "a target value for metric {} a per-pod target"
            if not has & {"value", "averageValue"}:
                yield required(f"{path}.averageValue", f"must set either {both.format('or')}")
            if {"value", "averageValue"} <= has:
                yield forbidden(f"{path}.value", f"may not set both {both.format('and')}")
        case "pods":
            if "averageValue" not in has:
                why = "must specify a positive target averageValue"
                yield required(f"{path}.averageValue", why)
        case _:
            both = "a target raw value {} a target utilization"
            if not has & {"averageUtilization", "averageValue"}:
                why = f"must set either {both.format('or')}"
                yield required(f"{path}.averageUtilization", why)
            if {"averageUtilization", "averageValue"} <= has:
                yield forbidden(f"{path}.averageValue", f"may not set both {both.format('and')}")


def _scaling(rules: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    window, at = rules.get("stabilizationWindowSeconds"), f"{path}.stabilizationWindowSeconds"
    if isinstance(window, int) and window < 0:
        yield invalid(at, window, "must be greater than or equal to zero")
    elif isinstance(window, int) and window > _WINDOW_MAX:
        yield invalid(at, window, f"must be less than or equal to {_WINDOW_MAX}")
    yield from one_of(rules, "selectPolicy", path, ("Disabled", "Max", "Min"))
    policies = entries(rules, "policies")
    if not policies and "policies" in rules:
        yield required(f"{path}.policies", "must specify at least one Policy")
    for number, policy in enumerate(policies):
        at = f"{path}.policies[{number}]"
        kind, period = policy.get("type") or "", policy.get("periodSeconds") or 0
        if kind not in ("Pods", "Percent"):
            yield unsupported(f"{at}.type", kind, ("Percent", "Pods"))
        if (policy.get("value") or 0) <= 0:
            yield invalid(f"{at}.value", policy.get("value") or 0, "must be greater than zero")
        if period <= 0:
            yield invalid(f"{at}.periodSeconds", period, "must be greater than zero")
        elif period > _PERIOD_MAX:
            why = f"must be less than or equal to {_PERIOD_MAX}"
            yield invalid(f"{at}.periodSeconds", period, why)


def judge_budget(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    faults = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        why = "minAvailable and maxUnavailable cannot be both set"
        faults.append(invalid("spec", spec, why))
    for name in ("minAvailable", "maxUnavailable"):
        faults += amount(spec, name, "spec", whole=True)
    faults += label_selector(section(spec, "selector"), "spec.selector")
    policies = ("AlwaysAllow", "IfHealthyBudget")
    faults += one_of(spec, "unhealthyPodEvictionPolicy", "spec", policies)
    return faults
