"""How a container is asked for its health, and what runs at its start and end."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    at_least,
    forbidden,
    invalid,
    one_of,
    port,
    required,
    text,
)
from shared.errors import FieldError

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_NUMBERS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)


def probes(container: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name in _PROBES:
        if container.get(name) is not None:
            yield from _probe(section(container, name), f"{path}.{name}", name)


def _probe(probe: Mapping[str, Any], path: str, name: str) -> Iterator[FieldError]:
    yield from _handler(probe, path, _HANDLERS[:4], grace_seconds=0)
    yield from at_least(probe, path, _NUMBERS)
    grace = probe.get("terminationGracePeriodSeconds")
    if isinstance(grace, int):
        at = f"{path}.terminationGracePeriodSeconds"
        if grace <= 0:
            yield invalid(at, grace, "must be greater than 0")
        if name == "readinessProbe":
            yield invalid(at, grace, "must not be set for readinessProbes")
    # Absent and 0 both become 1.
    successes = probe.get("successThreshold") or 1
    if name != "readinessProbe" and successes != 1:
        yield invalid(f"{path}.successThreshold", successes, "must be 1")


def lifecycle(found: Mapping[str, Any], path: str, grace_seconds: int) -> Iterator[FieldError]:
    for name in ("postStart", "preStop"):
        if found.get(name) is not None:
            at = f"{path}.lifecycle.{name}"
            yield from _handler(section(found, name), at, _HANDLERS, grace_seconds=grace_seconds)


def _handler(
    found: Mapping[str, Any], path: str, kinds: tuple[str, ...], *, grace_seconds: int
) -> Iterator[FieldError]:
    given = [name for name in kinds if found.get(name) is not None]
    if not given:
        yield required(path, "must specify a handler type")
        return
    action, at = section(found, given[0]), f"{path}.{given[0]}"
    match given[0]:
        case "exec":
            if not action.get("command"):
                yield required(f"{at}.command")
        case "httpGet":
            yield from _request(action, at)
        case "sleep":
            seconds = action.get("seconds") or 0
            if not 0 <= seconds <= grace_seconds:
                least = "must be non-negative and less than terminationGracePeriodSeconds"
                yield invalid(at, seconds, f"{least} ({grace_seconds})")
        case _:
            yield from port(action.get("port"), f"{at}.port")
    for name in given[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 handler type")


def _request(action: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from port(action.get("port"), f"{path}.port")
    yield from one_of(action, "scheme", path, ("HTTP", "HTTPS"))
    for header in entries(action, "httpHeaders"):
        yield from text(header.get("name") or "", f"{path}.httpHeaders", texts.header_name)
