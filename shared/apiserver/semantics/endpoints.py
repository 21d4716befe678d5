"""Endpoints and EndpointSlices: addresses that traffic is sent to."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    PROTOCOLS,
    duplicate,
    invalid,
    one_of,
    port_number,
    required,
    strings,
    text,
    too_many,
    unsupported,
)
from shared.errors import FieldError

_FAMILIES = ("FQDN", "IPv4", "IPv6")
_ENDPOINTS_MAX, _ADDRESSES_MAX, _PORTS_MAX, _HINTS_MAX = 1_000, 100, 20_000, 8


def judge_endpoints(manifest: Manifest) -> list[FieldError]:
    return [
        fault
        for number, one in enumerate(entries(manifest, "subsets"))
        for fault in _subset(one, f"subsets[{number}]")
    ]


def _subset(subset: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    lists = "addresses", "notReadyAddresses"
    if not any(subset.get(name) for name in lists):
        yield required(path, "must specify `addresses` or `notReadyAddresses`")
    for name in lists:
        for number, one in enumerate(entries(subset, name)):
            at = f"{path}.{name}[{number}]"
            found = one.get("ip") or ""
            yield from text(found, f"{at}.ip", texts.address)
            if one.get("hostname"):
                yield from text(one["hostname"], f"{at}.hostname", texts.label)
            yield from text(one.get("nodeName"), f"{at}.nodeName", texts.subdomain)
            yield from text(found, f"{at}.ip", texts.endpoint_address)
    ports = entries(subset, "ports")
    for number, one in enumerate(ports):
        at, name = f"{path}.ports[{number}]", str(one.get("name") or "")
        if name:
            yield from text(name, f"{at}.name", texts.label)
        elif len(ports) > 1:
            yield required(f"{at}.name")
        yield from port_number(one.get("port") or 0, f"{at}.port")
        yield from _port(one, at)


def _port(one: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from one_of(one, "protocol", path, PROTOCOLS)
    yield from text(one.get("appProtocol"), f"{path}.appProtocol", texts.label_key)


def judge_endpoint_slice(manifest: Manifest) -> Iterator[FieldError]:
    family = manifest.get("addressType")
    if not family:
        yield required("addressType")
    elif family not in _FAMILIES:
        yield unsupported("addressType", family, _FAMILIES)
    ports, found = entries(manifest, "ports"), entries(manifest, "endpoints")
    if len(ports) > _PORTS_MAX:
        yield too_many("ports", len(ports), _PORTS_MAX)
    names: set[str] = set()
    for number, one in enumerate(ports[:_PORTS_MAX]):
        at, name = f"ports[{number}]", one.get("name") or ""
        if name:
            yield from text(name, f"{at}.name", texts.label)
        if name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        yield from _port(one, at)
    if len(found) > _ENDPOINTS_MAX:
        yield too_many("endpoints", len(found), _ENDPOINTS_MAX)
        return
    for number, one in enumerate(found):
        yield from _endpoint(one, f"endpoints[{number}]", str(family))


def _endpoint(one: Mapping[str, Any], path: str, family: str) -> Iterator[FieldError]:
    given, at = strings(one.get("addresses")), f"{path}.addresses"
    if not given:
        yield required(at, "must contain at least 1 address")
    elif len(given) > _ADDRESSES_MAX:
        yield too_many(at, len(given), _ADDRESSES_MAX)
    for number, each in enumerate(given):
        yield from _address(each, f"{at}[{number}]", at, family)
    yield from text(one.get("nodeName"), f"{path}.nodeName", texts.subdomain)
    yield from text(one.get("hostname"), f"{path}.hostname", texts.label)
    hints = section(one, "hints")
    yield from _hints(entries(hints, "forZones"), f"{path}.hints.forZones", texts.label_value)
    yield from _hints(entries(hints, "forNodes"), f"{path}.hints.forNodes", texts.subdomain)


def _address(each: str, path: str, whole: str, family: str) -> Iterator[FieldError]:
    if family not in _FAMILIES:
        return
    if family == "FQDN":
        yield from text(each.removesuffix("."), path, texts.subdomain)
        return
    yield from text(each, path, texts.address)
    if texts.address(each):
        return
    if f"IPv{ip_address(each).version}" != family:
        yield invalid(whole, each, f"must be an {family} address")
    yield from text(each, path, texts.endpoint_address)


def _hints(found: Sequence[Mapping[str, Any]], path: str, rule: Any) -> Iterator[FieldError]:
    if len(found) > _HINTS_MAX:
        yield too_many(path, len(found), _HINTS_MAX)
        return
    names: set[str] = set()
    for number, one in enumerate(found):
        name = one.get("name") or ""
        if name in names:
            yield duplicate(f"{path}[{number}].name", name)
        names.add(name)
        yield from text(name, f"{path}[{number}].name", rule)
