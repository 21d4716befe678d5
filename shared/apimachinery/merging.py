"""Merging an applied object into a live one, and taking out what its applier gave up.

The rules are structured-merge-diff's: granular maps merge by key, associative lists by item, the
applied order of items leads, everything else is replaced whole. Nothing given is changed.
"""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.field_sets import (
    ITSELF,
    FieldSet,
    is_associative,
    item_element,
    items_by_element,
)
from shared.apimachinery.schema import ANYTHING, Schema


def merge(live: Mapping[str, Any], applied: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return *live* with the fields of *applied*; parts that do not change are shared with both."""
    merged = dict(live)
    for name, value in applied.items():
        if name in live:
            merged[name] = _merge_value(live[name], value, schema.field(name) or ANYTHING)
        else:
            merged[name] = value
    return merged


def _merge_value(live: Any, applied: Any, schema: Schema) -> Any:
    if isinstance(live, dict) and isinstance(applied, dict) and schema.map_type != "atomic":
        return merge(live, applied, schema)
    if isinstance(live, list) and isinstance(applied, list) and is_associative(schema):
        before = items_by_element(schema, live)
        after = items_by_element(schema, applied)
        if before is not None and after is not None:
            return _merge_items(before, after, schema.items)
    return applied


def _merge_items(live: Mapping[str, Any], applied: Mapping[str, Any], schema: Schema) -> list[Any]:
    """Items of both; those only in *live* keep their place among the shared, new ones follow."""
    merged: list[Any] = []
    waiting = list(live)
    position = 0
    for element, item in applied.items():
        while position < len(waiting) and waiting[position] not in applied:
            merged.append(live[waiting[position]])
            position += 1
        if position < len(waiting) and waiting[position] == element:
            position += 1
        shared = element in live
        merged.append(_merge_value(live[element], item, schema) if shared else item)
    merged.extend(live[element] for element in waiting[position:] if element not in applied)
    return merged


def prune(value: Mapping[str, Any], last: FieldSet, kept: FieldSet, schema: Schema) -> Any:
    """Return *value* without the fields of *last* that nobody in *kept* has.

    *last* is what the applier owned before, *kept* the union of what every manager owns now. A
    map that loses its last field this way goes too; an item of a list goes when nobody owns it
    or a part of it.
    """
    pruned = dict(value)
    for element, below in last.items():
        name = element[2:]
        if not element.startswith("f:") or name not in pruned:
            continue
        child = schema.field(name) or ANYTHING
        left = _prune_element(pruned[name], below, kept.get(element), child)
        if left is _GONE:
            del pruned[name]
        else:
            pruned[name] = left
    return pruned


class _Gone:
    """What is left of an element that is removed."""


_GONE = _Gone()


def _prune_element(value: Any, last: FieldSet, kept: FieldSet | None, schema: Schema) -> Any:
    was_owned = not last or ITSELF in last
    if was_owned and kept is None:
        return _GONE
    if isinstance(value, dict) and schema.map_type != "atomic":
        left = prune(value, last, kept or {}, schema)
    elif isinstance(value, list) and is_associative(schema):
        left = _prune_items(value, last, kept or {}, schema)
    else:
        return value
    return _GONE if value and not left and kept is None else left


def _prune_items(value: list[Any], last: FieldSet, kept: FieldSet, schema: Schema) -> list[Any]:
    left = []
    for item in value:
        element = item_element(schema, item)
        below = last.get(element)
        if below is not None:
            item_left = _prune_element(item, below, kept.get(element), schema.items)
            if item_left is not _GONE:
                left.append(item_left)
        else:
            left.append(item)
    return left
