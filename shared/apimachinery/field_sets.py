"""Sets of fields, in the form of `fieldsV1`, and what one can do with two of them.

A set is a tree of plain dicts, exactly as `metadata.managedFields[].fieldsV1` writes it. A key is a
path element: `f:<name>`, `k:<keys of a list-map item as JSON>`, `v:<value of a list-set as
JSON>`. An empty dict below a key means the element is in the set; a dict with children says so with
the key `.`. Source: KEP-555 and structured-merge-diff. Sets share their parts: never change one.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from shared.apimachinery.schema import ANYTHING, Schema

FieldSet = dict[str, Any]
ITSELF = "."
_DEPTH_MAX = 200

_encode_key = msgspec.json.Encoder(order="sorted").encode
_decode_key = msgspec.json.Decoder().decode


class UntypedConfiguration(ValueError):
    """An applied object that its schema cannot divide into fields; the message has the path."""


def is_field_set(value: Any, depth: int = 0) -> bool:
    """Whether *value* is a set in the form of `fieldsV1`."""
    if not isinstance(value, dict) or depth > _DEPTH_MAX:
        return False
    return all(
        _is_element(element) and is_field_set(below, depth + 1) for element, below in value.items()
    )


def _is_element(element: str) -> bool:
    form, colon, rest = element.partition(":")
    if element == ITSELF or (form == "f" and colon):
        return True
    if form == "i" and colon:
        return rest.isascii() and rest.isdigit()
    try:
        found = _decode_key(rest) if form in ("k", "v") and colon else None
    except msgspec.DecodeError:
        return False
    return isinstance(found, dict) if form == "k" else form == "v"


def normal(fields: FieldSet) -> FieldSet:
    """Return *fields* as they are written here: `{}` rather than `{".": {}}`."""
    return {
        element: {} if below.keys() == {ITSELF} else normal(below)
        for element, below in fields.items()
    }


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


def schema_below(schema: Schema, element: str) -> Schema:
    """Schema of what stands at one path element below a value of *schema*."""
    if element.startswith("f:"):
        return schema.field(element[2:]) or ANYTHING
    return schema.items


def contains_itself(below: FieldSet) -> bool:
    """Whether the element that has *below* it is in the set, not only parts of it."""
    return not below or ITSELF in below


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
        rest = subtract(below, other)
        if contains_itself(below) and not contains_itself(other):
            left[element] = {ITSELF: {}, **rest} if rest else {}
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
        rest = intersect(below, other)
        if contains_itself(below) and contains_itself(other):
            both[element] = {ITSELF: {}, **rest} if rest else {}
        elif rest:
            both[element] = rest
    return both


def includes(larger: FieldSet, smaller: FieldSet) -> bool:
    """Whether every element of *smaller* is in *larger*."""
    for element, below in smaller.items():
        if element == ITSELF:
            continue
        there = larger.get(element)
        if there is None or (contains_itself(below) and not contains_itself(there)):
            return False
        if below and not includes(there, below):
            return False
    return True


def with_named_fields(fields: FieldSet, schema: Schema) -> FieldSet:
    """Return *fields* with every declared field in it of which some part is in it.

    A declared field is there as soon as a part of it is; a key of a map or an item of a list is
    something of its own.
    """
    named: FieldSet = {}
    for element, below in fields.items():
        if not below:
            named[element] = below
            continue
        inner = with_named_fields(below, schema_below(schema, element))
        if element.startswith("f:") and schema.declares(element[2:]):
            inner[ITSELF] = {}
        named[element] = inner
    return named


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """Every element of the set as errors print it: `.spec.containers[name="web"].image`.

    Those of one level come before what is below them, each in order of name.
    """
    steps = [
        (prefix + element_text(element), below)
        for element, below in sorted(fields.items())
        if element != ITSELF
    ]
    yield from (path for path, below in steps if contains_itself(below))
    for path, below in steps:
        yield from paths(below, path)
