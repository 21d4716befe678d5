"""Pods and pod templates."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apimachinery.quantity import parse_quantity
from shared.apiserver.names import check_label
from shared.apiserver.semantics.faults import (
    at_least,
    duplicate,
    forbidden,
    invalid,
    one_of,
    port_name,
    port_number,
    required,
    unique,
)
from shared.errors import FieldError

RESTARTS = ("Always", "Never", "OnFailure")
_PULLS = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_DNS = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_PROBE_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold")


def judge_pod(manifest: Manifest) -> list[FieldError]:
    return list(pod_spec(section(manifest, "spec"), "spec"))


def pod_spec(
    spec: Mapping[str, Any],
    path: str,
    *,
    restarts: tuple[str, ...] = RESTARTS,
    claims: frozenset[str] = frozenset(),
) -> Iterator[FieldError]:
    """*restarts*: the policies allowed here; *claims*: volumes that come from claim templates."""
    containers, first = entries(spec, "containers"), entries(spec, "initContainers")
    if not containers:
        yield required(f"{path}.containers")
    volumes = entries(spec, "volumes")
    known = claims | {str(one.get("name")) for one in volumes}
    names: set[str] = set()
    for part, found in (("initContainers", first), ("containers", containers)):
        for number, one in enumerate(found):
            at = f"{path}.{part}[{number}]"
            name = str(one.get("name") or "")
            if name in names:
                yield duplicate(f"{at}.name", name)
            names.add(name)
            yield from _container(one, at, known)
    yield from unique(volumes, "name", f"{path}.volumes")
    yield from one_of(spec, "restartPolicy", path, restarts)
    yield from one_of(spec, "dnsPolicy", path, _DNS)
    yield from at_least(spec, path, ("activeDeadlineSeconds",), 1)


def _container(
    container: Mapping[str, Any], path: str, volumes: Collection[str]
) -> Iterator[FieldError]:
    name, image = container.get("name"), container.get("image")
    if not name:
        yield required(f"{path}.name")
    elif (why := check_label(str(name))) is not None:
        yield invalid(f"{path}.name", name, why)
    if not image:
        yield required(f"{path}.image")
    yield from one_of(container, "imagePullPolicy", path, _PULLS)
    yield from _ports(container, path)
    yield from _mounts(container, path, volumes)
    yield from _resources(section(container, "resources"), f"{path}.resources")
    for name in _PROBES:
        if name in container:
            yield from _probe(section(container, name), f"{path}.{name}")
    for number, one in enumerate(entries(container, "env")):
        if not one.get("name"):
            yield required(f"{path}.env[{number}].name")


def _probe(probe: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    handlers = [name for name in _HANDLERS if name in probe]
    if not handlers:
        yield required(path, "must specify a handler type")
    for name in handlers[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 handler type")
    yield from at_least(probe, path, _PROBE_NUMBERS)


def _ports(container: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    ports = entries(container, "ports")
    for number, one in enumerate(ports):
        at = f"{path}.ports[{number}]"
        for field in ("containerPort", "hostPort"):
            # A host port of 0 is none.
            if field in one and not (field == "hostPort" and one[field] == 0):
                yield from port_number(one[field], f"{at}.{field}")
        yield from one_of(one, "protocol", at, _PROTOCOLS)
        if one.get("name"):
            yield from port_name(str(one["name"]), f"{at}.name")
    yield from unique(ports, "name", f"{path}.ports")


def _mounts(
    container: Mapping[str, Any], path: str, volumes: Collection[str]
) -> Iterator[FieldError]:
    places: set[str] = set()
    for number, one in enumerate(entries(container, "volumeMounts")):
        at = f"{path}.volumeMounts[{number}]"
        name, place = str(one.get("name") or ""), str(one.get("mountPath") or "")
        if not name:
            yield required(f"{at}.name")
        elif name not in volumes:
            yield FieldError(f"{at}.name", f'Not found: "{name}"', "FieldValueNotFound")
        if not place:
            yield required(f"{at}.mountPath")
        elif place in places:
            yield invalid(f"{at}.mountPath", place, "must be unique")
        places.add(place)


def _resources(resources: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Amounts are not negative, and no request is above its limit."""
    limits = section(resources, "limits")
    for part in ("limits", "requests"):
        for name, text in section(resources, part).items():
            if parse_quantity(text) < 0:
                yield invalid(f"{path}.{part}.{name}", text, "must be greater than or equal to 0")
    for name, text in section(resources, "requests").items():
        if name in limits and parse_quantity(text) > parse_quantity(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            yield invalid(f"{path}.requests", text, why)
