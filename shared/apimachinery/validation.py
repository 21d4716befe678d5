"""Whether an object fits a schema: types, required fields, bounds; and what it has beyond it.

One walk finds both faults (they refuse the object) and unknown fields (they refuse it, warn, or are
dropped, as the writer asks). Paths and words are those of kube-apiserver.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from shared.apimachinery.facts import definitions
from shared.apimachinery.quantity import parse_quantity
from shared.apimachinery.schema import ANYTHING, Schema, node
from shared.errors import FieldError

_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_TYPE_META = ("apiVersion", "kind")
_INTEGER_BOUNDS = {"int32": 2**31, "int64": 2**63}
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)
FAULTS_MAX = 100


@dataclass(slots=True)
class Findings:
    """What is wrong, and which fields nobody declared (`spec.template.foo`)."""

    faults: list[FieldError] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@cache
def _metadata_schema() -> Schema:
    return node(definitions()[_OBJECT_META])


def validate(manifest: Mapping[str, Any], schema: Schema) -> Findings:
    """Check a whole object; a null counts as absent, as typed readers see it."""
    findings = Findings()
    for name, value in manifest.items():
        if name in _TYPE_META or value is None:
            continue
        if name == "metadata":
            _check(value, _metadata_schema(), name, findings)
            continue
        child = schema.field(name)
        if child is not None:
            _check(value, child, name, findings)
        elif not schema.preserves_unknown:
            findings.unknown.append(name)
    _check_required(manifest, schema, "", findings)
    del findings.faults[FAULTS_MAX:]
    return findings


def without_unknown(manifest: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return *manifest* without the fields its schema does not declare (pruning)."""
    kept = {name: manifest[name] for name in (*_TYPE_META, "metadata") if name in manifest}
    rest = {name: value for name, value in manifest.items() if name not in kept}
    return {**kept, **_prune_object(rest, schema)}


def with_defaults(manifest: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return *manifest* with the defaults its schema declares, at every depth that is there."""
    filled: dict[str, Any] = _fill(dict(manifest), schema)
    return filled


def _check(value: Any, schema: Schema, path: str, into: Findings) -> None:
    if value is None:
        return
    wrong = _wrong_type(value, schema)
    if wrong:
        into.faults.append(FieldError(path, wrong, "FieldValueTypeInvalid"))
        return
    into.faults.extend(FieldError(path, why) for why in _bound_faults(value, schema))
    if isinstance(value, dict):
        _check_object(value, schema, path, into)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check(item, schema.items, f"{path}[{place}]", into)
        _check_keys(value, schema, path, into)


def _check_object(value: dict[str, Any], schema: Schema, path: str, into: Findings) -> None:
    for name, each in value.items():
        child = schema.field(name)
        if child is not None:
            where = f"{path}.{name}" if schema.declares(name) else f"{path}[{name}]"
            _check(each, child, where, into)
        elif schema.embedded and name in (*_TYPE_META, "metadata"):
            continue
        elif not schema.preserves_unknown:
            into.unknown.append(f"{path}.{name}")
    _check_required(value, schema, path, into)


def _check_required(value: Mapping[str, Any], schema: Schema, path: str, into: Findings) -> None:
    for name in schema.raw.get("required") or ():
        if value.get(name) is None and not (not path and name in (*_TYPE_META, "metadata")):
            where = f"{path}.{name}" if path else name
            into.faults.append(FieldError(where, "Required value", "FieldValueRequired"))


def _check_keys(items: list[Any], schema: Schema, path: str, into: Findings) -> None:
    """A list of type set may hold no value twice."""
    if schema.list_type == "set":
        seen: list[Any] = []
        for place, item in enumerate(items):
            if item in seen:
                fault = FieldError(f"{path}[{place}]", "Duplicate value", "FieldValueDuplicate")
                into.faults.append(fault)
            seen.append(item)


def _wrong_type(value: Any, schema: Schema) -> str:
    """Return what is wrong with the type of *value*, or nothing."""
    if schema.int_or_string:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return f"Invalid value: must be a string or a number, not {_type_name(value)}"
        if schema.raw.get("format") == "quantity":
            return _wrong_quantity(value)
        return ""
    fits = _TYPE_CHECKS.get(schema.type)
    if fits is None or fits(value):
        return ""
    return f'Invalid value: "{_type_name(value)}": must be of type {schema.type}'


def _is_integer(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


_TYPE_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def _wrong_quantity(value: Any) -> str:
    try:
        parse_quantity(value)
    except ValueError as err:
        return f"Invalid value: {value!r}: {err}"
    return ""


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    names |= {list: "array", dict: "object", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _bound_faults(value: Any, schema: Schema) -> Iterator[str]:
    raw = schema.raw
    allowed = raw.get("enum")
    if allowed and value not in allowed:
        listed = ", ".join(f'"{each}"' for each in allowed)
        yield f'Unsupported value: "{value}": supported values: {listed}'
    if isinstance(value, str):
        yield from _text_faults(value, raw)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_faults(value, raw)
    elif isinstance(value, list):
        yield from _size_faults(len(value), raw.get("minItems"), raw.get("maxItems"), "items")
    elif isinstance(value, dict):
        least, most = raw.get("minProperties"), raw.get("maxProperties")
        yield from _size_faults(len(value), least, most, "properties")


def _text_faults(value: str, raw: Mapping[str, Any]) -> Iterator[str]:
    yield from _size_faults(len(value), raw.get("minLength"), raw.get("maxLength"), "characters")
    pattern = raw.get("pattern")
    if pattern and not _pattern(pattern).search(value):
        yield f"Invalid value: \"{value}\": should match '{pattern}'"
    if raw.get("format") == "date-time" and not _DATE_TIME.fullmatch(value):
        yield f'Invalid value: "{value}": must be of format date-time'


@cache
def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        # A pattern in a dialect Python lacks refuses nothing rather than everything.
        return re.compile("")


def _number_faults(value: float, raw: Mapping[str, Any]) -> Iterator[str]:
    bound = _INTEGER_BOUNDS.get(str(raw.get("format", "")))
    if bound is not None and not -bound <= value < bound:
        yield f"Invalid value: {value}: must fit {raw['format']}"
    least, most = raw.get("minimum"), raw.get("maximum")
    if least is not None and (value < least or (raw.get("exclusiveMinimum") and value == least)):
        yield f"Invalid value: {value}: should be greater than or equal to {least}"
    if most is not None and (value > most or (raw.get("exclusiveMaximum") and value == most)):
        yield f"Invalid value: {value}: should be less than or equal to {most}"


def _size_faults(size: int, least: int | None, most: int | None, what: str) -> Iterator[str]:
    if least is not None and size < least:
        yield f"Invalid value: {size}: should have at least {least} {what}"
    if most is not None and size > most:
        yield f"Too long: {size}: may not have more than {most} {what}"


def _prune_object(value: dict[str, Any], schema: Schema) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, each in value.items():
        child = schema.field(name)
        if child is not None:
            kept[name] = _prune(each, child)
        elif schema.preserves_unknown or (schema.embedded and name in (*_TYPE_META, "metadata")):
            kept[name] = each
    return kept


def _prune(value: Any, schema: Schema) -> Any:
    if isinstance(value, dict) and schema is not ANYTHING:
        return _prune_object(value, schema)
    if isinstance(value, list):
        return [_prune(item, schema.items) for item in value]
    return value


def _fill(value: Any, schema: Schema) -> Any:
    if isinstance(value, dict):
        filled = {
            name: _fill(each, child) if (child := schema.field(name)) is not None else each
            for name, each in value.items()
        }
        for name, declared in (schema.raw.get("properties") or {}).items():
            default = declared.get("default")
            if default is None or (filled.get(name) is not None):
                continue
            if name in filled and declared.get("nullable"):
                continue
            child = schema.field(name) or ANYTHING
            filled[name] = _fill(default, child)
        return filled
    if isinstance(value, list):
        return [_fill(item, schema.items) for item in value]
    return value
