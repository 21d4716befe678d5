"""What an object of a built-in kind refers to, and cannot run without."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shared.apimachinery.manifest import Manifest, namespace_of
from shared.apimachinery.parts import entries, section
from shared.interpreter.paths import Path, parse_path, values_at


class Reference(NamedTuple):
    """An object by kind and name; a version of its group, not always the stored one."""

    api_version: str
    kind: str
    namespace: str
    name: str


# What every namespace has by itself.
_OWN_NAMES = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}

_VOLUMES: tuple[tuple[str, str], ...] = (
    ("ConfigMap", "volumes[*].configMap.name"),
    ("ConfigMap", "volumes[*].projected.sources[*].configMap.name"),
    ("Secret", "volumes[*].secret.secretName"),
    ("Secret", "volumes[*].projected.sources[*].secret.name"),
    ("Secret", "volumes[*].azureFile.secretName"),
    ("Secret", "volumes[*].csi.nodePublishSecretRef.name"),
    # Storage of one's own: cephfs, rbd, iscsi, flexVolume, scaleIO, storageos.
    ("Secret", "volumes[*].*.secretRef.name"),
    ("PersistentVolumeClaim", "volumes[*].persistentVolumeClaim.claimName"),
)
_CONTAINERS: tuple[tuple[str, str], ...] = (
    ("ConfigMap", "envFrom[*].configMapRef.name"),
    ("Secret", "envFrom[*].secretRef.name"),
    ("ConfigMap", "env[*].valueFrom.configMapKeyRef.name"),
    ("Secret", "env[*].valueFrom.secretKeyRef.name"),
)


def _parsed(paths: tuple[tuple[str, str], ...]) -> tuple[tuple[str, Path], ...]:
    return tuple((kind, parse_path(path)) for kind, path in paths)


# By the field in which they lie: most pods have few of these, and are read in no time.
_IN_POD: tuple[tuple[str, tuple[tuple[str, Path], ...]], ...] = (
    ("volumes", _parsed(_VOLUMES)),
    ("imagePullSecrets", _parsed((("Secret", "imagePullSecrets[*].name"),))),
    ("serviceAccountName", _parsed((("ServiceAccount", "serviceAccountName"),))),
)
_IN_CONTAINER = _parsed(_CONTAINERS)


def pod_references(pod: Any, namespace: str) -> Iterator[Reference]:
    """Yield what a pod of spec *pod* needs in its *namespace*; some of it more than once."""
    if not isinstance(pod, Mapping):
        return
    for kind, name in _named_by(pod):
        if isinstance(name, str) and name and (kind, name) not in _OWN_NAMES:
            yield Reference("v1", kind, namespace, name)


def _named_by(pod: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for field, paths in _IN_POD:
        if pod.get(field):
            for kind, path in paths:
                for name in values_at(pod, path):
                    yield kind, name
    for containers in ("containers", "initContainers"):
        for container in entries(pod, containers):
            if container.get("env") or container.get("envFrom"):
                for kind, path in _IN_CONTAINER:
                    for name in values_at(container, path):
                        yield kind, name


def without_optional(manifest: Manifest) -> Manifest:
    """*manifest* without what says of itself `optional: true`: nothing waits for that."""
    return {name: _insisting(value) for name, value in manifest.items()}


def _insisting(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {name: each for name, each in value.items() if not _is_optional(each)}
        return {name: _insisting(each) for name, each in kept.items()}
    if isinstance(value, list):
        return [_insisting(each) for each in value if not _is_optional(each)]
    return value


def _is_optional(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("optional") is True


def distinct(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Return each once, sorted: in whatever order an object names them, they are the same."""
    return tuple(sorted(set(references)))


def _of_template(*path: str) -> Callable[[Manifest], tuple[Reference, ...]]:
    def references(manifest: Manifest) -> tuple[Reference, ...]:
        return distinct(pod_references(section(manifest, *path), namespace_of(manifest)))

    return references


def _stateful_set(manifest: Manifest) -> tuple[Reference, ...]:
    namespace, spec = namespace_of(manifest), section(manifest, "spec")
    claims = entries(spec, "volumeClaimTemplates")
    # No set: an object at the hub may hold anything in place of a name.
    made = [section(claim, "metadata").get("name") for claim in claims]
    pod = section(spec, "template", "spec")
    # A claim template stands in for the volume of its name.
    volumes = [one for one in entries(pod, "volumes") if one.get("name") not in made]
    found = list(pod_references({**pod, "volumes": volumes}, namespace))
    if isinstance(name := spec.get("serviceName"), str) and name:
        found.append(Reference("v1", "Service", namespace, name))
    return distinct(found)


_BACKENDS = tuple(
    parse_path(f"spec.{path}") for path in ("defaultBackend", "rules[*].http.paths[*].backend")
)


def _ingress(manifest: Manifest) -> tuple[Reference, ...]:
    namespace = namespace_of(manifest)
    found = [
        Reference("v1", "Secret", namespace, name)
        for name in values_at(manifest, parse_path("spec.tls[*].secretName"))
        if isinstance(name, str) and name
    ]
    for path in _BACKENDS:
        for backend in values_at(manifest, path):
            name = section(backend, "service").get("name")
            if isinstance(name, str) and name:
                found.append(Reference("v1", "Service", namespace, name))
    return distinct(found)


def _service_account(manifest: Manifest) -> tuple[Reference, ...]:
    names = (one.get("name") for one in entries(manifest, "imagePullSecrets"))
    return distinct(
        Reference("v1", "Secret", namespace_of(manifest), name)
        for name in names
        if isinstance(name, str) and name
    )


_TEMPLATE = _of_template("spec", "template", "spec")

Labels = Mapping[str, Any]


def labels_at(manifest: Manifest, path: Sequence[str]) -> Iterator[Labels]:
    """Yield the labels of the pod templates at *path*; those without any are left out."""
    for found in values_at(manifest, (*path, "metadata", "labels")):
        if isinstance(found, Mapping) and found:
            yield found


def _labels_in(*path: str) -> Callable[[Manifest], tuple[Labels, ...]]:
    def labels(manifest: Manifest) -> tuple[Labels, ...]:
        found = section(manifest, *path, "metadata", "labels")
        return (found,) if found else ()

    return labels


_TEMPLATE_LABELS = _labels_in("spec", "template")

POD_LABELS: Mapping[tuple[str, str], Callable[[Manifest], tuple[Labels, ...]]] = {
    ("apps", "Deployment"): _TEMPLATE_LABELS,
    ("apps", "StatefulSet"): _TEMPLATE_LABELS,
    ("apps", "DaemonSet"): _TEMPLATE_LABELS,
    ("apps", "ReplicaSet"): _TEMPLATE_LABELS,
    ("", "ReplicationController"): _TEMPLATE_LABELS,
    ("batch", "Job"): _TEMPLATE_LABELS,
    ("", "Pod"): _labels_in(),
}
"""By group and kind: the labels of the pods that an object makes, by which Services find them."""

BUILT_IN: Mapping[tuple[str, str], Callable[[Manifest], tuple[Reference, ...]]] = {
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("", "ReplicationController"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): _of_template("spec", "jobTemplate", "spec", "template", "spec"),
    ("", "Pod"): _of_template("spec"),
    ("networking.k8s.io", "Ingress"): _ingress,
    ("", "ServiceAccount"): _service_account,
}
"""By group and kind."""
