"""Where a kind keeps the pods it runs: for changing what containers look like."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.api.binding import is_built_in
from shared.apimachinery.manifest import GroupVersionKind, Manifest

_TEMPLATE = ("spec", "template", "spec")
# group, kind -> path of the pod's spec within the object.
_POD_SPECS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("", "ReplicationController"): _TEMPLATE,
    ("", "PodTemplate"): ("template", "spec"),
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}
# A pod's own template, wherever a custom kind keeps it: one of Argo Rollouts in `spec`, those of
# Volcano's tasks in a list, those of Kubeflow's replicas in a map.
_TEMPLATES = ("template", "podTemplate")
_LISTS = ("initContainers", "containers")


def pod_specs(manifest: Manifest) -> list[dict[str, Any]]:
    """Return the specs of the pods the object describes, part of *manifest*; none for most kinds.

    In a custom kind every `template` or `podTemplate` whose spec lists containers is one.
    """
    gvk = GroupVersionKind.of(manifest)
    path = _POD_SPECS.get((gvk.group, gvk.kind))
    if path is None:
        return [] if is_built_in(gvk.group) else list(_found(manifest.get("spec")))
    place: Any = manifest
    for name in path:
        place = place.get(name) if isinstance(place, dict) else None
    return [place] if isinstance(place, dict) else []


def containers_of(manifest: Manifest) -> list[dict[str, Any]]:
    """Return the containers of every pod, init containers first; parts of *manifest*."""
    return [
        one
        for spec in pod_specs(manifest)
        for name in _LISTS
        for one in _sequence(spec.get(name))
        if isinstance(one, dict)
    ]


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _found(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from _found(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            spec = each.get("spec") if isinstance(each, dict) else None
            if name in _TEMPLATES and isinstance(spec, dict) and "containers" in spec:
                yield spec
            else:
                yield from _found(each)
