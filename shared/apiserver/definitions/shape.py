"""Whether what a user calls a schema reads as one: every keyword of the type it must have.

Everything else about a schema is judged only if this holds, and need not ask for types again.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery.scalars import shown
from shared.errors import FieldError

DEPTH_MAX = 100

_TEXT, _FLAG, _NUMBER, _COUNT = "string", "boolean", "number", "integer"
_LIST, _OBJECT = "array", "object"
_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("$ref", "$schema", "id", "type", "format", "title", "pattern"), _TEXT),
    **dict.fromkeys(("description", "x-kubernetes-list-type", "x-kubernetes-map-type"), _TEXT),
    **dict.fromkeys(("nullable", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum"), _FLAG),
    "x-kubernetes-preserve-unknown-fields": _FLAG,
    "x-kubernetes-embedded-resource": _FLAG,
    "x-kubernetes-int-or-string": _FLAG,
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), _NUMBER),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _COUNT),
    **dict.fromkeys(("minProperties", "maxProperties"), _COUNT),
    **dict.fromkeys(("enum", "required", "allOf", "anyOf", "oneOf"), _LIST),
    "x-kubernetes-list-map-keys": _LIST,
    "x-kubernetes-validations": _LIST,
    **dict.fromkeys(("properties", "patternProperties", "definitions", "dependencies"), _OBJECT),
    "not": _OBJECT,
}
_PYTHON: Mapping[str, tuple[type, ...]] = {
    _TEXT: (str,),
    _FLAG: (bool,),
    _NUMBER: (int, float),
    _COUNT: (int,),
    _LIST: (list,),
    _OBJECT: (dict,),
}
_TEXTS_WITHIN = ("required", "x-kubernetes-list-map-keys")
_RULE_TEXTS = ("rule", "message", "messageExpression", "reason", "fieldPath")


def shape_faults(schema: Any, path: str, depth: int = 0) -> Iterator[FieldError]:
    if not isinstance(schema, Mapping):
        yield _wrong(path, schema, _OBJECT)
        return
    if depth > DEPTH_MAX:
        why = f"Forbidden: must not be nested deeper than {DEPTH_MAX}"
        yield FieldError(path, why, "FieldValueForbidden")
        return
    sound = True
    for name, kind in _TYPES.items():
        value = schema.get(name)
        if value is not None and not _is(value, kind):
            yield _wrong(f"{path}.{name}", value, kind)
            sound = False
    if sound:
        yield from _texts_within(schema, path)
        for where, child in children(schema, path):
            yield from shape_faults(child, where, depth + 1)


def children(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Yield every schema within *schema*, with its path; a flag in place of one is none."""
    for name, child in (schema.get("properties") or {}).items():
        yield f"{path}.properties[{name}]", child
    for name in ("items", "additionalProperties", "not"):
        child = schema.get(name)
        if child is not None and not isinstance(child, bool | list):
            yield f"{path}.{name}", child
    for name in ("allOf", "anyOf", "oneOf"):
        for place, child in enumerate(schema.get(name) or ()):
            yield f"{path}.{name}[{place}]", child


def _texts_within(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name in _TEXTS_WITHIN:
        for place, one in enumerate(schema.get(name) or ()):
            if not isinstance(one, str):
                yield _wrong(f"{path}.{name}[{place}]", one, _TEXT)
    for place, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        where = f"{path}.x-kubernetes-validations[{place}]"
        if not isinstance(rule, dict):
            yield _wrong(where, rule, _OBJECT)
            continue
        for name in _RULE_TEXTS:
            if rule.get(name) is not None and not isinstance(rule[name], str):
                yield _wrong(f"{where}.{name}", rule[name], _TEXT)
        if rule.get("optionalOldSelf") not in (None, True, False):
            yield _wrong(f"{where}.optionalOldSelf", rule["optionalOldSelf"], _FLAG)


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _PYTHON[kind]) and isinstance(value, bool) == (kind == _FLAG)


def _wrong(path: str, value: Any, wanted: str) -> FieldError:
    why = f"Invalid value: {shown(value)}: must be of type {wanted}"
    return FieldError(path, why, "FieldValueTypeInvalid")
