"""Fields that an object of a built-in kind always has, sent or not.

A typed server reads an object into structures, in which required fields and parts that are
structures themselves are there from the start, empty. Who first sets a part of one has added that
part and not the whole, which is what `managedFields` tells. Source: the types of k8s.io/api.
"""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.facts import definition_of

# Structures by these names are never optional.
_EMBEDDED = frozenset(("metadata", "spec", "status"))

# What is there although the published schema does not require it.
_BESIDE_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "apps.v1.DaemonSetSpec": ("updateStrategy",),
    "apps.v1.DeploymentSpec": ("strategy",),
    "apps.v1.ReplicaSetSpec": ("template",),
    "apps.v1.StatefulSetSpec": ("serviceName", "updateStrategy"),
    "autoscaling.v2.HorizontalPodAutoscalerStatus": ("currentMetrics",),
    "core.v1.Container": ("resources",),
    "core.v1.ContainerStatus": ("lastState", "state"),
    "core.v1.EphemeralContainer": ("resources",),
    "core.v1.Event": ("involvedObject", "source"),
    "core.v1.NodeStatus": ("daemonEndpoints", "nodeInfo"),
    "core.v1.PersistentVolumeClaimSpec": ("resources",),
    "core.v1.PodTemplate": ("template",),
    "core.v1.ProjectedVolumeSource": ("sources",),
    "core.v1.ServicePort": ("targetPort",),
    "core.v1.ServiceStatus": ("loadBalancer",),
    "discovery.v1.Endpoint": ("conditions",),
    "discovery.v1.EndpointSlice": ("endpoints", "ports"),
    "events.v1.Event": ("deprecatedSource", "regarding"),
    "flowcontrol.v1.LimitedPriorityLevelConfiguration": ("limitResponse",),
    "networking.v1.IngressServiceBackend": ("port",),
    "networking.v1.IngressStatus": ("loadBalancer",),
    "networking.v1.NetworkPolicySpec": ("podSelector",),
    "rbac.v1.ClusterRole": ("rules",),
    "rbac.v1.Role": ("rules",),
    "rbac.v1.RoleRef": ("apiGroup",),
    "resource.v1.AllocationResult": ("devices",),
    "resource.v1.DeviceClaim": ("requests",),
    "resource.v1.ResourceClaimSpec": ("devices",),
}
_API = "io.k8s.api."


def is_defined(properties: Mapping[str, Any]) -> bool:
    """Whether *properties* are those of a built-in type."""
    return definition_of(properties) is not None


def always_there(properties: Mapping[str, Any], required: tuple[str, ...]) -> frozenset[str]:
    """Return the fields that every value of a type has; *properties* tell which type it is.

    None of a type that is not built in: its objects are only what was sent.
    """
    name = definition_of(properties)
    if name is None:
        return frozenset()
    embedded = {part for part in _EMBEDDED & properties.keys() if "$ref" in properties[part]}
    beside = _BESIDE_REQUIRED.get(name.removeprefix(_API), ())
    return frozenset(embedded).union(required, beside)
