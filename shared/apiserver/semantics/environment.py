"""The environment variables of a container, and where their values come from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.parts import entries, section
from shared.apimachinery.quantity import canonical_quantity, parse_quantity
from shared.apiserver.semantics.faults import invalid, named, required, text, unsupported
from shared.errors import FieldError

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_OF_BYTES = ("1", *(f"1{unit}" for unit in "kMGTPE"), *(f"1{unit}i" for unit in "KMGTPE"))
_DIVISORS: Mapping[str, tuple[Sequence[str], str]] = {
    "cpu": (("1m", "1"), "cpu"),
    "memory": (_OF_BYTES, "memory"),
    "ephemeral-storage": (_OF_BYTES, "local ephemeral storage"),
}
VOLUME_FIELDS = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)
# What a pod can be asked for at all; each place allows some of it.
_KNOWN_FIELDS = frozenset({*_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName"})
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")
_SUBSCRIPTED = re.compile(r"(metadata\.(?:annotations|labels))\['(.+)'\]")


def environment(container: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for number, one in enumerate(entries(container, "env")):
        at = f"{path}.env[{number}]"
        yield from named(one, at, texts.variable_name)
        if one.get("valueFrom") is not None:
            yield from _source(one, f"{at}.valueFrom")
    for number, one in enumerate(entries(container, "envFrom")):
        yield from _whole(one, f"{path}.envFrom", number)


def _source(variable: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    source = section(variable, "valueFrom")
    given = [name for name in _SOURCES if source.get(name) is not None]
    for name in given:
        found, at = section(source, name), f"{path}.{name}"
        match name:
            case "fieldRef":
                yield from field_reference(found, at, _FIELDS)
            case "resourceFieldRef":
                yield from resource_reference(found, at)
            case "fileKeyRef":
                yield from named(found, at, texts.variable_name, "key")
                yield from named(found, at, texts.label, "volumeName")
                yield from named(found, at, texts.without_backsteps, "path")
            case _:
                yield from text(found.get("name") or "", f"{at}.name", texts.subdomain)
                yield from named(found, at, texts.config_key, "key")
    if not given:
        *first, last = (f"`{name}`" for name in _SOURCES)
        yield invalid(path, "", f"must specify one of: {', '.join(first)} or {last}")
    elif variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def _whole(source: Mapping[str, Any], path: str, number: int) -> Iterator[FieldError]:
    """All entries of a ConfigMap or Secret at once."""
    at = f"{path}[{number}]"
    if source.get("prefix"):
        yield from text(source["prefix"], f"{at}.prefix", texts.variable_name)
    given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
    for name in given:
        yield from named(section(source, name), f"{at}.{name}", texts.subdomain)
    # Upstream names the list here, not the element.
    if not given:
        yield invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
    elif len(given) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def field_reference(
    found: Mapping[str, Any], path: str, allowed: tuple[str, ...]
) -> Iterator[FieldError]:
    """A field of the pod itself, by its path."""
    place = found.get("fieldPath")
    if not place:
        yield required(f"{path}.fieldPath")
        return
    subscripted = _SUBSCRIPTED.fullmatch(str(place))
    if subscripted is not None:
        part, key = subscripted.groups()
        name = key.lower() if part.endswith("annotations") else key
        yield from text(name, path, texts.label_key)
    elif place not in _KNOWN_FIELDS:
        why = f"error converting fieldPath: field label not supported: {place}"
        yield invalid(f"{path}.fieldPath", place, why)
    elif place not in allowed:
        yield unsupported(f"{path}.fieldPath", place, allowed)


def resource_reference(found: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """An amount of the container itself."""
    name = str(found.get("resource") or "")
    if not name:
        yield required(f"{path}.resource")
    elif name not in _RESOURCES and not name.startswith(_HUGE_PAGES):
        yield unsupported(f"{path}.resource", name, _RESOURCES)
    else:
        yield from _divisor(found.get("divisor") or 0, name, f"{path}.divisor")


def _divisor(found: str | float, name: str, path: str) -> Iterator[FieldError]:
    """By what an amount is divided; zero is none."""
    kind = name.partition(".")[2]
    shares, whose = _DIVISORS.get(kind, (_OF_BYTES, "hugepages"))
    if parse_quantity(found) != 0 and canonical_quantity(found) not in shares:
        why = f"only divisor's values {_either(shares)} are supported with the {whose} resource"
        yield invalid(path, name, why)


def _either(shares: Sequence[str]) -> str:
    return " and ".join(shares) if len(shares) == 2 else ", ".join(shares)
