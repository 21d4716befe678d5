"""Services: their types, ports, names and addresses."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    PROTOCOLS,
    duplicate,
    forbidden,
    invalid,
    labels,
    one_of,
    port,
    port_number,
    required,
    strings,
    text,
    unsupported,
)
from shared.errors import FieldError

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_NAMED_ONLY = ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
_AFFINITY_SECONDS_MAX = 86_400
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")


def judge_service(manifest: Manifest) -> list[FieldError]:
    return list(_service(section(manifest, "spec")))


def _service(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    kind, headless = spec.get("type"), spec.get("clusterIP") == "None"
    if kind == "ExternalName":
        yield from _external_name(spec)
    elif not spec.get("ports") and not headless:
        yield required("spec.ports")
    if headless and kind in ("LoadBalancer", "NodePort"):
        why = f"may not be set to 'None' for {kind} services"
        yield invalid("spec.clusterIPs[0]", "None", why)
    yield from _ports(spec, str(kind))
    yield from labels(section(spec, "selector"), "spec.selector")
    yield from one_of(spec, "sessionAffinity", "spec", ("ClientIP", "None"))
    yield from _affinity(spec)
    if kind != "ExternalName":
        yield from _addresses(spec)
    for number, one in enumerate(strings(spec.get("externalIPs"))):
        at = f"spec.externalIPs[{number}]"
        yield from text(one, at, texts.address)
        if not texts.address(one):
            yield from text(one, at, texts.endpoint_address)
    yield from one_of(spec, "type", "spec", _TYPES)
    yield from _balancer(spec, str(kind))
    yield from _traffic(spec, str(kind))


def _external_name(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    for name in _NAMED_ONLY:
        if spec.get(name):
            yield forbidden(f"spec.{name}", "may not be set for ExternalName services")
    target = str(spec.get("externalName") or "").removesuffix(".")
    if target:
        yield from text(target, "spec.externalName", texts.subdomain)
    else:
        yield required("spec.externalName")


def _ports(spec: Mapping[str, Any], kind: str) -> Iterator[FieldError]:
    ports = entries(spec, "ports")
    names: set[str] = set()
    for number, one in enumerate(ports):
        at, name = f"spec.ports[{number}]", one.get("name") or ""
        if name:
            yield from text(name, f"{at}.name", texts.label)
            if name in names:
                yield duplicate(f"{at}.name", name)
            names.add(name)
        elif len(ports) > 1:
            yield required(f"{at}.name")
        yield from port_number(one.get("port") or 0, f"{at}.port")
        yield from one_of(one, "protocol", at, PROTOCOLS)
        # 0 stands for the port itself.
        yield from port(one.get("targetPort") or one.get("port"), f"{at}.targetPort")
        if one.get("appProtocol") is not None:
            yield from text(one["appProtocol"], f"{at}.appProtocol", texts.label_key)
        if kind == "ClusterIP" and one.get("nodePort"):
            yield forbidden(f"{at}.nodePort", "may not be used when `type` is 'ClusterIP'")
    for name in ("nodePort", "port"):
        yield from _once(ports, name)


def _once(ports: Any, name: str) -> Iterator[FieldError]:
    seen: set[tuple[str, object]] = set()
    for number, one in enumerate(ports):
        place = str(one.get("protocol") or "TCP"), one.get(name) or 0
        if place in seen and (place[1] or name == "port"):
            at = f"spec.ports[{number}]"
            if name == "port":
                yield duplicate(at, {"port": place[1], "protocol": place[0]})
            else:
                yield duplicate(f"{at}.{name}", place[1])
        seen.add(place)


def _affinity(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    if spec.get("sessionAffinity") == "ClientIP":
        seconds = section(spec, "sessionAffinityConfig", "clientIP").get("timeoutSeconds")
        if isinstance(seconds, int) and not 0 < seconds <= _AFFINITY_SECONDS_MAX:
            why = f"must be greater than 0 and less than {_AFFINITY_SECONDS_MAX}"
            yield invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, why)


def _addresses(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    first, given = spec.get("clusterIP"), strings(spec.get("clusterIPs"))
    if first and given and given[0] != first:
        yield invalid("spec.clusterIPs", given, "first value must match `clusterIP`")
    elif not first and given:
        yield invalid("spec.clusterIPs", given, "must be empty when `clusterIP` is not specified")
    for number, family in enumerate(strings(spec.get("ipFamilies"))):
        if family not in ("IPv4", "IPv6"):
            yield unsupported(f"spec.ipFamilies[{number}]", family, ("IPv4", "IPv6"))
        if family in strings(spec.get("ipFamilies"))[:number]:
            yield duplicate(f"spec.ipFamilies[{number}]", family)
    policies = ("PreferDualStack", "RequireDualStack", "SingleStack")
    yield from one_of(spec, "ipFamilyPolicy", "spec", policies)
    for number, one in enumerate(given or strings([first] if first else [])):
        if number == 0 and one == "None":
            if len(given) > 1:
                yield invalid("spec.clusterIPs", given, "'None' must be the first and only value")
            continue
        yield from text(one, f"spec.clusterIPs[{number}]", texts.address)
    if len(given) > 2:
        yield invalid("spec.clusterIPs", given, "may only hold up to 2 values")


def _balancer(spec: Mapping[str, Any], kind: str) -> Iterator[FieldError]:
    if kind == "LoadBalancer":
        # Upstream writes this field with a capital here.
        for number, one in enumerate(strings(spec.get("loadBalancerSourceRanges"))):
            at = f"spec.LoadBalancerSourceRanges[{number}]"
            yield from text(one.strip(), at, texts.network)
        if spec.get("loadBalancerClass") is not None:
            yield from text(spec["loadBalancerClass"], "spec.loadBalancerClass", texts.label_key)
        return
    why = "may only be used when `type` is 'LoadBalancer'"
    if spec.get("loadBalancerSourceRanges"):
        yield forbidden("spec.LoadBalancerSourceRanges", why)
    for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
        if spec.get(name) is not None:
            yield forbidden(f"spec.{name}", why)


def _traffic(spec: Mapping[str, Any], kind: str) -> Iterator[FieldError]:
    outside = kind in ("LoadBalancer", "NodePort") or (
        kind == "ClusterIP" and bool(spec.get("externalIPs"))
    )
    policy = spec.get("externalTrafficPolicy")
    if policy and not outside:
        why = "may only be set for externally-accessible services"
        yield invalid("spec.externalTrafficPolicy", policy, why)
    elif outside:
        yield from one_of(spec, "externalTrafficPolicy", "spec", ("Cluster", "Local"))
    if spec.get("healthCheckNodePort") and (kind, policy) != ("LoadBalancer", "Local"):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid("spec.healthCheckNodePort", spec["healthCheckNodePort"], why)
    yield from one_of(spec, "internalTrafficPolicy", "spec", ("Cluster", "Local"))
    found = spec.get("trafficDistribution")
    if found is not None and found not in _DISTRIBUTIONS:
        yield unsupported("spec.trafficDistribution", found, _DISTRIBUTIONS)
