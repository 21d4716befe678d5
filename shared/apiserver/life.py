"""What becomes of an object when it is created, updated or deleted: pure, for any kind.

The server owns uid, creationTimestamp, generation, deletionTimestamp; `spec` and `status` have
writers of their own. Source: `k8s.io/apiserver/pkg/registry/rest` (BeforeCreate, BeforeUpdate,
BeforeDelete). One rule is wider than upstream's: *every* kind counts `generation`, over all but its
metadata and status, so that each template has a number that tells its contents.

The functions return new manifests that share unchanged parts with their arguments.
"""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apimachinery.scalars import shown
from shared.apiserver.definitions.status import terminating
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.status_errors import bad_request, invalid
from shared.errors import FieldError

NAMESPACES = GroupResource("", "namespaces")
DEFINITIONS = GroupResource("apiextensions.k8s.io", "customresourcedefinitions")
PERMANENT_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
# The part of a Pod through which containers come that look into the others.
EPHEMERAL = "ephemeralcontainers"
NAME_LABEL = "kubernetes.io/metadata.name"
NAMESPACE_FINALIZER = "kubernetes"
DEFINITION_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"

# Beside metadata, what is not content: naming, and what another writer reports.
_NOT_CONTENT = frozenset({"apiVersion", "kind", "metadata", "status"})
_SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)
# What no writer gives to an object that has it not; while it is deleted, the server's stays.
_SET_ONCE = ("uid", "deletionTimestamp", "deletionGracePeriodSeconds")
# Kinds whose creators report status with the first write, as kubelets do.
STATUS_AT_CREATION = frozenset({GroupResource("", "nodes")})
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


def metadata_for_write(manifest: Manifest) -> dict[str, Any]:
    """Return a copy of the metadata to write into; raises `ApiFault` 400 if it is no object."""
    found = manifest.get("metadata")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad_request("metadata must be an object")
    return dict(found)


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
    for owned in (*_SERVER_OWNED, "resourceVersion", "selfLink", "managedFields"):
        metadata.pop(owned, None)
    _place(kind, metadata, namespace)
    prefix = metadata.get("generateName")
    if not metadata.get("name") and isinstance(prefix, str) and prefix:
        metadata["name"] = generate_name(prefix, suffix)
    if kind.group_resource == _LIMIT_RANGES and not metadata.get("name"):
        metadata["name"] = uid
    metadata["uid"] = uid
    metadata["creationTimestamp"] = now
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
        _label_by_name(metadata)
        created["spec"] = {"finalizers": [NAMESPACE_FINALIZER]}
    if phase := _FIRST_PHASES.get(kind.group_resource):
        created["status"] = {"phase": phase}
    return created


def _label_by_name(metadata: dict[str, Any]) -> None:
    """Every namespace can be selected by its name (KEP-2161)."""
    name, labels = metadata.get("name"), metadata.get("labels")
    if isinstance(name, str) and (labels is None or isinstance(labels, dict)):
        metadata["labels"] = {**(labels or {}), NAME_LABEL: name}


def _place(kind: ResourceKind, metadata: dict[str, Any], namespace: str) -> None:
    """Put the object where the URL says; raises `ApiFault` 400 where it says otherwise."""
    if not kind.namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace") not in (None, "", namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["namespace"] = namespace


def content_differs(old: Manifest, new: Manifest) -> bool:
    """Whether anything but naming, metadata and status differs."""
    if old.keys() - _NOT_CONTENT != new.keys() - _NOT_CONTENT:
        return True
    return any(old[part] != new[part] for part in new if part not in _NOT_CONTENT)


def prepare_update(
    kind: ResourceKind, old: Manifest, new: Manifest, *, subresource: str = ""
) -> Manifest:
    """Return *new* with what the server owns, and what this writer may not change, from *old*."""
    metadata = metadata_for_write(new)
    before = old["metadata"]
    name = before["name"]
    if subresource == "status":
        managed = metadata.get("managedFields") or before.get("managedFields")
        metadata = {**before, "managedFields": managed} if managed else dict(before)
        updated: Manifest = {**old, "metadata": metadata}
        if "status" in new:
            updated["status"] = new["status"]
        else:
            updated.pop("status", None)
        return updated
    if subresource == EPHEMERAL:
        return _with_ephemeral(old, new, metadata)

    _check_identity(kind, before, metadata)
    _place(kind, metadata, before.get("namespace", ""))
    metadata["name"] = name
    metadata.pop("selfLink", None)
    for owned in (*_SERVER_OWNED, "resourceVersion"):
        if owned in before:
            metadata[owned] = before[owned]
        else:
            metadata.pop(owned, None)
    # Absent keeps what is known; an empty list is the client's wish to begin anew.
    if metadata.get("managedFields") is None and "managedFields" in before:
        metadata["managedFields"] = before["managedFields"]
    _check_finalizers(kind, before, metadata)
    updated = {
        "apiVersion": kind.gvk.api_version,
        "kind": kind.gvk.kind,
        **new,
        "metadata": metadata,
    }
    if kind.has_status:
        if "status" in old:
            updated["status"] = old["status"]
        else:
            updated.pop("status", None)
    if kind.group_resource == NAMESPACES:
        _label_by_name(metadata)
        if subresource != "finalize":
            updated["spec"] = old.get("spec", {})
    count_generation(kind, old, updated)
    return updated


def _with_ephemeral(old: Manifest, new: Manifest, metadata: Mapping[str, Any]) -> Manifest:
    """Return the Pod *old* with the ephemeral containers of *new*, and nothing else of it."""
    kept = dict(old["metadata"])
    if metadata.get("managedFields"):
        kept["managedFields"] = metadata["managedFields"]
    given = new.get("spec")
    if given is None or isinstance(given, dict):
        found = (given or {}).get("ephemeralContainers")
        given = {**(old.get("spec") or {}), "ephemeralContainers": found or []}
    # One that is no object is refused by its schema.
    return {**old, "metadata": kept, "spec": given}


def count_generation(kind: ResourceKind, old: Manifest, new: Manifest) -> None:
    """Set the generation of *new*, whose metadata is its own: one more if the contents differ.

    Of a custom kind without the subresource, status is content like any other.
    """
    before = int(old["metadata"].get("generation") or 0)
    plain = kind.custom and not kind.has_status
    if content_differs(old, new) or (plain and old.get("status") != new.get("status")):
        new["metadata"]["generation"] = before + 1
    elif before:
        new["metadata"]["generation"] = before
    else:
        new["metadata"].pop("generation", None)


def _check_identity(
    kind: ResourceKind, before: Mapping[str, Any], metadata: Mapping[str, Any]
) -> None:
    parts = ("uid",) if before.get("deletionTimestamp") else _SET_ONCE
    faults = [
        FieldError(
            f"metadata.{part}", f"Invalid value: {shown(metadata[part])}: field is immutable"
        )
        for part in parts
        if metadata.get(part) not in (None, "", before.get(part))
    ]
    if faults:
        raise invalid(kind.gvk, before["name"], faults)
    if metadata.get("name") not in (None, "", before["name"]):
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL "
            f"({before['name']})"
        )


def _check_finalizers(
    kind: ResourceKind, before: Mapping[str, Any], metadata: Mapping[str, Any]
) -> None:
    if not before.get("deletionTimestamp"):
        return
    found = metadata.get("finalizers") or []
    added = [one for one in found if one not in (before.get("finalizers") or [])]
    if added:
        raise invalid(
            kind.gvk,
            before["name"],
            [
                FieldError(
                    "metadata.finalizers",
                    "Forbidden: no new finalizers can be added if the object is being deleted, "
                    f"found new finalizers []string{{{', '.join(map(shown, sorted(added)))}}}",
                    "FieldValueForbidden",
                )
            ],
        )


def is_unchanged(old: Manifest, new: Manifest) -> bool:
    """Whether writing *new* over *old* would change nothing but the times in managedFields."""
    if old.keys() != new.keys():
        return False
    for part, value in new.items():
        if part != "metadata" and old[part] != value:
            return False
    before, after = old["metadata"], new["metadata"]
    if before == after:
        return True
    if before.keys() | {"managedFields"} != after.keys() | {"managedFields"}:
        return False
    return all(
        before[part] == value for part, value in after.items() if part != "managedFields"
    ) and _without_times(before.get("managedFields")) == _without_times(after.get("managedFields"))


def _without_times(managed: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{**one, "time": ""} for one in managed or []]


def must_go(manifest: Manifest) -> bool:
    """Whether the object is being deleted and nothing holds it any more."""
    metadata = manifest["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if manifest.get("kind") == "Namespace" and manifest.get("apiVersion") == "v1":
        return not (manifest.get("spec") or {}).get("finalizers")
    return True


def prepare_delete(kind: ResourceKind, old: Manifest, *, propagation: str, now: str) -> Manifest:
    """Return the object marked for deletion; `must_go` tells whether it can go at once.

    Orphan and Foreground become finalizers, which the garbage collector serves.
    """
    before = old["metadata"]
    finalizers = [one for one in before.get("finalizers") or [] if one not in (ORPHAN, FOREGROUND)]
    if propagation == "Orphan":
        finalizers.append(ORPHAN)
    elif propagation == "Foreground":
        finalizers.append(FOREGROUND)
    elif not propagation:
        finalizers = list(before.get("finalizers") or [])
    metadata = {**before}
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    if not before.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = now
        metadata["deletionGracePeriodSeconds"] = 0
        metadata["generation"] = int(before.get("generation") or 0) + 1
    marked: Manifest = {**old, "metadata": metadata}
    if kind.group_resource == NAMESPACES:
        marked["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    if kind.group_resource == DEFINITIONS:
        return terminating(marked, now=now)
    return marked
