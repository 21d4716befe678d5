"""What a built-in object has for a status before anybody has said one.

Typed clients read `status.replicas` without asking whether there is a status: an API server in Go
always shows one, with zero in the fields that are never left out (`k8s.io/api/*/types.go`).
"""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest

_FLOW = "flowcontrol.apiserver.k8s.io"
_NODE_FACTS = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)
_EMPTY: Mapping[str, Any] = {}
_BALANCED: Mapping[str, Any] = {"loadBalancer": {}}


def _zero(*names: str) -> dict[str, int]:
    return dict.fromkeys(names, 0)


_FIRST: Mapping[GroupResource, Mapping[str, Any]] = {
    GroupResource("", "nodes"): {
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": dict.fromkeys(_NODE_FACTS, ""),
    },
    GroupResource("", "replicationcontrollers"): _zero("replicas"),
    GroupResource("", "resourcequotas"): _EMPTY,
    GroupResource("", "services"): _BALANCED,
    GroupResource("admissionregistration.k8s.io", "validatingadmissionpolicies"): _EMPTY,
    GroupResource("apiregistration.k8s.io", "apiservices"): _EMPTY,
    GroupResource("apps", "daemonsets"): _zero(
        "currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"
    ),
    GroupResource("apps", "deployments"): _EMPTY,
    GroupResource("apps", "replicasets"): _zero("replicas"),
    GroupResource("apps", "statefulsets"): _zero("replicas", "availableReplicas"),
    GroupResource("autoscaling", "horizontalpodautoscalers"): {
        "desiredReplicas": 0,
        "currentMetrics": None,
    },
    GroupResource("batch", "cronjobs"): _EMPTY,
    GroupResource("batch", "jobs"): _EMPTY,
    GroupResource("certificates.k8s.io", "certificatesigningrequests"): _EMPTY,
    GroupResource(_FLOW, "flowschemas"): _EMPTY,
    GroupResource(_FLOW, "prioritylevelconfigurations"): _EMPTY,
    GroupResource("networking.k8s.io", "ingresses"): _BALANCED,
    GroupResource("networking.k8s.io", "servicecidrs"): _EMPTY,
    GroupResource("policy", "poddisruptionbudgets"): _zero(
        "disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"
    ),
    GroupResource("resource.k8s.io", "resourceclaims"): _EMPTY,
    GroupResource("storage.k8s.io", "volumeattachments"): {"attached": False},
}
_AUTOSCALERS = GroupResource("autoscaling", "horizontalpodautoscalers")
_FIRST_OF_V1 = _zero("currentReplicas", "desiredReplicas")


def with_status(resource: GroupResource, manifest: Manifest) -> Manifest:
    """Return *manifest* with a status, and in it what is never left out."""
    first = _FIRST.get(resource)
    if first is None:
        return manifest
    if resource == _AUTOSCALERS and manifest.get("apiVersion") == "autoscaling/v1":
        first = _FIRST_OF_V1
    said = manifest.get("status")
    if not isinstance(said, dict):
        return {**manifest, "status": dict(first)}
    if all(name in said for name in first):
        return manifest
    return {**manifest, "status": {**first, **said}}
