"""Whether an object fits the schema of its kind: unknown fields, wrong types, defaults. Pure."""

from typing import Literal

from shared.apimachinery.manifest import Manifest, encode, name_of
from shared.apimachinery.pruning import with_defaults, without_unknown
from shared.apimachinery.validation import Findings, validate
from shared.apiserver.decoding import (
    cannot_be_handled,
    patch_cannot_be_applied,
    strict_error,
    wrong_type,
)
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.ownership import schema_of
from shared.apiserver.semantics import judge
from shared.apiserver.status_errors import ApiFault, invalid

Source = Literal["body", "patch", "apply"]
"""Where an object comes from: sent as it is, made by a patch, or by server-side apply."""


def conform(
    kind: ResourceKind,
    old: Manifest | None,
    new: Manifest,
    field_validation: str,
    source: Source = "body",
) -> tuple[Manifest, tuple[str, ...]]:
    """Return *new* with defaults and without unknown fields, and warnings about those.

    What is as it was in *old* is not judged again: it passed once, and faults that a changed
    schema finds there are not this writer's. Raises `ApiFault`: 400 for what no object of a
    built-in kind can be and for unknown fields under Strict (in a patch 422), 422 for the rest.
    """
    if kind.schema is None:
        return new, ()
    schema = schema_of(kind)
    changed = _changed_parts(old, new)
    findings = validate(changed, schema)
    if schema.typed and source != "apply":
        _require_readable(kind, new, findings, source)
    unknown = tuple(f'unknown field "{path}"' for path in _in_order(kind, findings.unknown))
    if unknown and field_validation == "Strict":
        raise _unreadable(kind, new, strict_error(unknown), source)
    # A part that is required and was not looked at is there.
    faults = [fault for fault in findings.faults if fault.path in changed or fault.path not in new]
    if faults:
        raise invalid(kind.gvk, name_of(new), faults)
    # A null stands for an absent field, which is how it is stored; so does what is empty.
    text = encode(changed)
    if unknown or b"null" in text or (schema.typed and (b"{}" in text or b"[]" in text)):
        new = without_unknown(new, schema)
    if kind.custom and changed.keys() - {"metadata"}:
        # The defaults of built-in kinds are the members' to fill in.
        new = with_defaults(new, schema)
    elif not kind.custom and (faults := judge(kind.group_resource, old, new)):
        raise invalid(kind.gvk, name_of(new), faults)
    return new, unknown if field_validation == "Warn" else ()


def _require_readable(
    kind: ResourceKind, new: Manifest, findings: Findings, source: Source
) -> None:
    """Raise `ApiFault` where a typed decoder would not come to the end."""
    for fault in findings.faults:
        if fault.reason == "FieldValueTypeInvalid" and " must be of type " in fault.message:
            raise _unreadable(kind, new, wrong_type(kind, new, fault.path, schema_of(kind)), source)


def _unreadable(kind: ResourceKind, new: Manifest, why: str, source: Source) -> ApiFault:
    return patch_cannot_be_applied(new, why) if source == "patch" else cannot_be_handled(kind, why)


def _in_order(kind: ResourceKind, unknown: list[str]) -> list[str]:
    """A built-in kind's decoder goes by the text; a custom one's reads metadata, then prunes."""
    if not kind.custom:
        return unknown
    return sorted(unknown, key=lambda path: (not path.startswith("metadata."), path))


def _changed_parts(old: Manifest | None, new: Manifest) -> Manifest:
    before = old or {}
    changed = {
        part: value
        for part, value in new.items()
        if part != "metadata" and (part not in before or before[part] != value)
    }
    metadata = {**new["metadata"]}
    metadata.pop("managedFields", None)
    changed["metadata"] = metadata
    return changed
