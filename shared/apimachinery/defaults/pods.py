"""What a cluster fills in of pods and their templates (`pkg/apis/core/v1/defaults.go`)."""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.defaults.filling import counted, each, filled
from shared.apimachinery.parts import entries, section

_POD: Mapping[str, Any] = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}
_CONTAINER: Mapping[str, Any] = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE: Mapping[str, Any] = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")
_FILE_MODE = 0o644
_TOKEN_SECONDS = 3_600


def template_filled(template: Mapping[str, Any]) -> dict[str, Any]:
    """Of a template of pods."""
    return {**template, "spec": pod_spec_with_defaults(section(template, "spec"))}


def fill_pod(spec: dict[str, Any]) -> None:
    """Of a pod itself, which asks for what it is limited to unless it says otherwise."""
    spec.update(pod_spec_with_defaults(spec))
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    host = spec.get("hostNetwork") is True
    for part in ("containers", "initContainers"):
        each(spec, part, lambda one: _of_pod(one, host=host))
    if section(spec, "resources", "limits"):
        spec["resources"] = _asking(spec)


def _asking(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a pod as a whole; what its containers ask for together is the members' to add up."""
    whole = section(spec, "resources")
    containers = [*entries(spec, "containers"), *entries(spec, "initContainers")]
    apart = {name for one in containers for name in section(one, "resources", "requests")}
    limits = section(whole, "limits")
    asked = {name: limits[name] for name in limits if name not in apart}
    asked.update(section(whole, "requests"))
    return {**whole, "requests": asked} if asked else whole


def _of_pod(container: Mapping[str, Any], *, host: bool) -> Mapping[str, Any]:
    full = dict(container)
    limits = section(full, "resources", "limits")
    if limits:
        asked = {**limits, **section(full, "resources", "requests")}
        full["resources"] = {**section(full, "resources"), "requests": asked}
    if host:
        each(full, "ports", lambda one: counted(one, {"hostPort": one.get("containerPort")}))
    return full


def pod_spec_with_defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Of a pod, or of a template of pods."""
    full = filled(spec, _POD)
    for part in ("containers", "initContainers", "ephemeralContainers"):
        each(full, part, _container)
    each(full, "volumes", _volume)
    if full.get("serviceAccountName"):
        full.setdefault("serviceAccount", full["serviceAccountName"])
    return full


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    full = filled(container, _CONTAINER)
    image = str(full.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    moving = "@" not in image and tag in ("", "latest")
    full = filled(full, {"imagePullPolicy": "Always" if moving else "IfNotPresent"})
    each(full, "ports", lambda one: filled(one, {"protocol": "TCP"}))
    for name in _PROBES:
        if full.get(name):
            full[name] = _probe(section(full, name))
    if full.get("lifecycle"):
        lifecycle = section(full, "lifecycle")
        hooks = {name: _handler(section(lifecycle, name)) for name in _HOOKS if name in lifecycle}
        full["lifecycle"] = {**lifecycle, **hooks}
    each(full, "env", _variable)
    return full


def _probe(probe: Mapping[str, Any]) -> dict[str, Any]:
    full = _handler(counted(probe, _PROBE))
    if full.get("grpc"):
        full["grpc"] = {"service": "", **full["grpc"]}
    return full


def _handler(handler: Mapping[str, Any]) -> dict[str, Any]:
    full = dict(handler)
    if full.get("httpGet"):
        full["httpGet"] = filled(section(full, "httpGet"), {"path": "/", "scheme": "HTTP"})
    return full


def _variable(variable: Mapping[str, Any]) -> Mapping[str, Any]:
    source = section(variable, "valueFrom")
    referring = _referring(source)
    return variable if referring is source else {**variable, "valueFrom": referring}


def _referring(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """A reference to a field of the pod, or to an amount of a container."""
    if section(source, "fieldRef"):
        return {**source, "fieldRef": filled(section(source, "fieldRef"), {"apiVersion": "v1"})}
    if section(source, "resourceFieldRef"):
        amount = {"divisor": "0", **section(source, "resourceFieldRef")}
        return {**source, "resourceFieldRef": amount}
    return source


def _volume(volume: Mapping[str, Any]) -> Mapping[str, Any]:
    for kind in ("configMap", "secret", "projected", "downwardAPI"):
        if kind in volume:
            source = {"defaultMode": _FILE_MODE, **section(volume, kind)}
            if kind == "projected":
                source["sources"] = [_projection(one) for one in entries(source, "sources")]
            each(source, "items", _referring)
            return {**volume, kind: source}
    if "hostPath" in volume:
        return {**volume, "hostPath": {"type": "", **section(volume, "hostPath")}}
    if "ephemeral" in volume:
        return {**volume, "ephemeral": _ephemeral(section(volume, "ephemeral"))}
    return volume if volume.keys() - {"name"} else {**volume, "emptyDir": {}}


def _ephemeral(source: Mapping[str, Any]) -> Mapping[str, Any]:
    template = section(source, "volumeClaimTemplate")
    if not template:
        return source
    spec = {"volumeMode": "Filesystem", **section(template, "spec")}
    return {**source, "volumeClaimTemplate": {"metadata": {}, **template, "spec": spec}}


def _projection(source: Mapping[str, Any]) -> Mapping[str, Any]:
    if section(source, "serviceAccountToken"):
        token = {"expirationSeconds": _TOKEN_SECONDS, **section(source, "serviceAccountToken")}
        return {**source, "serviceAccountToken": token}
    if section(source, "downwardAPI"):
        downward = dict(section(source, "downwardAPI"))
        each(downward, "items", _referring)
        return {**source, "downwardAPI": downward}
    return source
