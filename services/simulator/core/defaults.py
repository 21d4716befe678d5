"""What the API server of a real cluster fills in when an object is written, for workloads.

The values are those of `k8s.io/kubernetes/pkg/apis/*/v1/defaults.go`. Defaulting what is already
defaulted changes nothing, and no argument is changed.
"""

from collections.abc import Callable, Mapping
from typing import Any

from services.simulator.core.fields import entries, section
from services.simulator.core.plan import (
    AUTOSCALERS,
    CLAIMS,
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
)
from services.simulator.core.pods import admitted_spec
from shared.apimachinery.manifest import GroupResource, Manifest, labels_of, name_of

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
_FILE_MODE = 0o644


def _pod_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    full = {**_POD, **spec}
    for part in ("containers", "initContainers"):
        if full.get(part):
            full[part] = [_container(one) for one in entries(full, part)]
    if full.get("volumes"):
        full["volumes"] = [_volume(one) for one in entries(full, "volumes")]
    if full.get("serviceAccountName"):
        full.setdefault("serviceAccount", full["serviceAccountName"])
    return full


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    full = {**_CONTAINER, **container}
    image = str(full.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    moving = "@" not in image and tag in ("", "latest")
    full.setdefault("imagePullPolicy", "Always" if moving else "IfNotPresent")
    if full.get("ports"):
        full["ports"] = [{"protocol": "TCP", **one} for one in entries(full, "ports")]
    for name in _PROBES:
        if full.get(name):
            full[name] = _probe(section(full, name))
    if full.get("env"):
        full["env"] = [_variable(one) for one in entries(full, "env")]
    return full


def _probe(probe: Mapping[str, Any]) -> dict[str, Any]:
    full = {**_PROBE, **probe}
    if full.get("httpGet"):
        full["httpGet"] = {"path": "/", "scheme": "HTTP", **full["httpGet"]}
    if full.get("grpc"):
        full["grpc"] = {"service": "", **full["grpc"]}
    return full


def _variable(variable: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = section(variable, "valueFrom", "fieldRef")
    if not reference or reference.get("apiVersion"):
        return variable
    source = {**section(variable, "valueFrom"), "fieldRef": {"apiVersion": "v1", **reference}}
    return {**variable, "valueFrom": source}


def _volume(volume: Mapping[str, Any]) -> Mapping[str, Any]:
    for kind in ("configMap", "secret", "projected", "downwardAPI"):
        if kind in volume:
            return {**volume, kind: {"defaultMode": _FILE_MODE, **section(volume, kind)}}
    if len(volume) == 1:
        return {**volume, "emptyDir": {}}
    return volume


def _template(spec: dict[str, Any]) -> None:
    template = section(spec, "template")
    if template:
        spec["template"] = {**template, "spec": _pod_spec(section(template, "spec"))}


def _deployment(spec: dict[str, Any]) -> None:
    for name, value in (
        ("replicas", 1), ("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)
    ):  # fmt: skip
        spec.setdefault(name, value)
    strategy = {"type": "RollingUpdate", **section(spec, "strategy")}
    if strategy["type"] == "RollingUpdate":
        usual = {"maxSurge": "25%", "maxUnavailable": "25%"}
        strategy["rollingUpdate"] = {**usual, **section(strategy, "rollingUpdate")}
    spec["strategy"] = strategy
    _template(spec)


def _replica_set(spec: dict[str, Any]) -> None:
    spec.setdefault("replicas", 1)
    _template(spec)


def _stateful_set(spec: dict[str, Any]) -> None:
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    retention = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    given = section(spec, "persistentVolumeClaimRetentionPolicy")
    spec["persistentVolumeClaimRetentionPolicy"] = {**retention, **given}
    strategy = {"type": "RollingUpdate", **section(spec, "updateStrategy")}
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {"partition": 0, **section(strategy, "rollingUpdate")}
    spec["updateStrategy"] = strategy
    if spec.get("volumeClaimTemplates"):
        spec["volumeClaimTemplates"] = [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                **one,
                "spec": {"volumeMode": "Filesystem", **section(one, "spec")},
                "status": {"phase": "Pending"},
            }
            for one in entries(spec, "volumeClaimTemplates")
        ]
    _template(spec)


def _daemon_set(spec: dict[str, Any]) -> None:
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = {"type": "RollingUpdate", **section(spec, "updateStrategy")}
    if strategy["type"] == "RollingUpdate":
        usual = {"maxSurge": 0, "maxUnavailable": 1}
        strategy["rollingUpdate"] = {**usual, **section(strategy, "rollingUpdate")}
    spec["updateStrategy"] = strategy
    _template(spec)


def _job(spec: dict[str, Any]) -> None:
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    for name, value in (
        ("parallelism", 1),
        ("backoffLimit", 6),
        ("completionMode", "NonIndexed"),
        ("suspend", False),
        ("manualSelector", False),
        ("podReplacementPolicy", "TerminatingOrFailed"),
    ):
        spec.setdefault(name, value)
    _template(spec)


def _cron_job(spec: dict[str, Any]) -> None:
    for name, value in (
        ("concurrencyPolicy", "Allow"),
        ("suspend", False),
        ("successfulJobsHistoryLimit", 3),
        ("failedJobsHistoryLimit", 1),
    ):
        spec.setdefault(name, value)
    template = section(spec, "jobTemplate")
    if template:
        job = dict(section(template, "spec"))
        _template(job)
        spec["jobTemplate"] = {**template, "spec": job}


def _autoscaler(spec: dict[str, Any]) -> None:
    spec.setdefault("minReplicas", 1)


def _claim(spec: dict[str, Any]) -> None:
    spec.setdefault("volumeMode", "Filesystem")


_SPECS: Mapping[GroupResource, Callable[[dict[str, Any]], None]] = {
    DEPLOYMENTS: _deployment,
    REPLICA_SETS: _replica_set,
    STATEFUL_SETS: _stateful_set,
    DAEMON_SETS: _daemon_set,
    JOBS: _job,
    CRON_JOBS: _cron_job,
    AUTOSCALERS: _autoscaler,
    CLAIMS: _claim,
}


DEFAULTED = frozenset({*_SPECS, NAMESPACES, PODS})
"""The resources that `with_defaults` may change."""


def with_defaults(resource: GroupResource, manifest: Manifest) -> Manifest:
    """Return *manifest* as the API server would store it."""
    if resource == NAMESPACES:
        label = {"kubernetes.io/metadata.name": name_of(manifest)}
        labels = {**labels_of(manifest), **label}
        return {**manifest, "metadata": {**manifest["metadata"], "labels": labels}}
    if resource == PODS:
        spec: dict[str, Any] = admitted_spec(_pod_spec(section(manifest, "spec")))
        return {**manifest, "spec": spec}
    fill = _SPECS.get(resource)
    if fill is None:
        return manifest
    spec = dict(section(manifest, "spec"))
    fill(spec)
    return {**manifest, "spec": spec}
