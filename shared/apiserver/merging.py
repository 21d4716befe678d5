"""Patches of every type upon an object of a kind."""

from typing import Any

from shared.apimachinery.apply import Conflicts, Writer, apply
from shared.apimachinery.field_sets import UntypedConfiguration
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.patch import json_patch, merge_patch
from shared.apimachinery.strategic_merge import strategic_merge
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.negotiation import JSON_PATCH, STRATEGIC_PATCH
from shared.apiserver.ownership import schema_of
from shared.apiserver.serving import Call
from shared.apiserver.status_errors import ApiFault, invalid
from shared.errors import FieldError, InvalidObject


def merge(
    kind: ResourceKind | None, old: Manifest, document: Any, media: str, *, name: str
) -> Manifest:
    """Return *old* with *document* merged in; raises `ApiFault` 422 for what does not apply."""
    try:
        if media == JSON_PATCH:
            return json_patch(old, document)
        if media == STRATEGIC_PATCH and kind is not None:
            merged: Manifest = strategic_merge(old, document, schema_of(kind))
        else:
            merged = merge_patch(old, document)
    except (InvalidObject, ValueError) as err:
        raise _does_not_apply(err, name) from err
    return merged


def _does_not_apply(error: Exception, name: str) -> ApiFault:
    return ApiFault(422, f"the patch cannot be applied: {error}", details={"name": name})


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
        path, _, why = str(err).rpartition(": ")
        fault = FieldError(path.removeprefix("."), f"Invalid value: {why}")
        raise invalid(call.kind.gvk, call.name, [fault]) from err
    if isinstance(found, Conflicts):
        raise _conflict(found)
    return found


def _subresource(call: Call) -> str:
    return call.subresource if call.subresource == "status" else ""


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
