"""Sets of fields, in the form of `fieldsV1`: which fields a value has, and how two values differ.

A set is a tree of plain dicts, exactly as `metadata.managedFields[].fieldsV1` writes it. A key is a
path element: `f:<name>`, `k:<keys of a list-map item as JSON>`, `v:<value of a list-set as
JSON>`. An empty dict below a key means the element is in the set; a dict with children says so with
the key `.`. Source: KEP-555 and structured-merge-diff, whose rules for what counts as a field
(associative lists by item, granular maps by key, atomics whole) these functions follow.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.apimachinery.schema import ANYTHING, Schema

FieldSet = dict[str, Any]
ITSELF = "."

_encode_key = msgspec.json.Encoder(order="sorted").encode
_decode_key = msgspec.json.Decoder().decode


class DuplicateItem(ValueError):
    """Two items of an associative list have the same keys; the message says which."""


def item_element(schema: Schema, item: Any) -> str:
    """Path element of one item of a list of type map or set."""
    if schema.list_type == "set":
        return "v:" + _encode_key(item).decode()
    keys = {}
    if isinstance(item, dict):
        for key in schema.map_keys:
            if key in item:
                keys[key] = item[key]
            elif key in schema.key_defaults:
                keys[key] = schema.key_defaults[key]
    return "k:" + _encode_key(keys).decode()


def element_text(element: str) -> str:
    """How errors print an element: `.name`, `[name="x"]`, `[="v"]`."""
    form, _, rest = element.partition(":")
    if form == "f":
        return f".{rest}"
    if form == "k":
        keys = _decode_key(rest)
        return "[" + ",".join(f"{name}={_encode_key(keys[name]).decode()}" for name in keys) + "]"
    return f"[={rest}]" if form == "v" else f"[{rest}]"


def is_associative(schema: Schema) -> bool:
    return schema.list_type in ("map", "set")


def items_by_element(schema: Schema, items: list[Any]) -> dict[str, Any] | None:
    """Items by path element, in order; None where two share one, so only the whole can be meant."""
    found = {item_element(schema, item): item for item in items}
    return found if len(found) == len(items) else None


def fields_of(value: Any, schema: Schema) -> FieldSet:
    """Set of the fields that *value* (an object) has."""
    found: FieldSet = {}
    for name, each in value.items():
        child = schema.field(name)
        below = _fields_below(each, child or ANYTHING)
        # What no schema declares is a field by itself, as a key of a map is.
        if below and (child is None or not schema.declares(name)):
            below[ITSELF] = {}
        found[f"f:{name}"] = below
    return found


def _fields_below(value: Any, schema: Schema) -> FieldSet:
    """Return what is below an element that has *value*; empty means: the element itself."""
    if isinstance(value, dict):
        return {} if schema.map_type == "atomic" or not value else fields_of(value, schema)
    if isinstance(value, list) and value and is_associative(schema):
        items = items_by_element(schema, value)
        if items is None:
            return {}
        found = {}
        for element, item in items.items():
            below = _fields_below(item, schema.items)
            if below:
                below[ITSELF] = {}
            found[element] = below
        return found
    return {}


@dataclass(slots=True)
class Difference:
    """How a new value differs from an old one; `changed` joins what was added and modified."""

    changed: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not self.changed and not self.removed


def compare(old: Mapping[str, Any], new: Mapping[str, Any], schema: Schema) -> Difference:
    """Return the fields in which *new* differs from *old*."""
    difference = Difference()
    for name in {**old, **new}:
        before, after = old.get(name), new.get(name)
        present = (name in old, name in new)
        if present[0] == present[1] and (before is after or before == after):
            continue
        child = schema.field(name) or ANYTHING
        _compare_element(f"f:{name}", (before, after), present, child, difference)
    return difference


def _compare_element(
    element: str,
    sides: tuple[Any, Any],
    present: tuple[bool, bool],
    schema: Schema,
    into: Difference,
) -> None:
    """Add to *into* how one element differs; *present* says on which sides it is there."""
    old, new = sides
    was, is_now = present
    below = Difference()
    if _is_granular(old, new, schema):
        below = _compare_children(old, new, schema)
        if was and is_now:
            if below.changed:
                into.changed[element] = below.changed
            if below.removed:
                into.removed[element] = below.removed
            return
    if not is_now:
        if below.removed:
            below.removed[ITSELF] = {}
        into.removed[element] = below.removed
    else:
        if below.changed and not was:
            below.changed[ITSELF] = {}
        into.changed[element] = below.changed


def _is_granular(old: Any, new: Any, schema: Schema) -> bool:
    """Whether the two sides are compared part by part rather than as a whole."""
    some = new if new is not None else old
    if isinstance(some, dict):
        if schema.map_type == "atomic" or not (old or new):
            return False
        return all(side is None or isinstance(side, dict) for side in (old, new))
    if isinstance(some, list):
        if not is_associative(schema) or not (old or new):
            return False
        return all(
            side is None or (isinstance(side, list) and items_by_element(schema, side) is not None)
            for side in (old, new)
        )
    return False


def _compare_children(old: Any, new: Any, schema: Schema) -> Difference:
    if isinstance(new, dict) or isinstance(old, dict):
        return compare(old or {}, new or {}, schema)
    before = items_by_element(schema, old or []) or {}
    after = items_by_element(schema, new or []) or {}
    difference = Difference()
    for element in {**before, **after}:
        first, second = before.get(element), after.get(element)
        present = (element in before, element in after)
        if first != second or not all(present):
            _compare_element(element, (first, second), present, schema.items, difference)
    return difference


def union(first: FieldSet, second: FieldSet) -> FieldSet:
    """Return the elements in either; at the root an empty dict is the empty set."""
    joined = dict(first)
    for element, below in second.items():
        if element not in joined:
            joined[element] = below
            continue
        there = joined[element]
        if there == below:
            continue
        merged = union(there, below)
        # An empty dict says "itself"; beside children that has to be written out.
        if not there or not below:
            merged[ITSELF] = {}
        joined[element] = merged
    return joined


def subtract(first: FieldSet, second: FieldSet) -> FieldSet:
    """Return the elements of *first* that are not in *second*; what is below them is apart."""
    left: FieldSet = {}
    for element, below in first.items():
        if element == ITSELF:
            continue
        other = second.get(element)
        if other is None:
            left[element] = below
            continue
        is_member = not below or ITSELF in below
        taken = not other or ITSELF in other
        rest = subtract(below, other)
        if is_member and not taken:
            left[element] = {**rest, ITSELF: {}} if rest else {}
        elif rest:
            left[element] = rest
    return left


def intersect(first: FieldSet, second: FieldSet) -> FieldSet:
    """Return the elements that are in both."""
    both: FieldSet = {}
    for element, below in first.items():
        if element == ITSELF or element not in second:
            continue
        other = second[element]
        is_member = (not below or ITSELF in below) and (not other or ITSELF in other)
        rest = intersect(below, other)
        if is_member:
            both[element] = {**rest, ITSELF: {}} if rest else {}
        elif rest:
            both[element] = rest
    return both


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """Every element of the set as errors print it: `.spec.containers[name="web"].image`."""
    for element, below in fields.items():
        if element == ITSELF:
            continue
        path = prefix + element_text(element)
        if not below or ITSELF in below:
            yield path
        yield from paths(below, path)
