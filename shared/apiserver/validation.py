"""Whether an object fits the schema of its kind: unknown fields, wrong types, defaults. Pure."""

from shared.apimachinery.manifest import Manifest, encode, name_of
from shared.apimachinery.pruning import with_defaults, without_unknown
from shared.apimachinery.validation import validate
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.ownership import schema_of
from shared.apiserver.semantics import judge
from shared.apiserver.status_errors import bad_request, invalid


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
    changed = _changed_parts(old, new)
    findings = validate(changed, schema)
    unknown = tuple(f'unknown field "{path}"' for path in findings.unknown)
    if unknown and field_validation == "Strict":
        raise bad_request(f"strict decoding error: {', '.join(unknown)}")
    # A part that is required and was not looked at is there.
    faults = [fault for fault in findings.faults if fault.path in changed or fault.path not in new]
    if faults:
        raise invalid(kind.gvk, name_of(new), faults)
    # A null stands for an absent field, which is how it is stored.
    if unknown or b"null" in encode(changed):
        new = without_unknown(new, schema)
    if kind.custom and changed.keys() - {"metadata"}:
        # The defaults of built-in kinds are the members' to fill in.
        new = with_defaults(new, schema)
    elif not kind.custom and (faults := judge(kind.group_resource, old, new)):
        raise invalid(kind.gvk, name_of(new), faults)
    return new, unknown if field_validation == "Warn" else ()


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
