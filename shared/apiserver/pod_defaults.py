"""The few defaults of pod specs without which kubectl cannot show an object. Pure.

Members fill in defaults of their own version, so the hub stores as few as it can: these are the
optional fields that `kubectl describe` takes for given, with the one value Kubernetes gives them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest

TOKEN_EXPIRATION_SECONDS = 3600

_TEMPLATE = ("spec", "template", "spec")
_POD_SPECS: Mapping[GroupResource, tuple[str, ...]] = {
    GroupResource("", "pods"): ("spec",),
    GroupResource("", "podtemplates"): ("template", "spec"),
    GroupResource("", "replicationcontrollers"): _TEMPLATE,
    GroupResource("apps", "deployments"): _TEMPLATE,
    GroupResource("apps", "replicasets"): _TEMPLATE,
    GroupResource("apps", "statefulsets"): _TEMPLATE,
    GroupResource("apps", "daemonsets"): _TEMPLATE,
    GroupResource("batch", "jobs"): _TEMPLATE,
    GroupResource("batch", "cronjobs"): ("spec", "jobTemplate", *_TEMPLATE),
}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def fill_pod_spec(resource: GroupResource, manifest: Manifest) -> Manifest:
    """Return *manifest* with them; itself where nothing is missing or it holds no pod spec."""
    path = _POD_SPECS.get(resource)
    if path is None:
        return manifest
    filled: Manifest = _at(manifest, path, _fill)
    return filled


def _at(value: Any, path: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    """Return *value* with what lies at *path* changed, copying only what is on the way."""
    if not isinstance(value, dict):
        return value
    if not path:
        return change(value)
    if path[0] not in value:
        return value
    before = value[path[0]]
    after = _at(before, path[1:], change)
    return value if after is before else {**value, path[0]: after}


def _each(items: Any, change: Callable[[Any], Any]) -> Any:
    if not isinstance(items, list):
        return items
    changed = [change(item) for item in items]
    same = all(after is before for after, before in zip(changed, items, strict=True))
    return items if same else changed


def _fill(spec: Any) -> Any:
    for field, change in _PARTS.items():
        if field in spec:
            before = spec[field]
            after = _each(before, change)
            if after is not before:
                spec = {**spec, field: after}
    return spec


def _fill_container(container: Any) -> Any:
    for probe in _PROBES:
        container = _at(container, (probe, "grpc"), _fill_grpc)
    return container


def _fill_grpc(action: Any) -> Any:
    return {**action, "service": ""} if action.get("service") is None else action


def _fill_volume(volume: Any) -> Any:
    return _at(volume, ("projected",), _fill_projected)


def _fill_projected(projected: Any) -> Any:
    before = projected.get("sources")
    after = _each(before, lambda source: _at(source, ("serviceAccountToken",), _fill_token))
    return projected if after is before else {**projected, "sources": after}


def _fill_token(token: Any) -> Any:
    if token.get("expirationSeconds") is not None:
        return token
    return {**token, "expirationSeconds": TOKEN_EXPIRATION_SECONDS}


_PARTS: Mapping[str, Callable[[Any], Any]] = {
    "containers": _fill_container,
    "initContainers": _fill_container,
    "ephemeralContainers": _fill_container,
    "volumes": _fill_volume,
}
