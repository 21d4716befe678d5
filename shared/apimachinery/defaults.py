"""What the API server of a cluster fills in when a built-in object is written, per kind.

The values are those of `k8s.io/kubernetes/pkg/apis/*/v1/defaults.go`. Defaulting what is already
defaulted changes nothing, and no argument is changed. A cluster stores them; a federation shows
them and stores what its users wrote (docs/adr/0006).
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest
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
_FILE_MODE = 0o644
_TOKEN_SECONDS = 3_600
_CPU_PERCENT = 80


def pod_spec_with_defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Of a pod, or of a template of pods."""
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
            source = {"defaultMode": _FILE_MODE, **section(volume, kind)}
            if kind == "projected":
                source["sources"] = [_projection(one) for one in entries(source, "sources")]
            return {**volume, kind: source}
    if len(volume) == 1:
        return {**volume, "emptyDir": {}}
    return volume


def _projection(source: Mapping[str, Any]) -> Mapping[str, Any]:
    token = source.get("serviceAccountToken")
    if not isinstance(token, dict):
        return source
    return {**source, "serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, **token}}


def _template(spec: dict[str, Any]) -> None:
    template = section(spec, "template")
    if template:
        pods = pod_spec_with_defaults(section(template, "spec"))
        spec["template"] = {**template, "spec": pods}


def _pod(spec: dict[str, Any]) -> None:
    spec.update(pod_spec_with_defaults(spec))


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
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": _CPU_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _autoscaler_v1(spec: dict[str, Any]) -> None:
    spec.setdefault("minReplicas", 1)
    spec.setdefault("targetCPUUtilizationPercentage", _CPU_PERCENT)


def _claim(spec: dict[str, Any]) -> None:
    spec.setdefault("volumeMode", "Filesystem")


def _persistent_volume(spec: dict[str, Any]) -> None:
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")


def _service(spec: dict[str, Any]) -> None:
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if kind in ("LoadBalancer", "NodePort"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec.get("ports"):
        spec["ports"] = [
            {"protocol": "TCP", "targetPort": one.get("port"), **one}
            for one in entries(spec, "ports")
        ]


def _network_policy(spec: dict[str, Any]) -> None:
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for direction in ("ingress", "egress"):
        if spec.get(direction):
            spec[direction] = [_rule(one) for one in entries(spec, direction)]


def _rule(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    if not rule.get("ports"):
        return rule
    return {**rule, "ports": [{"protocol": "TCP", **one} for one in entries(rule, "ports")]}


_SPECS: Mapping[GroupResource, Callable[[dict[str, Any]], None]] = {
    GroupResource("", "persistentvolumeclaims"): _claim,
    GroupResource("", "persistentvolumes"): _persistent_volume,
    GroupResource("", "pods"): _pod,
    GroupResource("", "replicationcontrollers"): _replica_set,
    GroupResource("", "services"): _service,
    GroupResource("apps", "daemonsets"): _daemon_set,
    GroupResource("apps", "deployments"): _deployment,
    GroupResource("apps", "replicasets"): _replica_set,
    GroupResource("apps", "statefulsets"): _stateful_set,
    GroupResource("autoscaling", "horizontalpodautoscalers"): _autoscaler,
    GroupResource("batch", "cronjobs"): _cron_job,
    GroupResource("batch", "jobs"): _job,
    GroupResource("networking.k8s.io", "networkpolicies"): _network_policy,
}

DEFAULTED = frozenset(_SPECS)
"""The resources that `with_spec_defaults` may change."""


def with_spec_defaults(resource: GroupResource, manifest: Manifest) -> Manifest:
    """Return *manifest* as a cluster would store its spec."""
    fill = _SPECS.get(resource)
    if fill is None:
        return manifest
    if fill is _autoscaler and manifest.get("apiVersion") == "autoscaling/v1":
        fill = _autoscaler_v1
    spec = dict(section(manifest, "spec"))
    fill(spec)
    return {**manifest, "spec": spec}


def without_defaults(shown: Any, stored: Any, new: Any) -> Any:
    """Return *new* without what *shown* added to *stored* and *new* only gives back.

    For a client that reads an object with defaults and writes it with a change: what it did not
    touch stays unsaid. Lists are compared item by item where their lengths are equal.
    """
    if isinstance(new, dict) and isinstance(shown, dict):
        said = stored if isinstance(stored, dict) else {}
        return {
            name: without_defaults(shown.get(name), said.get(name), value)
            for name, value in new.items()
            if name in said or name not in shown or value != shown[name]
        }
    if isinstance(new, list) and isinstance(shown, list) and isinstance(stored, list):
        if len(new) == len(shown) == len(stored):
            parts = zip(shown, stored, new, strict=True)
            return [without_defaults(*three) for three in parts]
        return new
    return new
