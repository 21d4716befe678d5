"""The containers of a pod: names, images, ports, mounts, resources, probes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.environment import environment
from shared.apiserver.semantics.faults import (
    PROTOCOLS,
    duplicate,
    forbidden,
    invalid,
    named,
    not_found,
    one_of,
    port_number,
    required,
    text,
    within,
)
from shared.apiserver.semantics.probes import lifecycle, probes
from shared.apiserver.semantics.resources import resources
from shared.apiserver.semantics.security import container_security
from shared.errors import FieldError

_PULLS = ("Always", "IfNotPresent", "Never")
_RESTARTS = ("Always", "Never", "OnFailure")
# What a container that comes later, to look into the others, cannot have.
_NOT_EPHEMERAL = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)
_FOR_EPHEMERAL = "cannot be set for an Ephemeral Container"
_LIVING = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a container refers to in its pod. `volumes`: whether each is a claim."""

    volumes: Mapping[str, bool]
    host_network: bool
    grace_seconds: int

    @classmethod
    def of(cls, spec: Mapping[str, Any], volumes: Mapping[str, bool]) -> "Surroundings":
        grace = spec.get("terminationGracePeriodSeconds")
        return cls(
            volumes=volumes,
            host_network=spec.get("hostNetwork") is True,
            grace_seconds=grace if isinstance(grace, int) else 30,
        )


def containers(
    spec: Mapping[str, Any], path: str, surroundings: Surroundings
) -> Iterator[FieldError]:
    """Those of a pod's *spec*, ordinary ones, those that run before and those that look in."""
    main, first = entries(spec, "containers"), entries(spec, "initContainers")
    if not main:
        yield required(f"{path}.containers")
    names: set[str] = set()
    for number, one in enumerate(main):
        at = f"{path}.containers[{number}]"
        yield from _container(one, at, surroundings)
        yield from _own_name(one, at, names)
        yield from lifecycle(section(one, "lifecycle"), at, surroundings.grace_seconds)
        yield from probes(one, at)
    yield from _host_ports(main, f"{path}.containers")
    for number, one in enumerate(first):
        at = f"{path}.initContainers[{number}]"
        yield from _container(one, at, surroundings)
        yield from _own_name(one, at, names)
        yield from _host_ports([one], f"{path}.initContainers")
        if one.get("restartPolicy") == "Always":
            yield from lifecycle(section(one, "lifecycle"), at, surroundings.grace_seconds)
            yield from probes(one, at)
            continue
        why = "may not be set for init containers without restartPolicy=Always"
        yield from (forbidden(f"{at}.{name}", why) for name in _LIVING if one.get(name) is not None)
    lasting = frozenset(names)
    for number, one in enumerate(entries(spec, "ephemeralContainers")):
        at = f"{path}.ephemeralContainers[{number}]"
        yield from _container(one, at, surroundings)
        yield from _own_name(one, at, names)
        yield from _only_looking(one, at, lasting)


def _only_looking(
    container: Mapping[str, Any], path: str, lasting: frozenset[str]
) -> Iterator[FieldError]:
    """An ephemeral container serves nobody. *lasting*: the names of the others."""
    target = container.get("targetContainerName")
    if target and target not in lasting:
        yield not_found(f"{path}.targetContainerName", target)
    for name in _NOT_EPHEMERAL:
        if container.get(name):
            yield forbidden(f"{path}.{name}", _FOR_EPHEMERAL)
    for number, mount in enumerate(entries(container, "volumeMounts")):
        for name in ("subPath", "subPathExpr"):
            if mount.get(name):
                yield forbidden(f"{path}.volumeMounts[{number}].{name}", _FOR_EPHEMERAL)


def _own_name(container: Mapping[str, Any], path: str, names: set[str]) -> Iterator[FieldError]:
    name = str(container.get("name") or "")
    if name in names:
        yield duplicate(f"{path}.name", name)
    names.add(name)


def _container(
    container: Mapping[str, Any], path: str, surroundings: Surroundings
) -> Iterator[FieldError]:
    yield from named(container, path, texts.label)
    if not container.get("image"):
        yield required(f"{path}.image")
    yield from one_of(
        container, "terminationMessagePolicy", path, ("File", "FallbackToLogsOnError")
    )
    yield from _ports(container, path, host_network=surroundings.host_network)
    yield from environment(container, path)
    yield from _mounts(container, path, surroundings.volumes)
    yield from _devices(container, path, surroundings.volumes)
    yield from one_of(container, "imagePullPolicy", path, _PULLS)
    yield from one_of(container, "restartPolicy", path, _RESTARTS)
    yield from resources(section(container, "resources"), f"{path}.resources")
    security = section(container, "securityContext")
    yield from container_security(security, f"{path}.securityContext")


def _ports(container: Mapping[str, Any], path: str, *, host_network: bool) -> Iterator[FieldError]:
    names: set[str] = set()
    for number, one in enumerate(entries(container, "ports")):
        at = f"{path}.ports[{number}]"
        name = one.get("name")
        if name:
            yield from text(name, f"{at}.name", texts.port_name)
            if name in names:
                yield duplicate(f"{at}.name", name)
            names.add(name)
        if not one.get("containerPort"):
            yield required(f"{at}.containerPort")
        yield from within(one.get("containerPort") or 1, f"{at}.containerPort", 1, 65_535)
        # A host port of 0 is none.
        host_port = one.get("hostPort") or 0
        if host_port:
            yield from port_number(host_port, f"{at}.hostPort")
            if host_network and host_port != one.get("containerPort"):
                why = "must match `containerPort` when `hostNetwork` is true"
                yield invalid(f"{at}.hostPort", host_port, why)
        yield from one_of(one, "protocol", at, PROTOCOLS)


def _host_ports(found: Sequence[Mapping[str, Any]], path: str) -> Iterator[FieldError]:
    """Each address and port of the machine is taken once."""
    seen: set[str] = set()
    for number, container in enumerate(found):
        for index, one in enumerate(entries(container, "ports")):
            if not one.get("hostPort"):
                continue
            place = f"{one.get('protocol') or 'TCP'}/{one.get('hostIP') or ''}/{one['hostPort']}"
            if place in seen:
                yield duplicate(f"{path}[{number}].ports[{index}].hostPort", place)
            seen.add(place)


def _mounts(
    container: Mapping[str, Any], path: str, volumes: Mapping[str, bool]
) -> Iterator[FieldError]:
    places: set[str] = set()
    devices = {str(one.get("name")) for one in entries(container, "volumeDevices")}
    for number, one in enumerate(entries(container, "volumeMounts")):
        at = f"{path}.volumeMounts[{number}]"
        name, place = str(one.get("name") or ""), str(one.get("mountPath") or "")
        if not name:
            yield required(f"{at}.name")
        if name not in volumes:
            yield not_found(f"{at}.name", name)
        if not place:
            yield required(f"{at}.mountPath")
        if place in places:
            yield invalid(f"{at}.mountPath", place, "must be unique")
        places.add(place)
        if name in devices:
            yield invalid(f"{at}.name", name, "must not already exist in volumeDevices")
        # Upstream names these two without the number of the mount.
        yield from text(one.get("subPath"), f"{path}.volumeMounts.subPath", texts.local_path)
        yield from text(
            one.get("subPathExpr"), f"{path}.volumeMounts.subPathExpr", texts.local_path
        )
        if one.get("subPathExpr") and one.get("subPath"):
            why = "subPathExpr and subPath are mutually exclusive"
            yield invalid(f"{at}.subPathExpr", one["subPathExpr"], why)


def _devices(
    container: Mapping[str, Any], path: str, volumes: Mapping[str, bool]
) -> Iterator[FieldError]:
    names: set[str] = set()
    for number, one in enumerate(entries(container, "volumeDevices")):
        at = f"{path}.volumeDevices[{number}]"
        name = str(one.get("name") or "")
        if not name:
            yield required(f"{at}.name")
        if name in names:
            yield invalid(f"{at}.name", name, "must be unique")
        names.add(name)
        if name not in volumes:
            yield not_found(f"{at}.name", name)
        elif not volumes[name]:
            why = (
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block "
                "mode"
            )
            yield invalid(f"{at}.name", name, why)
        if not one.get("devicePath"):
            yield required(f"{at}.devicePath")
