"""How an object begins: what the server gives it, and what it takes from its writer.

Source: `k8s.io/apiserver/pkg/registry/rest` (BeforeCreate).
"""

from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.life.marks import (
    NAMESPACE_FINALIZER,
    NAMESPACES,
    STATUS_AT_CREATION,
    UNCOUNTED,
)
from shared.apiserver.life.metadata import (
    SERVER_OWNED,
    label_by_name,
    metadata_for_write,
    place,
)
from shared.apiserver.status_errors import bad_request

# What the server says of an object that nobody has looked at yet.
_FIRST_PHASES = {
    GroupResource("", "namespaces"): "Active",
    GroupResource("", "persistentvolumeclaims"): "Pending",
    GroupResource("", "persistentvolumes"): "Pending",
    GroupResource("", "pods"): "Pending",
}
# Of all kinds this one needs no name.
_LIMIT_RANGES = GroupResource("", "limitranges")
_NAME_SUFFIX = 5
_GENERATED_NAME_MAX = 63


def generate_name(prefix: str, suffix: str) -> str:
    """`web-` and `x7k2p` give `web-x7k2p`; a long prefix is cut to leave room."""
    return prefix[: _GENERATED_NAME_MAX - _NAME_SUFFIX] + suffix


def prepare_create(
    kind: ResourceKind, manifest: Manifest, namespace: str, *, now: str, uid: str, suffix: str
) -> Manifest:
    """Return the object as it begins its life. *suffix*: random letters for `generateName`."""
    metadata = metadata_for_write(manifest)
    if metadata.get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    for owned in (*SERVER_OWNED, "resourceVersion", "selfLink", "managedFields"):
        metadata.pop(owned, None)
    place(kind, metadata, namespace)
    prefix = metadata.get("generateName")
    if not metadata.get("name") and isinstance(prefix, str) and prefix:
        metadata["name"] = generate_name(prefix, suffix)
    if kind.group_resource == _LIMIT_RANGES and not metadata.get("name"):
        metadata["name"] = uid
    metadata["uid"] = uid
    metadata["creationTimestamp"] = now
    if kind.group_resource not in UNCOUNTED:
        metadata["generation"] = 1

    created: Manifest = {
        "apiVersion": kind.gvk.api_version,
        "kind": kind.gvk.kind,
        **manifest,
        "metadata": metadata,
    }
    if kind.has_status and kind.group_resource not in STATUS_AT_CREATION:
        created.pop("status", None)
    if kind.group_resource == NAMESPACES:
        label_by_name(metadata)
        created["spec"] = _held(manifest.get("spec"))
    if phase := _FIRST_PHASES.get(kind.group_resource):
        created["status"] = {"phase": phase}
    return created


def _held(spec: Any) -> Any:
    """Of a namespace, which its emptying lets go; what is no object is refused by its schema."""
    if not isinstance(spec, dict | None):
        return spec
    found = (spec or {}).get("finalizers") or []
    if not isinstance(found, list) or NAMESPACE_FINALIZER in found:
        return spec
    return {**(spec or {}), "finalizers": [*found, NAMESPACE_FINALIZER]}
