"""Network policies: ports, peers and networks."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    forbidden,
    invalid,
    one_of,
    port_number,
    required,
    strings,
    text,
    unsupported,
)
from shared.apiserver.semantics.selectors import label_selector
from shared.errors import FieldError

_TYPES = ("Ingress", "Egress")


def judge_network_policy(manifest: Manifest) -> list[FieldError]:
    return list(_policy(section(manifest, "spec")))


def _policy(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    yield from label_selector(section(spec, "podSelector"), "spec.podSelector")
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for number, rule in enumerate(entries(spec, direction)):
            at = f"spec.{direction}[{number}]"
            for index, one in enumerate(entries(rule, "ports")):
                yield from _port(one, f"{at}.ports[{index}]")
            for index, one in enumerate(entries(rule, side)):
                yield from _peer(one, f"{at}.{side}[{index}]")
    kinds = strings(spec.get("policyTypes"))
    if len(kinds) > len(_TYPES):
        why = "may not specify more than two policyTypes"
        yield invalid("spec.policyTypes", kinds, why)
        return
    for number, kind in enumerate(kinds):
        if kind not in _TYPES:
            yield unsupported(f"spec.policyTypes[{number}]", kind, _TYPES)


def _port(one: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from one_of(one, "protocol", path, ("TCP", "UDP", "SCTP"))
    first, last, at = one.get("port"), one.get("endPort"), f"{path}.endPort"
    if isinstance(first, str):
        if last is not None:
            yield invalid(at, last, "may not be specified when `port` is non-numeric")
        yield from text(first, f"{path}.port", texts.port_name)
    elif isinstance(first, int):
        yield from port_number(first, f"{path}.port")
        if isinstance(last, int):
            if last < first:
                yield invalid(at, first, "must be greater than or equal to `port`")
            yield from port_number(last, at)
    elif last is not None:
        yield invalid(at, last, "may not be specified when `port` is not specified")


def _peer(one: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    given = [name for name, value in one.items() if value is not None]
    for name in ("podSelector", "namespaceSelector"):
        yield from label_selector(section(one, name), f"{path}.{name}")
    if "ipBlock" in given:
        yield from _block(section(one, "ipBlock"), f"{path}.ipBlock")
    if not given:
        yield required(path, "must specify a peer")
    elif len(given) > 1 and "ipBlock" in given:
        yield forbidden(path, "may not specify both ipBlock and another peer")


def _block(block: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    whole = block.get("cidr")
    if not whole:
        yield required(f"{path}.cidr")
        return
    yield from text(whole, f"{path}.cidr", texts.network)
    outer = _network(whole)
    for number, one in enumerate(strings(block.get("except"))):
        at = f"{path}.except[{number}]"
        yield from text(one, at, texts.network)
        inner = _network(one)
        if outer is not None and inner is not None and not _is_strictly_within(inner, outer):
            yield invalid(at, one, "must be a strict subset of `cidr`")


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def _is_strictly_within(inner: _Network, outer: _Network) -> bool:
    same = inner.version == outer.version and inner.prefixlen > outer.prefixlen
    return same and inner.network_address in outer
