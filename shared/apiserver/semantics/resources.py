"""Amounts of cpu, memory and devices: their names, bounds, and what is asked within its limit."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.parts import section
from shared.apiserver.semantics.faults import (
    amount_of,
    forbidden,
    invalid,
    not_negative,
    required,
    text,
)
from shared.errors import FieldError

_OF_CONTAINERS = frozenset({"cpu", "memory", "ephemeral-storage"})
_HUGE_PAGES = "hugepages-"
_NATIVE = "kubernetes.io/"
_QUOTED = "requests."


def resources(found: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Of a container: requests and limits."""
    limits, requests = section(found, "limits"), section(found, "requests")
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            at = f"{path}.{part}[{name}]"
            yield from container_resource_name(name, at)
            yield from quantity(name, amount, at)
    for name, amount in requests.items():
        yield from _within_limit(name, amount, limits, path)
    given = limits.keys() | requests.keys()
    if any(name.startswith(_HUGE_PAGES) for name in given) and not given & {"cpu", "memory"}:
        yield forbidden(path, "HugePages require cpu or memory")


def _within_limit(
    name: str, amount: Any, limits: Mapping[str, Any], path: str
) -> Iterator[FieldError]:
    limit = limits.get(name)
    if limit is None:
        if not may_overcommit(name):
            yield required(f"{path}.limits", "Limit must be set for non overcommitable resources")
        return
    asked, most = amount_of(amount), amount_of(limit)
    if asked != most and not may_overcommit(name):
        yield invalid(f"{path}.requests", str(amount), f"must be equal to {name} limit of {limit}")
    elif asked > most:
        why = f"must be less than or equal to {name} limit of {limit}"
        yield invalid(f"{path}.requests", str(amount), why)


def may_overcommit(name: str) -> bool:
    """Whether more may be promised than there is: not so for devices and huge pages."""
    return _is_native(name) and not name.startswith(_HUGE_PAGES)


def _is_native(name: str) -> bool:
    return "/" not in name or _NATIVE in name


def quantity(name: str, amount: Any, path: str) -> Iterator[FieldError]:
    """An amount is not negative, and one of devices is whole."""
    yield from not_negative(amount, path)
    counted = not _is_native(name) or name in _COUNTED
    if counted and amount_of(amount) % 1:
        yield invalid(path, str(amount), "must be an integer")


_COUNTED = frozenset(
    {"pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps"}
    | {"persistentvolumeclaims", "services.nodeports", "services.loadbalancers"}
)


def container_resource_name(name: str, path: str) -> Iterator[FieldError]:
    """What a container can be given: a standard resource, or a device under a domain."""
    yield from resource_name(name, path)
    if texts.label_key(name):
        return
    if "/" not in name:
        if name not in _OF_CONTAINERS and not name.startswith(_HUGE_PAGES):
            yield invalid(path, name, "must be a standard resource for containers")
    elif not _is_native(name) and name.startswith(_QUOTED):
        yield invalid(path, name, "doesn't follow extended resource name standard")


def resource_name(name: str, path: str) -> Iterator[FieldError]:
    faults = texts.label_key(name)
    yield from text(name, path, texts.label_key)
    if not faults and "/" not in name and not _is_standard(name):
        yield invalid(path, name, "must be a standard resource type or fully qualified")


def _is_standard(name: str) -> bool:
    return name in _OF_CONTAINERS | _COUNTED | _OF_QUOTAS or name.startswith(
        (_HUGE_PAGES, "requests.hugepages-")
    )


_OF_QUOTAS = frozenset(
    f"{part}.{name}" for part in ("limits", "requests") for name in _OF_CONTAINERS
) | {"storage", "requests.storage"}


def quota_resource_name(name: str, path: str) -> Iterator[FieldError]:
    """What a quota can bound."""
    yield from resource_name(name, path)
    bounded = _is_standard(name) and name != "storage"
    if "/" not in name and not texts.label_key(name) and not bounded:
        yield invalid(path, name, "must be a standard resource for quota")
