"""Quotas and ranges of what a namespace may use."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    amount_of,
    duplicate,
    forbidden,
    invalid,
    required,
    strings,
    text,
)
from shared.apiserver.semantics.resources import (
    container_resource_name,
    quantity,
    quota_resource_name,
    resource_name,
)
from shared.errors import FieldError

_SCOPES = frozenset(
    (
        "BestEffort",
        "CrossNamespacePodAffinity",
        "NotBestEffort",
        "NotTerminating",
        "PriorityClass",
        "Terminating",
        "VolumeAttributesClass",
    )
)
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_LIMITED = ("Container", "PersistentVolumeClaim", "Pod")
# The lesser amount, the greater one, which of them is named, and how each is called.
_ORDER = (
    ("min", "max", "min", "min", "max"),
    ("min", "defaultRequest", "defaultRequest", "min", "default request"),
    ("defaultRequest", "max", "defaultRequest", "default request", "max"),
    ("defaultRequest", "default", "defaultRequest", "default request", "default limit"),
    ("min", "default", "default", "min", "default"),
    ("default", "max", "default", "default", "max"),
)
_AMOUNTS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def judge_quota(manifest: Manifest) -> list[FieldError]:
    return list(_quota(section(manifest, "spec")))


def _quota(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    for name, most in section(spec, "hard").items():
        at = f"spec.hard[{name}]"
        yield from quota_resource_name(name, at)
        yield from quantity(name, most, at)
    scopes = strings(spec.get("scopes"))
    for scope in scopes:
        if scope not in _SCOPES:
            yield invalid("spec.scopes", list(scopes), "unsupported scope")
    yield from _conflict(set(scopes), list(scopes))
    named: set[str] = set()
    for one in entries(section(spec, "scopeSelector"), "matchExpressions"):
        yield from _expression(one, "spec.scopeSelector.matchExpressions")
        named.add(str(one.get("scopeName")))
    yield from _conflict(named, list(scopes))


def _conflict(found: set[str], shown: list[str]) -> Iterator[FieldError]:
    for pair in _OPPOSITES:
        if pair <= found:
            yield invalid("spec.scopes", shown, "conflicting scopes")


def _expression(one: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    scope, operator = one.get("scopeName") or "", one.get("operator") or ""
    values = strings(one.get("values"))
    if scope not in _SCOPES:
        yield invalid(f"{path}.scopeName", scope, "unsupported scope")
    match operator:
        case "In" | "NotIn":
            if not values:
                why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope "
                yield required(f"{path}.values", f"{why}selector")
        case "Exists" | "DoesNotExist":
            if values:
                why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope "
                yield invalid(f"{path}.values", list(values), f"{why}selector")
        case _:
            yield invalid(f"{path}.operator", operator, "not a valid selector operator")


def judge_limit_range(manifest: Manifest) -> list[FieldError]:
    return list(_limit_range(section(manifest, "spec")))


def _limit_range(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    kinds: set[str] = set()
    for number, limit in enumerate(entries(spec, "limits")):
        at, kind = f"spec.limits[{number}]", str(limit.get("type") or "")
        faults = texts.label_key(kind)
        yield from text(kind, f"{at}.type", texts.label_key)
        if not faults and "/" not in kind and kind not in _LIMITED:
            why = "must be a standard limit type or fully qualified"
            yield invalid(f"{at}.type", kind, why)
        if kind in kinds:
            yield duplicate(f"{at}.type", kind)
        kinds.add(kind)
        yield from _limit(limit, at, kind)


def _limit(limit: Mapping[str, Any], path: str, kind: str) -> Iterator[FieldError]:
    rule = container_resource_name if kind in ("Container", "Pod") else resource_name
    for part in _AMOUNTS:
        if kind == "Pod" and part.startswith("default"):
            if limit.get(part):
                yield forbidden(f"{path}.{part}", "may not be specified when `type` is 'Pod'")
            continue
        for name in section(limit, part):
            yield from rule(name, f"{path}.{part}[{name}]")
    bounded = any("storage" in section(limit, part) for part in ("min", "max"))
    if kind == "PersistentVolumeClaim" and not bounded:
        why = "either minimum or maximum storage value is required, but neither was provided"
        yield required(f"{path}.limits", why)
    yield from _order(limit, path)


def _order(limit: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """The least is no more than the usual, and that no more than the most."""
    for less, more, at, first, second in _ORDER:
        above = section(limit, more)
        for name, amount in section(limit, less).items():
            if name in above and amount_of(amount) > amount_of(above[name]):
                why = f"{first} value {amount} is greater than {second} value {above[name]}"
                yield invalid(f"{path}.{at}[{name}]", amount, why)
    for name, ratio in section(limit, "maxLimitRequestRatio").items():
        if amount_of(ratio) < 1:
            at = f"{path}.maxLimitRequestRatio[{name}]"
            yield invalid(at, ratio, f"ratio {ratio} is less than 1")
