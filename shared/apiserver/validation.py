"""Whether an object fits the schema of its kind: unknown fields, wrong types, defaults. Pure."""

from dataclasses import replace

from shared.apimachinery.manifest import Manifest, encode, name_of
from shared.apimachinery.pruning import with_defaults, without_unknown
from shared.apimachinery.schema import Schema
from shared.apimachinery.schema_rules import rule_faults
from shared.apimachinery.validation import validate
from shared.apiserver.custom_content import content_faults
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.ownership import schema_of
from shared.apiserver.semantics import judge
from shared.apiserver.status_errors import bad_request, invalid
from shared.errors import FieldError


def conform(
    kind: ResourceKind, old: Manifest | None, new: Manifest, field_validation: str
) -> tuple[Manifest, tuple[str, ...]]:
    """Return *new* with defaults and without unknown fields, and warnings about those.

    What is as it was in *old* is not judged again: it passed once, and faults that a changed
    schema finds there are not this writer's. Raises `ApiFault`: 400 for unknown fields under
    Strict, 422 for everything else.
    """
    if kind.schema is None:
        return new, ()
    schema = schema_of(kind)
    return (_conform_custom if kind.custom else _conform_builtin)(
        kind, schema, old, new, field_validation
    )


def _conform_builtin(
    kind: ResourceKind, schema: Schema, old: Manifest | None, new: Manifest, field_validation: str
) -> tuple[Manifest, tuple[str, ...]]:
    """The defaults of built-in kinds are the members' to fill in."""
    changed = _changed_parts(old, new)
    findings = validate(changed, schema)
    unknown = _refuse_unknown(findings.unknown, field_validation)
    # A part that is required and was not looked at is there.
    faults = [fault for fault in findings.faults if fault.path in changed or fault.path not in new]
    faults = faults or judge(kind.group_resource, old, new)
    if faults:
        raise invalid(kind.gvk, name_of(new), faults)
    # A null stands for an absent field, which is how it is stored.
    if findings.unknown or b"null" in encode(changed):
        new = without_unknown(new, schema)
    return new, unknown if field_validation == "Warn" else ()


def _conform_custom(
    kind: ResourceKind, schema: Schema, old: Manifest | None, new: Manifest, field_validation: str
) -> tuple[Manifest, tuple[str, ...]]:
    """Prune, fill in, and only then judge: a default is as good as what was written."""
    pruned = without_unknown(new, schema)
    unknown: tuple[str, ...] = ()
    if field_validation != "Ignore" and pruned != new:
        unknown = _refuse_unknown(validate(_judged(new), schema).unknown, field_validation)
    new = with_defaults(pruned, schema)
    before = None if old is None else as_declared(kind, old)
    faults = validate(_judged(new), schema, None if before is None else _judged(before)).faults
    faults += content_faults(kind, schema, new)
    faults += rule_faults(new, schema, before, faults)
    if faults:
        raise invalid(kind.gvk, name_of(new), [_placed(fault) for fault in faults])
    return new, unknown if field_validation == "Warn" else ()


def _placed(fault: FieldError) -> FieldError:
    """Kubernetes has no path for a custom object as a whole."""
    return fault if fault.path else replace(fault, path="<nil>")


def as_declared(kind: ResourceKind, manifest: Manifest) -> Manifest:
    """Return a stored object of a custom kind as its schema has it now; the same if it is so."""
    schema = schema_of(kind)
    found = with_defaults(without_unknown(manifest, schema), schema)
    return manifest if found == manifest else found


def _refuse_unknown(paths: list[str], field_validation: str) -> tuple[str, ...]:
    unknown = tuple(f'unknown field "{path}"' for path in paths)
    if unknown and field_validation == "Strict":
        raise bad_request(f"strict decoding error: {', '.join(unknown)}")
    return unknown


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
