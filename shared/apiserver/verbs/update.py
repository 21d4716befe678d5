"""PUT: an object, or its status, is replaced."""

from dataclasses import replace
from typing import Any

from shared.apimachinery.defaults import without_defaults
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.schema import ANYTHING
from shared.apiserver.admission import Write
from shared.apiserver.life.changes import count_generation, prepare_update
from shared.apiserver.serving import Call, Outcome, Serving
from shared.apiserver.status_errors import (
    ApiFault,
    bad_request,
    conflict,
    invalid,
    invalid_object,
)
from shared.apiserver.verbs.create import create
from shared.apiserver.verbs.transact import transact
from shared.apiserver.writing.addressed import of_kind, require_place
from shared.apiserver.writing.ownership import schema_of, track
from shared.apiserver.writing.update_rules import CREATED_BY_UPDATE, needs_version
from shared.apiserver.writing.validation import Source, conform, read
from shared.apiserver.writing.write_rules import keep_allocated, prepare_content
from shared.errors import FieldError, InvalidObject
from shared.store.port import Stored

_NOT_DEFAULTED = frozenset({"apiVersion", "kind", "metadata"})


async def update(serving: Serving, call: Call, manifest: Manifest) -> Outcome:
    """Replace the object with *manifest*, under its resourceVersion if it has one."""
    call.require_verb("update")
    manifest = of_kind(call.kind, manifest)
    require_place(call, manifest.get("metadata"))
    warnings: tuple[str, ...] = ()

    def compute(stored: Stored) -> Manifest:
        nonlocal warnings
        _check_identity(call, stored, manifest["metadata"])
        check_version(call, stored, manifest["metadata"])
        given = without_shown(serving, call, stored, manifest)
        new, warnings = prepare_changed(serving, call, stored, given)
        return new

    try:
        written = await transact(serving, call, call.key, compute)
    except ApiFault as fault:
        if fault.code != 404 or call.subresource or call.resource not in CREATED_BY_UPDATE:
            raise
        return await create(serving, replace(call, name=""), manifest)
    return Outcome(written.stored, warnings=warnings)


def _check_identity(call: Call, stored: Stored, metadata: Manifest) -> None:
    """Raise `ApiFault`: 409 for the uid of another object, 422 for a version that must be there."""
    found, uid = metadata.get("uid"), stored.manifest["metadata"].get("uid")
    if found not in (None, "", uid):
        raise conflict(
            call.resource,
            call.name,
            f"Precondition failed: UID in precondition: {found}, UID in object meta: {uid}",
        )
    if metadata.get("resourceVersion") in (None, "", "0") and needs_version(call.kind):
        why = "Invalid value: 0: must be specified for an update"
        named_by_resource = call.kind.gvk._replace(kind=call.kind.resource)
        fault = FieldError("metadata.resourceVersion", why)
        raise invalid(named_by_resource, call.name, [fault])


def check_version(call: Call, stored: Stored, metadata: Any) -> None:
    """Raise `ApiFault` 409 where *metadata* names another revision than the stored one."""
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    if version in (None, "", "0"):
        return
    if not isinstance(version, str) or not version.isascii() or not version.isdigit():
        raise bad_request(f'metadata.resourceVersion: Invalid value: "{str(version)[:40]}"')
    if int(version) != stored.revision:
        raise conflict(call.resource, call.name)


def without_shown(serving: Serving, call: Call, stored: Stored, new: Manifest) -> Manifest:
    """Return *new* without the defaults that its writer was shown and gives back unchanged."""
    old = stored.manifest
    shown = serving.shown(call.resource, old)
    if shown is old:
        return new
    parts = [part for part in new if part not in _NOT_DEFAULTED and part in shown]
    schema = schema_of(call.kind)
    plain = {
        part: without_defaults(
            shown[part], old.get(part), new[part], schema.field(part) or ANYTHING
        )
        for part in parts
    }
    given_back = {part for part in parts if part not in old and new[part] == shown[part]}
    return {part: plain.get(part, new[part]) for part in new if part not in given_back}


def prepare_changed(
    serving: Serving, call: Call, stored: Stored, manifest: Manifest, source: Source = "body"
) -> tuple[Manifest, tuple[str, ...]]:
    """Return *manifest* as it would replace the stored object, and warnings; pure.

    After server-side apply, managed fields are those of the manifest already.
    """
    kind, old = call.kind, stored.manifest
    new = prepare_update(kind, old, manifest, subresource=call.subresource)
    # 1. Is it well formed?
    new = prepare_content(kind, keep_allocated(kind, old, new))
    reading = read(kind, old, new, call.options.field_validation, source, part=call.subresource)
    new, warnings = conform(kind, reading), reading.warnings

    # 2. May it be so? Status is the word of controllers, which no admission judges.
    if call.subresource != "status":
        try:
            warnings += tuple(serving.admission.admit(Write(kind, old, new)))
        except InvalidObject as err:
            raise invalid_object(kind.gvk, call.name, err) from err
        # What was left out and is filled in again is no change.
        new["metadata"] = dict(new["metadata"])
        count_generation(kind, old, new)

    # 3. Whose fields are they?
    if source != "apply":
        new = track(kind, old, new, call, now=serving.now())
    elif not new["metadata"].get("managedFields"):
        # Who applied nothing owns nothing, and nobody else did.
        new["metadata"] = {k: v for k, v in new["metadata"].items() if k != "managedFields"}
    return new, warnings
