"""Whether one object in one member does what its author wants, judged by its own status.

The rules are those kubectl's `rollout status` and GitOps tools go by: a status that speaks of an
older generation says nothing, "not yet" is Progressing, and Degraded is kept for what will not
heal by waiting. A kind without a rule is Healthy once it exists, unless it carries one of the
usual conditions (Ready, Available, Stalled, Reconciling: see kstatus in cli-utils).
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.api.binding import Health
from shared.apimachinery.manifest import Manifest, generation_of

Condition = Mapping[str, Any]

# A container in one of these states stays there until somebody changes the manifest.
_HOPELESS_WAITS = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)


def section_of(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a part such as `spec` or `status`, or an empty mapping."""
    found = parent.get(name)
    return found if isinstance(found, dict) else {}


def count(section: Mapping[str, Any], name: str, default: int = 0) -> int:
    """Return the number under *name*; some write `observedGeneration` as a text."""
    found = section.get(name, default)
    if isinstance(found, str) and found.isascii() and found.isdecimal():
        return int(found)
    return found if isinstance(found, int) else default


def conditions_of(status: Mapping[str, Any]) -> dict[str, Condition]:
    """Conditions by type; what is no condition is left out."""
    found = status.get("conditions")
    if not isinstance(found, list):
        return {}
    return {
        str(condition["type"]): condition
        for condition in found
        if isinstance(condition, dict) and "type" in condition
    }


def is_true(conditions: Mapping[str, Condition], name: str) -> bool:
    return conditions.get(name, {}).get("status") == "True"


def is_false(conditions: Mapping[str, Condition], name: str) -> bool:
    return conditions.get(name, {}).get("status") == "False"


def is_behind(manifest: Manifest, status: Mapping[str, Any]) -> bool:
    """Whether *status* speaks of an older generation of the object."""
    return count(status, "observedGeneration") < generation_of(manifest)


def _deployment(manifest: Manifest) -> Health:
    spec, status = section_of(manifest, "spec"), section_of(manifest, "status")
    if is_behind(manifest, status):
        return "Progressing"
    conditions = conditions_of(status)
    progressing = conditions.get("Progressing", {})
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return "Degraded"
    if is_true(conditions, "ReplicaFailure"):
        return "Degraded"
    updated = count(status, "updatedReplicas")
    available = count(status, "availableReplicas")
    if updated < count(spec, "replicas", 1) or count(status, "replicas") > updated:
        return "Progressing"
    if available < updated:
        # Rolled out before and too few left now: it is not on its way up, it fell.
        fell = progressing.get("reason") == "NewReplicaSetAvailable"
        return "Degraded" if fell and is_false(conditions, "Available") else "Progressing"
    return "Healthy"


def _stateful_set(manifest: Manifest) -> Health:
    spec, status = section_of(manifest, "spec"), section_of(manifest, "status")
    if is_behind(manifest, status):
        return "Progressing"
    replicas = count(spec, "replicas", 1)
    if count(status, "readyReplicas") < replicas:
        return "Progressing"
    strategy = section_of(spec, "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return "Healthy"
    partition = count(section_of(strategy, "rollingUpdate"), "partition")
    if partition:
        done = count(status, "updatedReplicas") >= max(replicas - partition, 0)
    else:
        done = status.get("currentRevision") == status.get("updateRevision")
    return "Healthy" if done else "Progressing"


def _daemon_set(manifest: Manifest) -> Health:
    spec, status = section_of(manifest, "spec"), section_of(manifest, "status")
    if is_behind(manifest, status):
        return "Progressing"
    desired = count(status, "desiredNumberScheduled")
    on_delete = section_of(spec, "updateStrategy").get("type") == "OnDelete"
    if not on_delete and count(status, "updatedNumberScheduled") < desired:
        return "Progressing"
    return "Healthy" if count(status, "numberAvailable") >= desired else "Progressing"


def _replica_set(manifest: Manifest) -> Health:
    spec, status = section_of(manifest, "spec"), section_of(manifest, "status")
    if is_behind(manifest, status):
        return "Progressing"
    if is_true(conditions_of(status), "ReplicaFailure"):
        return "Degraded"
    enough = count(status, "availableReplicas") >= count(spec, "replicas", 1)
    return "Healthy" if enough else "Progressing"


def _job(manifest: Manifest) -> Health:
    conditions = conditions_of(section_of(manifest, "status"))
    if is_true(conditions, "Failed"):
        return "Degraded"
    # A suspended job does what its author asked for.
    finished = is_true(conditions, "Complete") or is_true(conditions, "Suspended")
    return "Healthy" if finished else "Progressing"


def _pod(manifest: Manifest) -> Health:
    status = section_of(manifest, "status")
    match status.get("phase"):
        case "Succeeded":
            return "Healthy"
        case "Failed":
            return "Degraded"
        case "Unknown":
            return "Unknown"
    for container in (
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _HOPELESS_WAITS:
            return "Degraded"
    return "Healthy" if is_true(conditions_of(status), "Ready") else "Progressing"


def _volume_claim(manifest: Manifest) -> Health:
    phases: Mapping[Any, Health] = {"Bound": "Healthy", "Lost": "Degraded"}
    return phases.get(section_of(manifest, "status").get("phase"), "Progressing")


def _has_address(manifest: Manifest) -> bool:
    balancer = section_of(manifest, "status").get("loadBalancer") or {}
    return any(
        isinstance(entry, dict) and (entry.get("ip") or entry.get("hostname"))
        for entry in balancer.get("ingress") or ()
    )


def _service(manifest: Manifest) -> Health:
    if section_of(manifest, "spec").get("type") != "LoadBalancer":
        return "Healthy"
    return "Healthy" if _has_address(manifest) else "Progressing"


def _ingress(manifest: Manifest) -> Health:
    return "Healthy" if _has_address(manifest) else "Progressing"


def _autoscaler(manifest: Manifest) -> Health:
    conditions = conditions_of(section_of(manifest, "status"))
    if not conditions:
        return "Progressing"
    if is_false(conditions, "AbleToScale"):
        return "Degraded"
    active = conditions.get("ScalingActive", {})
    if active.get("status") == "False" and active.get("reason") != "ScalingDisabled":
        return "Degraded"
    return "Healthy"


def _disruption_budget(manifest: Manifest) -> Health:
    status = section_of(manifest, "status")
    if is_behind(manifest, status):
        return "Progressing"
    enough = count(status, "currentHealthy") >= count(status, "desiredHealthy")
    return "Healthy" if enough else "Progressing"


def _namespace(manifest: Manifest) -> Health:
    terminating = section_of(manifest, "status").get("phase") == "Terminating"
    return "Progressing" if terminating else "Healthy"


def _custom_resource_definition(manifest: Manifest) -> Health:
    conditions = conditions_of(section_of(manifest, "status"))
    if is_false(conditions, "NamesAccepted"):
        return "Degraded"
    return "Healthy" if is_true(conditions, "Established") else "Progressing"


def health_by_conditions(manifest: Manifest) -> Health:
    """What most controllers keep to: a lagging generation, then the conditions they share."""
    status = section_of(manifest, "status")
    if "observedGeneration" in status and is_behind(manifest, status):
        return "Progressing"
    conditions = conditions_of(status)
    if is_true(conditions, "Stalled"):
        return "Degraded"
    if is_true(conditions, "Reconciling"):
        return "Progressing"
    for name in ("Ready", "Available"):
        if name in conditions:
            return "Healthy" if is_true(conditions, name) else "Progressing"
    return "Healthy"


BUILT_IN: Mapping[tuple[str, str], Callable[[Manifest], Health]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("", "ReplicationController"): _replica_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _volume_claim,
    ("", "Service"): _service,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("policy", "PodDisruptionBudget"): _disruption_budget,
    ("", "Namespace"): _namespace,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _custom_resource_definition,
}
"""By group and kind: judges an object as a member's API returned it."""
