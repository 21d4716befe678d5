"""Ingresses and their classes: hosts, paths, and the backends behind them."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    forbidden,
    invalid,
    named,
    port_number,
    required,
    strings,
    text,
    unsupported,
)
from shared.errors import FieldError

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_ENDINGS = ("/..", "/.")
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"


def judge_ingress(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    faults = list(_ingress(spec))
    given = section(manifest, "metadata", "annotations").get(_CLASS_ANNOTATION)
    wanted = spec.get("ingressClassName")
    if given is not None and wanted is not None and given != wanted:
        at = f"annotations.{_CLASS_ANNOTATION}"
        why = "must match `ingressClassName` when both are specified"
        faults.append(invalid(at, given, why))
    return faults


def _ingress(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    rules, default = entries(spec, "rules"), spec.get("defaultBackend")
    if not rules and default is None:
        yield invalid("spec", None, "either `defaultBackend` or `rules` must be specified")
    if default is not None:
        yield from _backend(section(spec, "defaultBackend"), "spec.defaultBackend")
    for number, rule in enumerate(rules):
        at = f"spec.rules[{number}]"
        yield from _rule_host(str(rule.get("host") or ""), f"{at}.host")
        if rule.get("http") is None:
            continue
        paths = entries(section(rule, "http"), "paths")
        if not paths:
            yield required(f"{at}.http.paths")
        for index, one in enumerate(paths):
            yield from _path(one, f"{at}.http.paths[{index}]")
    for number, one in enumerate(entries(spec, "tls")):
        at = f"spec.tls[{number}]"
        for index, host in enumerate(strings(one.get("hosts"))):
            yield from _host(host, f"{at}.hosts[{index}]")
        if one.get("secretName"):
            yield from text(one["secretName"], f"{at}.secretName", texts.subdomain)
    if spec.get("ingressClassName") is not None:
        yield from text(spec["ingressClassName"], "spec.ingressClassName", texts.subdomain)


def _rule_host(host: str, path: str) -> Iterator[FieldError]:
    if not host:
        return
    if not texts.address(host):
        yield invalid(path, host, "must be a DNS name, not an IP address")
    yield from _host(host, path)


def _host(host: str, path: str) -> Iterator[FieldError]:
    yield from text(host, path, texts.wildcard_subdomain if "*" in host else texts.subdomain)


def _path(one: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    kind, place = one.get("pathType"), str(one.get("path") or "")
    at = f"{path}.path"
    if kind is None:
        yield required(f"{path}.pathType", "pathType must be specified")
        return
    if kind not in _PATH_TYPES:
        yield unsupported(f"{path}.pathType", kind, _PATH_TYPES)
    elif (place or kind != "ImplementationSpecific") and not place.startswith("/"):
        yield invalid(at, place, "must be an absolute path")
    if kind in ("Exact", "Prefix"):
        for each in _SEQUENCES:
            if each in place:
                yield invalid(at, place, f"must not contain '{each}'")
        for each in _ENDINGS:
            if place.endswith(each):
                yield invalid(at, place, f"cannot end with '{each}'")
    yield from _backend(section(one, "backend"), f"{path}.backend")


def _backend(backend: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield invalid(path, "", "cannot set both resource and service backends")
    elif resource is not None:
        yield from _reference(section(backend, "resource"), f"{path}.resource")
    elif service is not None:
        yield from _service(section(backend, "service"), path)
    else:
        yield invalid(path, "", "resource or service backend is required")


def _service(service: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    at = f"{path}.service"
    yield from named(service, at, texts.label)
    port = section(service, "port")
    name, number = port.get("name"), port.get("number")
    if name and number:
        yield invalid(path, "", "cannot set both port name & port number")
    elif name:
        yield from text(name, f"{at}.port.name", texts.port_name)
    elif number:
        yield from port_number(number, f"{at}.port.number")
    else:
        yield required(path, "port name or number is required")


def _reference(found: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from text(found.get("apiGroup"), f"{path}.apiGroup", texts.subdomain)
    for name in ("kind", "name"):
        yield from named(found, path, texts.path_segment, name)


def judge_ingress_class(manifest: Manifest) -> list[FieldError]:
    return list(_ingress_class(section(manifest, "spec")))


def _ingress_class(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    yield from named(spec, "spec", texts.domain_prefixed_path, "controller")
    if spec.get("parameters") is None:
        return
    found, at = section(spec, "parameters"), "spec.parameters"
    yield from _reference(found, at)
    scope, namespace = found.get("scope") or "Cluster", found.get("namespace")
    if scope not in ("Cluster", "Namespace"):
        yield unsupported(f"{at}.scope", scope, ("Cluster", "Namespace"))
    elif scope == "Namespace":
        yield from named(found, at, texts.label, "namespace")
    elif namespace is not None:
        why = "`parameters.scope` is set to 'Cluster'"
        yield forbidden(f"{at}.namespace", why)
