"""Whether an object fits the schema of its kind: unknown fields, wrong types, defaults. Pure."""

from dataclasses import dataclass, replace
from typing import Literal

from shared.apimachinery.manifest import Manifest, encode
from shared.apimachinery.pruning import with_defaults, without_unknown
from shared.apimachinery.scalars import with_whole_numbers
from shared.apimachinery.schema import node
from shared.apimachinery.schema_rules import rule_faults
from shared.apimachinery.validation import NOWHERE, Findings, validate
from shared.apiserver.definitions.custom_content import content_faults
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.life.marks import DEFINITIONS
from shared.apiserver.names import check_metadata
from shared.apiserver.requests.decoding import (
    cannot_be_handled,
    not_restored,
    patch_cannot_be_applied,
    strategic_patch_cannot_be_applied,
    strict_error,
    wrong_type,
)
from shared.apiserver.semantics import has_rules, judge
from shared.apiserver.status_errors import ApiFault, invalid, warned
from shared.apiserver.writing.ownership import schema_of
from shared.errors import FieldError


@dataclass(frozen=True, slots=True, eq=False)
class StrategicPatch:
    """What made an object, as it was sent."""

    document: Manifest


Source = Literal["body", "patch", "apply"] | StrategicPatch
"""Where an object comes from: sent as it is, made by a patch, or by server-side apply."""

_SAID_BY_RULES = frozenset({"FieldValueRequired", "FieldValueDuplicate"})
# Faults of an object that a typed decoder has read nevertheless.
_HEADER = ("apiVersion", "kind", "metadata")
_READABLE = _SAID_BY_RULES | {"FieldValueNotSupported", "FieldValueTooMany", "FieldValueTooLong"}


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """An object that its kind can hold, without unknown fields, and what is wrong with it."""

    manifest: Manifest
    faults: tuple[FieldError, ...] = ()
    warnings: tuple[str, ...] = ()


def read(
    kind: ResourceKind,
    old: Manifest | None,
    new: Manifest,
    field_validation: str,
    source: Source = "body",
    *,
    part: str = "",
) -> Reading:
    """Read *new* as its kind has it, with the defaults of a custom kind; *part*: through which.

    What is as it was in *old* is not judged again: it passed once, and faults that a changed
    schema finds there are not this writer's. Raises `ApiFault`: 400 for what no object of a
    built-in kind can be and for unknown fields under Strict (in a patch 422).
    """
    if kind.schema is None:
        return Reading(new)
    if kind.custom:
        manifest, unknown, faults = _read_custom(kind, old, new, field_validation, source)
    else:
        manifest, unknown, faults = _read_builtin(kind, old, new, field_validation, source)
        faults = faults or judge(kind.group_resource, old, manifest, part)
    return Reading(manifest, tuple(faults), unknown if field_validation == "Warn" else ())


def conform(kind: ResourceKind, reading: Reading) -> Manifest:
    """Return what was read; raises `ApiFault` 422 with everything that is wrong with it."""
    manifest = reading.manifest
    metadata = manifest["metadata"]
    faults = check_metadata(
        kind.group_resource, metadata, namespaced=kind.namespaced, custom=kind.custom
    )
    faults += reading.faults
    if faults:
        with warned(reading.warnings):
            raise invalid(kind.gvk, str(metadata.get("name") or ""), faults)
    return manifest


_Read = tuple[Manifest, tuple[str, ...], list[FieldError]]


def _read_builtin(
    kind: ResourceKind, old: Manifest | None, new: Manifest, field_validation: str, source: Source
) -> _Read:
    """The defaults of built-in kinds are the members' to fill in."""
    schema = schema_of(kind)
    changed = _changed_parts(old, new)
    findings = validate(changed, schema)
    if schema.typed and source != "apply":
        _require_readable(kind, new, findings, source)
    unknown = tuple(f'unknown field "{path}"' for path in findings.unknown)
    if unknown and field_validation == "Strict":
        raise _unreadable(kind, new, strict_error(unknown), source)
    # A part that is required and was not looked at is there.
    faults = [fault for fault in findings.faults if fault.path in changed or fault.path not in new]
    ruled = has_rules(kind.group_resource) or kind.group_resource == DEFINITIONS
    if schema.typed:
        # Lists may hold duplicates, and what must be there is said by the rules of the kind.
        passed = _SAID_BY_RULES if ruled else {"FieldValueDuplicate"}
        faults = [one for one in faults if one.reason not in passed]
    # A null stands for an absent field, which is how it is stored; so does what is empty.
    text = encode(changed)
    if unknown or b"null" in text or (schema.typed and (b"{}" in text or b"[]" in text)):
        new = without_unknown(new, schema)
    return new, unknown, faults


def _read_custom(
    kind: ResourceKind, old: Manifest | None, new: Manifest, field_validation: str, source: Source
) -> _Read:
    """Prune, fill in, and only then judge: a default is as good as what was written."""
    schema = schema_of(kind)
    new = with_whole_numbers(new)
    pruned = without_unknown(new, schema)
    unknown: tuple[str, ...] = ()
    if field_validation != "Ignore" and pruned != new:
        found = in_order_of_pruning(validate(_judged(new), schema).unknown)
        unknown = tuple(f'unknown field "{path}"' for path in found)
        if unknown and field_validation == "Strict":
            raise _unreadable(kind, new, strict_error(unknown), source)
    if source == "apply" and b"null" in encode(new):
        # What is applied is not read first, which is what takes nulls out.
        nulls = validate(_judged(new), schema, nulls_are_faults=True).faults
        if nulls:
            return new, unknown, nulls
    new = with_defaults(pruned, schema)
    before = None if old is None else as_declared(kind, old)
    faults = validate(_judged(new), schema, None if before is None else _judged(before)).faults
    faults += content_faults(kind, schema, new)
    faults += rule_faults(new, schema, before, faults)
    if kind.stored_schema is not None:
        # What the stored version does not know is lost, and what it knows is filled in.
        stored = node(kind.stored_schema)
        new = with_defaults(without_unknown(new, stored), stored)
    return new, unknown, [_placed(fault) for fault in faults]


def _placed(fault: FieldError) -> FieldError:
    """Kubernetes has no path for a custom object as a whole."""
    return fault if fault.path else replace(fault, path=NOWHERE)


def as_declared(kind: ResourceKind, manifest: Manifest) -> Manifest:
    """Return a stored object of a custom kind as its schema has it now; the same if it is so."""
    schema = schema_of(kind)
    stored = schema if kind.stored_schema is None else node(kind.stored_schema)
    found = with_defaults(without_unknown(manifest, stored), stored)
    if kind.stored_schema is not None:
        found = without_unknown(found, schema)
    return manifest if found == manifest else found


def _require_readable(
    kind: ResourceKind, new: Manifest, findings: Findings, source: Source
) -> None:
    """Raise `ApiFault` where a typed decoder would not come to the end."""
    for fault in findings.faults:
        if fault.reason not in _READABLE:
            say = not_restored if isinstance(source, StrategicPatch) else wrong_type
            raise _unreadable(kind, new, say(kind, new, fault.path, schema_of(kind)), source)


def require_header(kind: ResourceKind, old: Manifest, new: Manifest, source: Source) -> None:
    """Raise `ApiFault` 422 where a patch has given apiVersion, kind or metadata a wrong type.

    Of these an update keeps most as they were, so that nobody would look at them later.
    """
    schema = schema_of(kind)
    parts = _HEADER if isinstance(source, StrategicPatch) else ("metadata",)
    changed = [part for part in parts if part in new and new[part] not in (None, old.get(part))]
    if not changed or not schema.typed:
        return
    header = {part: new[part] for part in changed}
    if isinstance(header.get("metadata"), dict):
        header = _judged(header)
    _require_readable(kind, new, validate(header, schema), source)


def _unreadable(kind: ResourceKind, new: Manifest, why: str, source: Source) -> ApiFault:
    if isinstance(source, StrategicPatch):
        return strategic_patch_cannot_be_applied(source.document, why)
    return patch_cannot_be_applied(new, why) if source == "patch" else cannot_be_handled(kind, why)


def in_order_of_pruning(unknown: list[str]) -> list[str]:
    """Return *unknown* fields of a custom object as they are told: metadata is read first."""
    return sorted(unknown, key=lambda path: (not path.startswith("metadata."), path))


def _judged(manifest: Manifest) -> Manifest:
    """Return the object without what the server itself writes, which no schema need describe."""
    metadata = {**manifest["metadata"]}
    metadata.pop("managedFields", None)
    return {**manifest, "metadata": metadata}


def _changed_parts(old: Manifest | None, new: Manifest) -> Manifest:
    before = old or {}
    judged = _judged(new)
    return {
        part: value
        for part, value in judged.items()
        if part == "metadata" or part not in before or before[part] != value
    }
