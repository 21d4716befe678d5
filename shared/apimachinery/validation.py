"""Whether an object fits a schema: types, required fields, bounds, formats; and what it has beyond.

One walk finds both faults (they refuse the object) and unknown fields (they refuse it, warn, or are
dropped, as the writer asks). Paths and words are those of kube-apiserver for custom resources
(`k8s.io/kube-openapi/pkg/validation`). What a schema cannot say (immutability, references, CEL) is
judged elsewhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.apimachinery.correlation import NOTHING, Earlier
from shared.apimachinery.manifest import encode
from shared.apimachinery.scalars import check_scalar, shown
from shared.apimachinery.schema import ANYTHING, Schema, node
from shared.errors import FieldError

_HEADER = ("apiVersion", "kind", "metadata")
_BUILTIN = "x-kubernetes-group-version-kind"
# The path of what is wrong with no field in particular.
NOWHERE = "<nil>"
FAULTS_MAX = 100
TRIED_MAX = 100_000
"""Alternatives of one object: a long list times a long `anyOf` would take minutes."""
DEPTH_MAX = 200


@dataclass(slots=True)
class Findings:
    """What is wrong, and which fields nobody declared (`spec.template.foo`)."""

    faults: list[FieldError] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    depth: int = 0
    builtin: bool = False
    """Kinds that Kubernetes has built in name the keys of maps in brackets, custom ones do not."""
    nulls_are_faults: bool = False
    tried: int = 0
    """How many parts of `allOf`, `anyOf`, `oneOf` and `not` were looked at."""


def validate(
    manifest: Mapping[str, Any],
    schema: Schema,
    old: Mapping[str, Any] | None = None,
    *,
    nulls_are_faults: bool = False,
) -> Findings:
    """Check a whole object; a null counts as absent, as typed readers see it, unless told not.

    What is as it was in *old* is not judged again: it passed once, and faults that a changed
    schema finds there are not this writer's (KEP-4008).
    """
    schema = schema.as_object()
    findings = Findings(builtin=_BUILTIN in schema.raw, nulls_are_faults=nulls_are_faults)
    before = NOTHING if old is None else Earlier(old)
    for name, value in manifest.items():
        if value is None:
            continue
        child = schema.field(name)
        if child is not None:
            _check(value, child, name, findings, before.field(name, value))
        elif not schema.preserves_unknown:
            findings.unknown.append(name)
    _check_required({**dict.fromkeys(_HEADER, ""), **manifest}, schema, "", findings)
    if findings.builtin:
        # Controllers write parts of a status; a typed server reads the rest as zero.
        findings.faults = [
            fault
            for fault in findings.faults
            if fault.reason != "FieldValueRequired" or not fault.path.startswith("status.")
        ]
    del findings.faults[FAULTS_MAX:]
    return findings


def value_faults(value: Any, schema: Schema) -> list[FieldError]:
    """Return the faults of a part of an object, whose paths begin at that part."""
    findings = Findings()
    _check(value, schema, "", findings, NOTHING)
    return findings.faults


def _check(value: Any, schema: Schema, path: str, into: Findings, before: Earlier) -> None:
    if len(into.faults) > FAULTS_MAX or before.is_same(value):
        return
    into.depth += 1
    if into.depth > DEPTH_MAX:
        into.faults.append(FieldError(path, f"Invalid value: nested deeper than {DEPTH_MAX}"))
    else:
        _check_value(value, schema, path, into, before)
    into.depth -= 1


def _check_value(value: Any, schema: Schema, path: str, into: Findings, before: Earlier) -> None:
    if isinstance(value, dict):
        if schema.type not in ("object", "") or schema.int_or_string:
            into.faults.append(_wrong_type(value, schema, path))
            return
        _check_object(value, schema, path, into, before)
    elif isinstance(value, list):
        if schema.type not in ("array", "") or schema.int_or_string:
            into.faults.append(_wrong_type(value, schema, path))
            return
        _check_list(value, schema, path, into, before)
    else:
        # A typed reader takes no `2.0` for an integer.
        fractional = into.builtin and schema.type == "integer" and isinstance(value, float)
        if fractional or not check_scalar(value, schema, path, into.faults):
            into.faults.append(_wrong_type(value, schema, path))
            return
    if schema.junctors:
        into.faults.extend(_junctor_faults(value, schema, path, into))


def _check_object(
    value: dict[str, Any], schema: Schema, path: str, into: Findings, before: Earlier
) -> None:
    for name, each in value.items():
        child = schema.field(name)
        if child is None:
            if not schema.preserves_unknown:
                into.unknown.append(f"{path}.{name}")
            continue
        if type(each) is str and child.takes_any_text and into.depth < DEPTH_MAX:
            # What most leaves are: nothing can be wrong with them.
            continue
        key = into.builtin and not schema.declares(name)
        where = f"{path}[{name}]" if key else _joined(path, name)
        if each is not None:
            _check(each, child, where, into, before.field(name, each))
        elif into.nulls_are_faults and _is_null_a_fault(schema, name, child):
            into.faults.append(_wrong_type(each, child, where))
    _check_required(value, schema, path, into)
    if schema.bounded:
        into.faults.extend(_size_faults(len(value), schema, path, "Properties"))


def _is_null_a_fault(schema: Schema, name: str, child: Schema) -> bool:
    """A default stands in for a null; what has no type says nothing of nulls."""
    typed = bool(child.type) or child.int_or_string
    return typed and not child.nullable and name not in schema.defaults


def _check_required(value: Mapping[str, Any], schema: Schema, path: str, into: Findings) -> None:
    for name in schema.required:
        if value.get(name) is not None:
            continue
        if name in value and (schema.field(name) or ANYTHING).nullable:
            continue
        into.faults.append(FieldError(_joined(path, name), "Required value", "FieldValueRequired"))


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _check_list(
    value: list[Any], schema: Schema, path: str, into: Findings, before: Earlier
) -> None:
    items = schema.items
    for place, (item, earlier) in enumerate(before.items(value, schema)):
        if item is not None:
            _check(item, items, f"{path}[{place}]", into, earlier)
        elif items.type and not items.nullable:
            into.faults.append(_wrong_type(item, items, f"{path}[{place}]"))
    if schema.list_type in ("map", "set") and _BUILTIN_KEYS.isdisjoint(schema.raw):
        into.faults.extend(_duplicate_faults(value, schema, path))
    if schema.bounded:
        into.faults.extend(_size_faults(len(value), schema, path, "Items"))


# Lists of built-in kinds were declared maps long after objects with duplicates were written: the
# server takes them, with a warning at most.
_BUILTIN_KEYS = frozenset(("x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy"))


def _duplicate_faults(value: list[Any], schema: Schema, path: str) -> Iterator[FieldError]:
    seen = set()
    for place, item in enumerate(value):
        identity = item
        if schema.list_type == "map":
            if not isinstance(item, dict):
                continue
            identity = {key: item.get(key, schema.key_defaults.get(key)) for key in schema.map_keys}
        text = encode({"": identity})
        if text in seen:
            why = f"Duplicate value: {shown(identity)}"
            yield FieldError(f"{path}[{place}]", why, "FieldValueDuplicate")
        seen.add(text)


def _size_faults(size: int, schema: Schema, path: str, what: str) -> Iterator[FieldError]:
    least, most = schema.raw.get(f"min{what}"), schema.raw.get(f"max{what}")
    if least is not None and size < least:
        why = f"{path} in body should have at least {least} {what.lower()}"
        yield FieldError(path, f"Invalid value: {size}: {why}")
    if most is not None and size > most:
        why = f"Too many: {size}: must have at most {most} items"
        yield FieldError(path, why, "FieldValueTooMany")


def _junctor_faults(value: Any, schema: Schema, path: str, into: Findings) -> Iterator[FieldError]:
    """`allOf`, `anyOf`, `oneOf`, `not`: only constraints, as in a structural schema."""
    raw = schema.raw

    def faults_of(part: Mapping[str, Any]) -> list[FieldError]:
        into.tried += 1
        if into.tried > TRIED_MAX:
            return [FieldError(path, f"more than {TRIED_MAX} alternatives to try")]
        found = Findings(depth=into.depth, tried=into.tried)
        _check(value, node(part), path, found, NOTHING)
        into.tried = found.tried
        return found.faults

    for part in raw.get("allOf") or ():
        yield from faults_of(part)
    # These are the words of `k8s.io/kube-openapi`, which has no field for them.
    start = f'Invalid value: "": "{path}" must'
    if (parts := raw.get("anyOf")) and all(faults_of(part) for part in parts):
        yield FieldError(NOWHERE, f"{start} validate at least one schema (anyOf)")
    if parts := raw.get("oneOf"):
        valid = sum(not faults_of(part) for part in parts)
        if valid != 1:
            found = f"{valid} valid alternatives" if valid else "none valid"
            rule = f"validate one and only one schema (oneOf). Found {found}"
            yield FieldError(NOWHERE, f"{start} {rule}")
    if (part := raw.get("not")) is not None and not faults_of(part):
        yield FieldError(NOWHERE, f"{start} not validate the schema (not)")


def _wrong_type(value: Any, schema: Schema, path: str) -> FieldError:
    wanted = "integer,string" if schema.int_or_string else schema.type
    found = _TYPE_NAMES.get(type(value), "string")
    why = f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'
    return FieldError(path, why, "FieldValueTypeInvalid")


_TYPE_NAMES: Mapping[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    dict: "object",
    list: "array",
    type(None): "null",
}
