"""Which fields a value has, and which differ between two values, as their schema divides them.

Granular maps divide by key, associative lists by item, everything else is one field. Source:
structured-merge-diff's `ToFieldSet` and `Compare`, whose differences in what they count are kept:
a value's own set has no maps around its fields, a set of added or removed fields has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.apimachinery.field_sets import (
    ITSELF,
    FieldSet,
    UntypedConfiguration,
    element_text,
    is_associative,
    item_element,
)
from shared.apimachinery.schema import ANYTHING, Schema

_ABSENT: Any = object()


@dataclass(slots=True)
class Difference:
    """How a new value differs from an old one; `changed` joins what was added and modified."""

    changed: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not self.changed and not self.removed


def fields_of(value: Mapping[str, Any], schema: Schema, *, strict: bool = False) -> FieldSet:
    """Set of the fields that *value* (an object) has.

    *strict* raises `UntypedConfiguration` for a field nobody declared and for an item twice.
    """
    found: FieldSet = {}
    for name, each in value.items():
        child = schema.field(name)
        if child is None:
            if strict and not schema.preserves_unknown:
                raise UntypedConfiguration(f".{name}: field not declared in schema")
            child = ANYTHING
        below: FieldSet | None = {}
        if isinstance(each, dict | list):
            try:
                below = _fields_below(each, child, strict)
            except UntypedConfiguration as err:
                raise UntypedConfiguration(f".{name}{err}") from None
        if not schema.declares(name):
            # A key of a map is a field beside its parts; a declared field is only its parts.
            if below:
                below[ITSELF] = {}
            found[f"f:{name}"] = below or {}
        elif below is not None:
            found[f"f:{name}"] = below
    return found


def _fields_below(value: Any, schema: Schema, strict: bool) -> FieldSet | None:  # noqa: FBT001
    """What is below an element that has *value*; empty for the element itself, None for nothing."""
    if isinstance(value, dict):
        if not value or schema.map_type == "atomic":
            return {}
        return fields_of(value, schema, strict=strict) or None
    if isinstance(value, list) and is_associative(schema):
        found: FieldSet = {}
        for element, items in items_by_element(schema, value).items():
            if strict and len(items) > 1:
                raise UntypedConfiguration(f": duplicate entries for key {element_text(element)}")
            # Items that share an element can only be meant together.
            below = None
            if len(items) == 1:
                try:
                    below = _fields_below(items[0], schema.items, strict)
                except UntypedConfiguration as err:
                    raise UntypedConfiguration(f"{element_text(element)}{err}") from None
            if below:
                below[ITSELF] = {}
            found[element] = below or {}
        return found or None
    return {}


def items_by_element(schema: Schema, items: list[Any]) -> dict[str, list[Any]]:
    """Items by path element, in order; more than one where the list has duplicates."""
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(item_element(schema, item), []).append(item)
    return found


def compare(old: Mapping[str, Any], new: Mapping[str, Any], schema: Schema) -> Difference:
    """Return the fields in which the object *new* differs from *old*."""
    difference = Difference()
    for name, after in new.items():
        before = old.get(name, _ABSENT)
        if before is _ABSENT and name in schema.present:
            before = _zero(schema.field(name))
        if before is not after and (before is _ABSENT or before != after):
            _add(difference, f"f:{name}", before, after, schema.field(name) or ANYTHING)
    for name, before in old.items():
        if name not in new:
            after = _zero(schema.field(name)) if name in schema.present else _ABSENT
            if before != after:
                _add(difference, f"f:{name}", before, after, schema.field(name) or ANYTHING)
    return difference


def _zero(schema: Schema | None) -> Any:
    """What stands in a field that is always there, before anybody sets it."""
    return {} if schema is not None and schema.type == "object" else None


def _add(into: Difference, element: str, old: Any, new: Any, schema: Schema) -> None:
    """Add to *into* how one element differs; the two values do."""
    if old is _ABSENT:
        into.changed[element] = _everything(new, schema)
    elif new is _ABSENT:
        into.removed[element] = _everything(old, schema)
    else:
        below = _compare_values(old, new, schema)
        if below is None:
            below = _compare_kinds(old, new, schema)
            into.changed[element] = below.changed
        elif below.changed:
            into.changed[element] = below.changed
        if below.removed:
            into.removed[element] = below.removed


def _compare_values(old: Any, new: Any, schema: Schema) -> Difference | None:
    """How two values differ in parts; None where they can only differ as wholes."""
    if not old and not new:
        return None
    some = old if new is None else new
    other = new if some is old else old
    if isinstance(some, dict) and schema.map_type != "atomic":
        # Null is as good as empty, in the place of a map or a list.
        if other is None or isinstance(other, dict):
            return compare(old or {}, new or {}, schema)
    elif (
        isinstance(some, list)
        and is_associative(schema)
        and (other is None or isinstance(other, list))
    ):
        return _compare_lists(old or [], new or [], schema)
    return None


def _compare_kinds(old: Any, new: Any, schema: Schema) -> Difference:
    """Two values that differ as wholes: parts of a map are gone or new besides."""
    difference = Difference()
    if schema.map_type == "atomic" or (isinstance(old, dict) and isinstance(new, dict)):
        return difference
    if isinstance(old, dict) and old:
        difference.removed = _parts(old, schema)
    if isinstance(new, dict) and new:
        difference.changed = {**_parts(new, schema), ITSELF: {}}
    return difference


def _compare_lists(old: list[Any], new: list[Any], schema: Schema) -> Difference:
    difference = Difference()
    before, after = items_by_element(schema, old), items_by_element(schema, new)
    for element in {**before, **after}:
        were, are = before.get(element, []), after.get(element, [])
        if were == are:
            continue
        if len(were) <= 1 and len(are) <= 1:
            first, second = were[0] if were else _ABSENT, are[0] if are else _ABSENT
            _add(difference, element, first, second, schema.items)
            continue
        # Duplicates are one field, as an atomic list is.
        if len(are) >= 2:
            difference.changed[element] = {}
            if len(were) == 1 and (parts := _parts(were[0], schema.items)):
                difference.removed[element] = {**parts, ITSELF: {}}
        else:
            if are:
                difference.changed[element] = _everything(are[0], schema.items)
            difference.removed[element] = {}
    return difference


def _everything(value: Any, schema: Schema) -> FieldSet:
    """What is below an element that came or went with *value*, and the element itself."""
    parts = _parts(value, schema)
    if parts:
        parts[ITSELF] = {}
    return parts


def _parts(value: Any, schema: Schema) -> FieldSet:
    if isinstance(value, dict) and schema.map_type != "atomic":
        parts = {
            f"f:{name}": _everything(each, schema.field(name) or ANYTHING)
            for name, each in value.items()
        }
        for name in schema.present - value.keys():
            child = schema.field(name)
            parts[f"f:{name}"] = _everything(_zero(child), child or ANYTHING)
        return parts
    if isinstance(value, list) and is_associative(schema):
        return {
            element: _everything(items[0], schema.items) if len(items) == 1 else {}
            for element, items in items_by_element(schema, value).items()
        }
    return {}
