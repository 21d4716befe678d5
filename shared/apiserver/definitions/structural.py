"""Whether a schema is structural: every value has a type, outside of the logical junctors.

Source: `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go`. The faults come sorted,
as there.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery.patterns import pattern_fault
from shared.apiserver.semantics.faults import forbidden, invalid, required
from shared.errors import FieldError

_JUNCTORS = ("anyOf", "allOf", "oneOf")
_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_EITHER = [{"type": "integer"}, {"type": "string"}]
_LEVELS = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
# What a junctor must leave to the level it stands on, and in which state.
_ONLY_OUTSIDE = {
    "type": "empty",
    "additionalProperties": "undefined",
    "default": "undefined",
    "title": "empty",
    "description": "empty",
    "nullable": "false",
    _PRESERVE: "false",
    _EMBEDDED: "false",
    _INT_OR_STRING: "false",
    "x-kubernetes-list-map-keys": "empty",
    "x-kubernetes-list-type": "undefined",
    "x-kubernetes-map-type": "undefined",
    "x-kubernetes-validations": "empty",
}
_IMPLICIT = (
    "must not specify anything other than name and generateName, but metadata is implicitly "
    "specified"
)


def structural_faults(schema: Mapping[str, Any], path: str) -> list[FieldError]:
    """Return every fault of the schema of a whole object; *path* is where it stands."""
    faults = [*_invariants(schema, path, "root"), *_undeclared(schema, schema, path, path)]
    return sorted(faults, key=str)


def _invariants(schema: Mapping[str, Any], path: str, level: str) -> Iterator[FieldError]:
    items, values = schema.get("items"), schema.get("additionalProperties")
    if schema.get("type") == "array" and items is None:
        yield required(f"{path}.items", "must be specified")
    if isinstance(items, Mapping):
        yield from _invariants(items, f"{path}.items", "item")
    for name, child in (schema.get("properties") or {}).items():
        yield from _invariants(child, f"{path}.properties[{name}]", "field")
    if values is not None:
        if level == "root":
            yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
        if isinstance(values, Mapping):
            yield from _invariants(values, f"{path}.additionalProperties", "field")
    yield from _extensions(schema, path)
    yield from _junctors(schema, path)
    yield from _type(schema, path, level)
    yield from _header(schema, path, level)


def _extensions(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if schema.get(_INT_OR_STRING):
        for name in (_PRESERVE, _EMBEDDED):
            if schema.get(name):
                why = f"must be false if {_INT_OR_STRING} is true"
                yield invalid(f"{path}.{name}", True, why)
    if schema.get(_EMBEDDED):
        if schema.get("additionalProperties") is not None:
            why = f"must not be used if {_EMBEDDED} is set"
            yield forbidden(f"{path}.additionalProperties", why)
        if not schema.get(_PRESERVE) and not schema.get("properties"):
            why = f"must not be empty if {_EMBEDDED} is true without {_PRESERVE}"
            yield required(f"{path}.properties", why)


def _type(schema: Mapping[str, Any], path: str, level: str) -> Iterator[FieldError]:
    kind = schema.get("type") or ""
    if schema.get(_EMBEDDED) and kind != "object":
        why = f"must be object if {_EMBEDDED} is true"
        yield invalid(f"{path}.type", kind, why) if kind else required(f"{path}.type", why)
    elif not kind and not schema.get(_INT_OR_STRING) and not schema.get(_PRESERVE):
        yield required(f"{path}.type", _LEVELS[level])
    if level == "root" and kind not in ("", "object"):
        yield invalid(f"{path}.type", kind, "must be object at the root")


def _header(schema: Mapping[str, Any], path: str, level: str) -> Iterator[FieldError]:
    """What every object has may be repeated, not changed; of metadata only names are bound."""
    if level != "root" and not schema.get(_EMBEDDED):
        return
    properties = schema.get("properties") or {}
    for name, wanted in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        found = properties.get(name)
        if found is not None and found.get("type", "") != wanted:
            where = f"{path}.properties[{name}].type"
            yield invalid(where, found.get("type", ""), f"must be {wanted}")
    metadata = properties.get("metadata")
    if level == "root" and metadata is not None:
        bound = set(metadata.get("properties") or ())
        said = {name for name, value in metadata.items() if value or value == 0}
        if bound - {"name", "generateName"} or said - {"type", "properties", "default"}:
            yield forbidden(f"{path}.properties[metadata]", _IMPLICIT)


def _junctors(
    schema: Mapping[str, Any], path: str, *, spelt: bool | None = None
) -> Iterator[FieldError]:
    """*spelt*: whether `anyOf` may spell out the two types; by itself where not told."""
    either = schema.get("anyOf") == _EITHER if spelt is None else spelt
    for name in _JUNCTORS:
        if name == "anyOf" and either:
            continue
        for place, part in enumerate(schema.get(name) or ()):
            # The first of all may spell the two types out, too.
            first = name == "allOf" and place == 0 and part.get("anyOf") == _EITHER
            where = f"{path}.{name}[{place}]"
            yield from _constraint(part, where, spelt=first and spelt is None)
    if schema.get("not") is not None:
        yield from _constraint(schema["not"], f"{path}.not", spelt=False)
    pattern = schema.get("pattern")
    if pattern and (fault := pattern_fault(pattern)):
        why = f"must be a valid regular expression, but isn't: {fault}"
        yield invalid(f"{path}.pattern", pattern, why)


def _constraint(schema: Mapping[str, Any], path: str, *, spelt: bool) -> Iterator[FieldError]:
    """Inside a junctor a schema only constrains: it declares nothing."""
    yield from _junctors(schema, path, spelt=spelt)
    if isinstance(schema.get("items"), Mapping):
        yield from _constraint(schema["items"], f"{path}.items", spelt=False)
    properties = schema.get("properties") or {}
    for name, child in properties.items():
        yield from _constraint(child, f"{path}.properties[{name}]", spelt=False)
    for name, state in _ONLY_OUTSIDE.items():
        value = schema.get(name)
        if value or (value is not None and state == "undefined"):
            yield forbidden(f"{path}.{name}", f"must be {state} to be structural")
    if "metadata" in properties:
        yield forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


def _undeclared(
    constraint: Mapping[str, Any], declared: Mapping[str, Any], path: str, where: str
) -> Iterator[FieldError]:
    """Yield what the root's junctors constrain and nobody declares.

    *path* is the declaration's, *where* the constraint's.
    """
    for name in ("not", "allOf", "anyOf", "oneOf"):
        parts = constraint.get(name)
        if isinstance(parts, Mapping):
            yield from _undeclared_within(parts, declared, path, f"{where}.{name}")
        for place, part in enumerate(parts if isinstance(parts, list) else ()):
            yield from _undeclared_within(part, declared, path, f"{where}.{name}[{place}]")


def _undeclared_within(
    part: Mapping[str, Any], declared: Any, path: str, where: str
) -> Iterator[FieldError]:
    if not isinstance(declared, Mapping):
        yield required(path, f"because it is defined in {where}")
        return
    yield from _undeclared(part, declared, path, where)
    if isinstance(part.get("items"), Mapping):
        yield from _undeclared_within(
            part["items"], declared.get("items"), f"{path}.items", f"{where}.items"
        )
    known = declared.get("properties") or {}
    for name, child in (part.get("properties") or {}).items():
        at = f"properties[{name}]"
        yield from _undeclared_within(child, known.get(name), f"{path}.{at}", f"{where}.{at}")
