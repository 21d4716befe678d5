"""What a field selector compares, per kind, where it is not simply the field of that path. Pure.

Which fields a built-in kind knows, and how the others are refused, follows the field label
conversions of `k8s.io/kubernetes/pkg/apis/*/v1` and the strategies that fill them in.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apimachinery.parts import entries, section
from shared.apimachinery.selectors import field_text
from shared.apiserver.kinds import ResourceKind

NAME, NAMESPACE = "metadata.name", "metadata.namespace"

_PODS = GroupResource("", "pods")
_JOBS = GroupResource("batch", "jobs")
_SLICES = GroupResource("resource.k8s.io", "resourceslices")
_CORE_EVENTS = GroupResource("", "events")
# These do not know metadata.namespace, though every other kind without one does.
_WITHOUT_NAMESPACE = frozenset(
    {
        GroupResource("", "nodes"),
        GroupResource("", "namespaces"),
        GroupResource("certificates.k8s.io", "certificatesigningrequests"),
        _SLICES,
    }
)
# The zero of a field that is no text, which an absent one has.
_ZEROS: Mapping[tuple[GroupResource, str], str] = {
    (GroupResource("", "nodes"), "spec.unschedulable"): "false",
    (GroupResource("", "replicationcontrollers"), "status.replicas"): "0",
    (_PODS, "spec.hostNetwork"): "false",
}


def _pod_ip(manifest: Manifest) -> str:
    addresses = entries(section(manifest, "status"), "podIPs")
    first = str(addresses[0].get("ip") or "") if addresses else ""
    return first or field_text(manifest, "status.podIP")


def _source(manifest: Manifest) -> str:
    return field_text(manifest, "source.component") or field_text(manifest, "reportingComponent")


_COMPUTED: Mapping[tuple[GroupResource, str], Callable[[Manifest], str]] = {
    (_PODS, "spec.host"): lambda manifest: field_text(manifest, "spec.nodeName"),
    (_PODS, "status.podIP"): _pod_ip,
    # Known and never filled in.
    (_PODS, "status.podIPs"): lambda _manifest: "",
    (_JOBS, "status.successful"): lambda manifest: field_text(manifest, "status.succeeded") or "0",
    (_CORE_EVENTS, "source"): _source,
}


def value_of(resource: GroupResource, path: str, manifest: Mapping[str, Any]) -> str:
    """Return the text that is compared; "" for a field that is not there."""
    compute = _COMPUTED.get((resource, path))
    if compute is not None:
        return compute(dict(manifest))
    return field_text(manifest, path) or _ZEROS.get((resource, path), "")


def refusal(kind: ResourceKind, path: str) -> str | None:
    """Say why *path* cannot be selected by; None where it can."""
    resource = kind.group_resource
    own = tuple(one.lstrip(".") for one in kind.selectable_fields)
    if path == NAME or path in own:
        return None
    has_rules = bool(own) or kind.custom
    if path == NAMESPACE:
        known = kind.namespaced if kind.custom else resource not in _WITHOUT_NAMESPACE
        if known:
            return None
    path = path[:100]
    if resource == _JOBS:
        return f'field label "{path}" not supported for Job'
    if resource == _SLICES:
        return f"field label not supported for {kind.gvk.api_version}, Kind={kind.gvk.kind}: {path}"
    if has_rules:
        return f"field label not supported: {path}"
    return f'"{path}" is not a known field selector: only "{NAME}", "{NAMESPACE}"'
