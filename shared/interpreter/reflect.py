"""What of a member object's status is reported to the hub: enough to add up, and small.

A kind in the table reports the named fields. Any other reports its whole status while that is
small, and else only what says how it is. `generation` (the member object's own, beside its
`observedGeneration`) is added where the kind has one, so that the hub can tell a status that
speaks of what was applied from one that is behind it.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from shared.apimachinery.manifest import Manifest, encode, generation_of
from shared.interpreter.health import section_of
from shared.interpreter.paths import Path, put, value_at

GENERATION = "generation"
"""Key under which the member object's `metadata.generation` travels."""

_WHOLE_BYTES_MAX = 4096
_MESSAGE_CHARACTERS_MAX = 512

# Heartbeats and times of the last update change without telling anything new.
_CONDITION_FIELDS = ("type", "status", "reason", "message", "lastTransitionTime")
_CONTAINER_FIELDS = ("name", "image", "imageID", "ready", "restartCount", "started", "state")
_SUMMARY_FIELDS = ("observedGeneration", "phase", "replicas", "readyReplicas", "conditions")

_REPLICA_SET = (
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "observedGeneration",
    "conditions",
)
_FIELDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): (
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "observedGeneration",
        "conditions",
    ),
    ("apps", "StatefulSet"): (
        "replicas",
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
        "currentRevision",
        "updateRevision",
        "observedGeneration",
        "conditions",
    ),
    ("apps", "DaemonSet"): (
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "observedGeneration",
        "conditions",
    ),
    ("apps", "ReplicaSet"): _REPLICA_SET,
    ("", "ReplicationController"): _REPLICA_SET,
    ("batch", "Job"): (
        "active",
        "ready",
        "succeeded",
        "failed",
        "startTime",
        "completionTime",
        "conditions",
    ),
    ("batch", "CronJob"): ("active", "lastScheduleTime", "lastSuccessfulTime"),
    ("", "Pod"): (
        "phase",
        "reason",
        "message",
        "podIP",
        "hostIP",
        "startTime",
        "containerStatuses",
        "initContainerStatuses",
        "conditions",
    ),
    ("", "PersistentVolumeClaim"): ("phase", "accessModes", "capacity", "conditions"),
    ("", "Service"): ("loadBalancer",),
    ("networking.k8s.io", "Ingress"): ("loadBalancer",),
    ("autoscaling", "HorizontalPodAutoscaler"): (
        "currentReplicas",
        "desiredReplicas",
        "currentMetrics",
        "lastScaleTime",
        "observedGeneration",
        "conditions",
    ),
    ("policy", "PodDisruptionBudget"): (
        "currentHealthy",
        "desiredHealthy",
        "disruptionsAllowed",
        "expectedPods",
        "observedGeneration",
        "conditions",
    ),
    ("", "Namespace"): ("phase",),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("conditions",),
}


def reflect_any(manifest: Manifest) -> dict[str, Any]:
    """The whole status while it is small, and else only what says how the object is."""
    status = section_of(manifest, "status")
    small = len(encode(dict(status))) <= _WHOLE_BYTES_MAX
    return reflect_fields(manifest, tuple(status) if small else _SUMMARY_FIELDS)


def reflect_fields(manifest: Manifest, names: Collection[str]) -> dict[str, Any]:
    """Return the fields *names* of the status, conditions without what changes all the time.

    The values are shared with *manifest*: not for changing.
    """
    status = section_of(manifest, "status")
    found = {name: _trimmed(name, status[name]) for name in names if name in status}
    if "observedGeneration" in found and generation_of(manifest):
        found[GENERATION] = generation_of(manifest)
    return found


def reflect_paths(manifest: Manifest, paths: Collection[Path]) -> dict[str, Any]:
    """`reflect_fields` for what lies deeper too."""
    status = section_of(manifest, "status")
    found = reflect_fields(manifest, {"observedGeneration", *(p[0] for p in paths if len(p) == 1)})
    for path in paths:
        if len(path) > 1 and (value := value_at(status, path)) is not None:
            put(found, path, value)
    return found


def _trimmed(name: str, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if name == "conditions":
        return [_condition(entry) for entry in value if isinstance(entry, dict)]
    if name in ("containerStatuses", "initContainerStatuses"):
        return [_pick(entry, _CONTAINER_FIELDS) for entry in value if isinstance(entry, dict)]
    return value


def _condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    found = _pick(condition, _CONDITION_FIELDS)
    if len(str(found.get("message", ""))) > _MESSAGE_CHARACTERS_MAX:
        found["message"] = str(found["message"])[: _MESSAGE_CHARACTERS_MAX - 1] + "…"
    return found


def _pick(mapping: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: mapping[name] for name in names if name in mapping}


def _by_fields(names: tuple[str, ...]) -> Callable[[Manifest], dict[str, Any]]:
    return lambda manifest: reflect_fields(manifest, names)


BUILT_IN: Mapping[tuple[str, str], Callable[[Manifest], dict[str, Any]]] = {
    kind: _by_fields(names) for kind, names in _FIELDS.items()
}
"""By group and kind: what of an object's status is reported."""
