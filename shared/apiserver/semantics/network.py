"""Services and Ingresses: their types, ports, names and paths."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.names import check_label
from shared.apiserver.semantics.faults import (
    duplicate,
    invalid,
    one_of,
    port_name,
    port_number,
    required,
)
from shared.errors import FieldError

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def judge_service(manifest: Manifest) -> list[FieldError]:
    return list(_service(section(manifest, "spec")))


def _service(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    ports = entries(spec, "ports")
    yield from one_of(spec, "type", "spec", _TYPES)
    yield from one_of(spec, "sessionAffinity", "spec", ("ClientIP", "None"))
    for policy in ("externalTrafficPolicy", "internalTrafficPolicy"):
        yield from one_of(spec, policy, "spec", ("Cluster", "Local"))
    if spec.get("type") == "ExternalName":
        if not spec.get("externalName"):
            yield required("spec.externalName")
    elif not ports and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    names: set[str] = set()
    numbers: set[tuple[object, str]] = set()
    for index, one in enumerate(ports):
        at = f"spec.ports[{index}]"
        yield from port_number(one.get("port"), f"{at}.port")
        yield from _target(one.get("targetPort"), f"{at}.targetPort")
        yield from one_of(one, "protocol", at, _PROTOCOLS)
        name = str(one.get("name") or "")
        if name:
            yield from _name(name, f"{at}.name", names)
        elif len(ports) > 1:
            yield required(f"{at}.name")
        place = one.get("port"), str(one.get("protocol") or "TCP")
        if place in numbers:
            yield duplicate(at, f"{place[0]}/{place[1]}")
        numbers.add(place)


def judge_ingress(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    faults = []
    if not spec.get("rules") and not spec.get("defaultBackend"):
        why = "either `defaultBackend` or `rules` must be specified"
        faults.append(invalid("spec", "", why))
    for number, rule in enumerate(entries(spec, "rules")):
        for index, path in enumerate(entries(section(rule, "http"), "paths")):
            at = f"spec.rules[{number}].http.paths[{index}]"
            faults += one_of(path, "pathType", at, _PATH_TYPES)
            found = path.get("path")
            if isinstance(found, str) and found and not found.startswith("/"):
                faults.append(invalid(f"{at}.path", found, "must be an absolute path"))
    return faults


def _name(name: str, path: str, names: set[str]) -> Iterator[FieldError]:
    why = check_label(name)
    if why is not None:
        yield invalid(path, name, why)
    if name in names:
        yield duplicate(path, name)
    names.add(name)


def _target(target: object, path: str) -> Iterator[FieldError]:
    if isinstance(target, str) and target:
        yield from port_name(target, path)
    elif target != 0:
        # 0 stands for the port itself.
        yield from port_number(target, path)
