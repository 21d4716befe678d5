"""Patches of every type upon an object of a kind."""

from typing import Any

from shared.apimachinery.apply import Conflicts, Writer, apply
from shared.apimachinery.field_sets import UntypedConfiguration
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.apimachinery.patch import OPERATIONS_MAX, json_patch, merge_patch
from shared.apimachinery.scale_ownership import apply_to_scale
from shared.apimachinery.strategic_merge import MalformedPatch, strategic_merge
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.life.marks import EPHEMERAL
from shared.apiserver.requests.negotiation import JSON_PATCH, STRATEGIC_PATCH
from shared.apiserver.serving import Call
from shared.apiserver.status_errors import ApiFault, bad_request
from shared.apiserver.writing.ownership import schema_of
from shared.errors import InvalidObject


def merge(
    kind: ResourceKind | None, old: Manifest, document: Any, media: str, *, name: str
) -> Manifest:
    """Return *old* with *document* merged in; raises `ApiFault` 422 for what does not apply."""
    try:
        if media == JSON_PATCH:
            return _operate(kind, old, document, name)
        if media == STRATEGIC_PATCH and kind is not None:
            merged: Manifest = strategic_merge(old, document, schema_of(kind))
        else:
            merged = merge_patch(old, document)
    except MalformedPatch as err:
        raise bad_request(str(err)) from err
    except InvalidObject as err:
        raise _unprocessable(kind, name, str(err), [_cause("patch", str(err))]) from err
    return merged


def _unprocessable(
    kind: ResourceKind | None, name: str, message: str, causes: list[dict[str, str]]
) -> ApiFault:
    """422 in words of its own; of one that names its object kubectl shows nothing but causes."""
    details: dict[str, Any] = {"name": name, "causes": causes}
    if kind is not None:
        group = {"group": kind.gvk.group} if kind.gvk.group else {}
        details = {"name": name, **group, "kind": kind.gvk.kind, "causes": causes}
    return ApiFault(422, message, details=details)


def _cause(field: str, message: str, reason: str = "FieldValueInvalid") -> dict[str, str]:
    return {"reason": reason, "message": message, "field": field}


def _operate(
    kind: ResourceKind | None, old: Manifest, operations: list[Any], name: str
) -> Manifest:
    """Apply a JSON patch; raises `ApiFault` 413, 422.

    kube-apiserver never tells which operation failed; here a cause does.
    """
    if len(operations) > OPERATIONS_MAX:
        what = f"The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}"
        raise ApiFault(413, f"Request entity too large: {what}, got {len(operations)}")
    try:
        return json_patch(old, operations)
    except InvalidObject as err:
        causes = [_cause(one.path, one.message, one.reason) for one in err.fields]
        message = "the server rejected our request due to an error in our request"
        raise _unprocessable(kind, name, message, causes) from err


def apply_configuration(
    call: Call, old: Manifest | None, document: Manifest, *, now: str
) -> Manifest:
    """Return the object after server-side apply.

    Raises `ApiFault`: 409 for others' fields, 422 for a field that no schema declares.
    """
    if call.kind.has_status and not call.subresource:
        # As a field of status cannot be set this way, applying it owns nothing.
        document = {part: value for part, value in document.items() if part != "status"}
    writer = Writer(call.options.field_manager, call.kind.gvk.api_version, now, _subresource(call))
    try:
        found = apply(old, document, writer, schema_of(call.kind), force=call.options.force)
    except UntypedConfiguration as err:
        raise _untyped(call, document, err) from err
    if isinstance(found, Conflicts):
        raise _conflict(found)
    return found


def apply_scale_configuration(
    call: Call, scale: Manifest, document: Manifest, old: Manifest, *, now: str
) -> tuple[Manifest, list[dict[str, Any]]]:
    """Return the Scale after server-side apply, and managedFields of the object that it scales.

    Raises `ApiFault` as `apply_configuration` does.
    """
    assert call.kind.scale is not None
    writer = Writer(call.options.field_manager, call.kind.gvk.api_version, now)
    try:
        found = apply_to_scale(
            scale,
            document,
            old["metadata"].get("managedFields") or (),
            writer,
            call.kind.scale.spec_replicas.lstrip(".").split("."),
            force=call.options.force,
        )
    except UntypedConfiguration as err:
        raise _untyped(call, document, err) from err
    if isinstance(found, Conflicts):
        raise _conflict(found)
    return found


def _untyped(call: Call, document: Manifest, error: UntypedConfiguration) -> ApiFault:
    """422, where kube-apiserver says the same with 500."""
    path, _, why = str(error).rpartition(": ")
    gvk, metadata = GroupVersionKind.of(document), document["metadata"]
    what = f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"
    what = f"{what}; {gvk.group}/{gvk.version}, Kind={gvk.kind}"
    message = f"failed to create typed patch object ({what}): {error}"
    causes = [_cause(path.removeprefix("."), why)]
    return _unprocessable(call.kind, call.name, message, causes)


def _subresource(call: Call) -> str:
    return call.subresource if call.subresource in ("status", EPHEMERAL) else ""


def _conflict(found: Conflicts) -> ApiFault:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {one.whose}",
            "field": one.path,
        }
        for one in found.conflicts
    ]
    return ApiFault(409, str(found), details={"causes": causes})
