"""What a writer may change of an object, and what counts as a change.

The server owns uid, creationTimestamp, generation, deletionTimestamp; `spec` and `status` have
writers of their own. Source: `k8s.io/apiserver/pkg/registry/rest` (BeforeUpdate). One rule is
wider than upstream's: every kind but Events counts `generation`, over all but its metadata and
status, so that each template has a number that tells its contents.

The functions return new manifests that share unchanged parts with their arguments.
"""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apimachinery.scalars import shown
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.life.marks import EPHEMERAL, NAMESPACES, UNCOUNTED
from shared.apiserver.life.metadata import (
    SERVER_OWNED,
    label_by_name,
    metadata_for_write,
    place,
)
from shared.apiserver.life.status_metadata import metadata_with_status
from shared.apiserver.status_errors import bad_request, invalid
from shared.errors import FieldError

# Beside metadata, what is not content: naming, and what another writer reports.
_NOT_CONTENT = frozenset({"apiVersion", "kind", "metadata", "status"})
# What no writer gives to an object that has it not; while it is deleted, the server's stays.
_SET_ONCE = ("uid", "deletionTimestamp", "deletionGracePeriodSeconds")


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
        return _with_status(kind, old, new, metadata)
    if subresource == EPHEMERAL:
        return _with_ephemeral(old, new, metadata)

    _check_identity(kind, before, metadata)
    place(kind, metadata, before.get("namespace", ""))
    metadata["name"] = name
    metadata.pop("selfLink", None)
    for owned in (*SERVER_OWNED, "resourceVersion"):
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
        label_by_name(metadata)
        if subresource != "finalize":
            updated["spec"] = old.get("spec", {})
    count_generation(kind, old, updated)
    return updated


def _with_status(
    kind: ResourceKind, old: Manifest, new: Manifest, metadata: Mapping[str, Any]
) -> Manifest:
    """Return *old* with the status of *new*, and what comes with it."""
    before = old["metadata"]
    kept = metadata_with_status(kind, before, metadata)
    _check_finalizers(kind, before, kept)
    if kind.group_resource == NAMESPACES:
        label_by_name(kept)
    updated: Manifest = {**old, "metadata": kept}
    if "status" in new:
        updated["status"] = new["status"]
    else:
        updated.pop("status", None)
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
    if kind.group_resource in UNCOUNTED:
        new["metadata"].pop("generation", None)
        return
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
    going = before.get("deletionTimestamp")
    parts = ("uid", "deletionGracePeriodSeconds") if going else _SET_ONCE
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
