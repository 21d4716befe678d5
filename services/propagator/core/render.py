"""From a template to the manifest of a member: what belongs to the hub stays at the hub."""

from collections.abc import Callable, Mapping
from typing import Any

from services.propagator.core.marks import FENCED_LABEL
from shared.apimachinery.manifest import GroupVersionKind, Manifest, copy, metadata_of
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.registry import GENERIC

_HUB_ANNOTATIONS = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deployment.kubernetes.io/revision",
        "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller",
    }
)
_OWN_PREFIX = "hanse.dev/"
_JOB_LABELS = (
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
)


def render(template: Manifest, interpreter: Interpreter, replicas: int | None = None) -> Manifest:
    """The manifest for a member with *replicas* (None: as the template has them).

    Of the metadata only name, namespace, labels and annotations travel: uids, owners and finalizers
    mean something at the hub alone. The result shares structure with *template*: copy it before
    changing it.
    """
    gvk = GroupVersionKind.of(template)
    found = {name: value for name, value in template.items() if name not in ("metadata", "status")}
    found["metadata"] = _render_metadata(metadata_of(template))
    retouch = _RETOUCHES.get((gvk.group, gvk.kind))
    if retouch is not None:
        found = retouch(found)
    if replicas is None:
        return interpreter.sent(interpreter.with_default_replicas(found))
    return interpreter.sent(interpreter.with_replicas(found, replicas))


def mark_fenced(manifest: Manifest) -> Manifest:
    """A stamped *manifest* that says that it must stop where the member is on its own.

    Shares structure with *manifest*.
    """
    metadata = metadata_of(manifest)
    labels = {**(metadata.get("labels") or {}), FENCED_LABEL: "true"}
    return {**manifest, "metadata": {**metadata, "labels": labels}}


def for_history(template: Manifest) -> Manifest:
    """What of a template is worth recording: all that its author wrote.

    Shares structure with *template*.
    """
    found = {name: value for name, value in template.items() if name not in ("metadata", "status")}
    found["metadata"] = _render_metadata(metadata_of(template))
    return found


def render_namespace(name: str, template: Manifest | None) -> Manifest:
    """The namespace *name* for a member: as the hub has it, or bare."""
    if template is None:
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return render(template, GENERIC)


def _render_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": metadata.get("name")}
    if metadata.get("namespace"):
        found["namespace"] = metadata["namespace"]
    labels = {
        name: value
        for name, value in (metadata.get("labels") or {}).items()
        if not name.startswith(_OWN_PREFIX)
    }
    annotations = {
        name: value
        for name, value in (metadata.get("annotations") or {}).items()
        if name not in _HUB_ANNOTATIONS and not name.startswith(_OWN_PREFIX)
    }
    if labels:
        found["labels"] = labels
    if annotations:
        found["annotations"] = annotations
    return found


def _retouch_job(manifest: Manifest) -> Manifest:
    """A Job's selector and its labels name the hub's uid; each member makes its own."""
    spec = manifest.get("spec")
    if not isinstance(spec, dict) or spec.get("manualSelector"):
        return manifest
    changed = copy(manifest)
    changed["spec"].pop("selector", None)
    template = changed["spec"].get("template")
    metadata = template.get("metadata") if isinstance(template, dict) else None
    for section in (changed["metadata"], metadata):
        labels = section.get("labels") if isinstance(section, dict) else None
        if isinstance(labels, dict):
            for label in _JOB_LABELS:
                labels.pop(label, None)
    return changed


def _retouch_cluster_role(manifest: Manifest) -> Manifest:
    """The rules of an aggregated role are written by a controller of each member."""
    if not manifest.get("aggregationRule"):
        return manifest
    return {name: value for name, value in manifest.items() if name != "rules"}


def _without(field: str) -> Callable[[Manifest], Manifest]:
    return lambda manifest: {name: value for name, value in manifest.items() if name != field}


def _retouch_pod(manifest: Manifest) -> Manifest:
    """Containers that look into others belong to one pod, and are refused in a manifest."""
    spec = manifest.get("spec")
    if not isinstance(spec, dict) or "ephemeralContainers" not in spec:
        return manifest
    kept = {name: value for name, value in spec.items() if name != "ephemeralContainers"}
    return {**manifest, "spec": kept}


_RETOUCHES: Mapping[tuple[str, str], Callable[[Manifest], Manifest]] = {
    ("", "Pod"): _retouch_pod,
    ("batch", "Job"): _retouch_job,
    ("rbac.authorization.k8s.io", "ClusterRole"): _retouch_cluster_role,
    # Token secrets are made by each cluster.
    ("", "ServiceAccount"): _without("secrets"),
    # Its finalizers live in spec.
    ("", "Namespace"): _without("spec"),
}
