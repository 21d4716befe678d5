"""What a cluster fills in of services, policies, storage, access and scaling."""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.defaults.filling import counted, each, filled
from shared.apimachinery.defaults.pods import template_filled
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import section

_CPU_PERCENT = 80
_AFFINITY_SECONDS = 10_800
_RBAC = "rbac.authorization.k8s.io"
_PERCENT = {"type": "Percent", "value": 100, "periodSeconds": 15}
_UP: Mapping[str, Any] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, _PERCENT],
}
_DOWN: Mapping[str, Any] = {"selectPolicy": "Max", "policies": [_PERCENT]}
_WEBHOOK = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "timeoutSeconds": 10,
}


def fill_autoscaler(spec: dict[str, Any]) -> None:
    spec.update(filled(spec, {"minReplicas": 1}))
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": _CPU_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if spec.get("behavior") is not None:
        given = section(spec, "behavior")
        spec["behavior"] = {
            **given,
            "scaleUp": filled(section(given, "scaleUp"), _UP),
            "scaleDown": filled(section(given, "scaleDown"), _DOWN),
        }


def fill_autoscaler_v1(spec: dict[str, Any]) -> None:
    usual = {"minReplicas": 1, "targetCPUUtilizationPercentage": _CPU_PERCENT}
    spec.update(filled(spec, usual))


def fill_claim(spec: dict[str, Any]) -> None:
    spec.update(filled(spec, {"volumeMode": "Filesystem"}))


def fill_volume(spec: dict[str, Any]) -> None:
    usual = {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"}
    spec.update(filled(spec, usual))
    if spec.get("hostPath"):
        spec["hostPath"] = {"type": "", **section(spec, "hostPath")}


def fill_service(spec: dict[str, Any]) -> None:
    spec.update(filled(spec, {"type": "ClusterIP"}))
    kind = spec["type"]
    spec.update(filled(spec, {"sessionAffinity": "None"}))
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    if spec["sessionAffinity"] == "ClientIP":
        client = section(spec, "sessionAffinityConfig", "clientIP")
        full = filled(client, {"timeoutSeconds": _AFFINITY_SECONDS})
        spec["sessionAffinityConfig"] = {**section(spec, "sessionAffinityConfig"), "clientIP": full}
    if kind != "ExternalName":
        spec.update(filled(spec, {"internalTrafficPolicy": "Cluster"}))
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        spec["allocateLoadBalancerNodePorts"] = True
    if kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and spec.get("externalIPs")):
        spec.update(filled(spec, {"externalTrafficPolicy": "Cluster"}))
    each(spec, "ports", _service_port)


def _service_port(port: Mapping[str, Any]) -> Mapping[str, Any]:
    return counted(port, {"protocol": "TCP", "targetPort": port.get("port")})


def fill_network_policy(spec: dict[str, Any]) -> None:
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for direction in ("ingress", "egress"):
        each(spec, direction, _rule)


def _rule(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    full = dict(rule)
    each(full, "ports", _with_protocol)
    return full


def _with_protocol(port: Mapping[str, Any]) -> Mapping[str, Any]:
    return filled(port, {"protocol": "TCP"})


def fill_ingress_class(spec: dict[str, Any]) -> None:
    if section(spec, "parameters"):
        spec["parameters"] = filled(section(spec, "parameters"), {"scope": "Cluster"})


def fill_driver(spec: dict[str, Any]) -> None:
    usual = {"attachRequired": True, "fsGroupPolicy": "ReadWriteOnceWithFSType"}
    said = ("podInfoOnMount", "requiresRepublish", "seLinuxMount", "storageCapacity")
    spec.update(filled(spec, {**usual, **dict.fromkeys(said, False)}))
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def fill_limit_range(spec: dict[str, Any]) -> None:
    each(spec, "limits", _limit)


def _limit(limit: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of containers: the usual limit is the greatest, the usual request is the usual limit."""
    if limit.get("type") != "Container":
        return limit
    usual = {**section(limit, "max"), **section(limit, "default")}
    asked = {**section(limit, "min"), **usual, **section(limit, "defaultRequest")}
    found = {"default": usual, "defaultRequest": asked}
    return {**limit, **{name: amounts for name, amounts in found.items() if amounts}}


# Kinds whose fields are not below a spec.


def with_storage_class(manifest: Manifest) -> Manifest:
    return filled(manifest, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"})


def with_priority_class(manifest: Manifest) -> Manifest:
    return filled(manifest, {"preemptionPolicy": "PreemptLowerPriority"})


def with_pod_template(manifest: Manifest) -> Manifest:
    return {**manifest, "template": template_filled(section(manifest, "template"))}


def with_endpoints(manifest: Manifest) -> Manifest:
    full = dict(manifest)
    each(full, "subsets", _rule)
    return full


def with_endpoint_slice(manifest: Manifest) -> Manifest:
    full = dict(manifest)
    each(full, "ports", lambda one: filled(one, {"name": "", "protocol": "TCP"}))
    each(full, "endpoints", lambda one: filled(one, {"conditions": {}}))
    return full


def with_binding(manifest: Manifest) -> Manifest:
    full = {**manifest, "roleRef": filled(section(manifest, "roleRef"), {"apiGroup": _RBAC})}
    each(full, "subjects", _subject)
    return full


def _subject(subject: Mapping[str, Any]) -> Mapping[str, Any]:
    if subject.get("kind") in ("User", "Group"):
        return filled(subject, {"apiGroup": _RBAC})
    return subject


def with_validating_webhooks(manifest: Manifest) -> Manifest:
    full = dict(manifest)
    each(full, "webhooks", _webhook)
    return full


def with_mutating_webhooks(manifest: Manifest) -> Manifest:
    full = dict(manifest)
    each(full, "webhooks", lambda one: filled(_webhook(one), {"reinvocationPolicy": "Never"}))
    return full


def _webhook(webhook: Mapping[str, Any]) -> dict[str, Any]:
    full = filled(webhook, _WEBHOOK)
    client = section(full, "clientConfig")
    if section(client, "service"):
        service = filled(section(client, "service"), {"port": 443})
        full["clientConfig"] = {**client, "service": service}
    each(full, "rules", lambda one: filled(one, {"scope": "*"}))
    return full
