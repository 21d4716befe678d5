"""Merging an applied object into a live one, and taking out what its applier gave up.

The rules are structured-merge-diff's: granular maps merge by key, associative lists by item, the
applied order of items leads, everything else is replaced whole. Nothing given is changed.
"""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.differing import fields_of, items_by_element
from shared.apimachinery.field_sets import (
    FieldSet,
    contains_itself,
    intersect,
    is_associative,
    item_element,
    subtract,
    union,
    with_named_fields,
)
from shared.apimachinery.pruning import is_null_kept
from shared.apimachinery.schema import ANYTHING, Schema


def merge(live: Mapping[str, Any], applied: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return *live* with the fields of *applied*; parts that do not change are shared with both."""
    merged = dict(live)
    for name, value in applied.items():
        child = schema.field(name) or ANYTHING
        merged[name] = _merge_value(live[name], value, child) if name in live else value
    return merged


def _merge_value(live: Any, applied: Any, schema: Schema) -> Any:
    if isinstance(live, dict) and live and schema.map_type != "atomic":
        if applied is None:
            # Null owns the field but, of a map, takes nothing away.
            return live
        if isinstance(applied, dict):
            return merge(live, applied, schema)
    if isinstance(live, list) and live and is_associative(schema):
        if applied is None:
            return live
        if isinstance(applied, list):
            return _merge_items(live, applied, schema)
    return applied


def _merge_items(live: list[Any], applied: list[Any], schema: Schema) -> list[Any]:
    """Items of both. The applied order leads; those of *live* alone stay where they stood in it."""
    before, after = items_by_element(schema, live), items_by_element(schema, applied)
    order = list(after)
    shared = iter([element for element in order if element in before])
    awaited = next(shared, None)
    merged: list[Any] = []
    position = 0

    def take() -> None:
        nonlocal position, awaited
        element = order[position]
        merged.append(_merge_item(before.get(element), after[element], schema))
        position += 1
        if element == awaited:
            awaited = next(shared, None)

    for item in live:
        element = item_element(schema, item)
        if element not in after:
            merged.append(item)
            continue
        # A shared item whose turn it is not, by the applied order, is passed over until it is.
        while position < len(order) and awaited == element:
            take()
            if order[position - 1] == element:
                break
        else:
            if awaited is None and position < len(order):
                take()
    while position < len(order):
        take()
    return merged


def _merge_item(live: list[Any] | None, applied: list[Any], schema: Schema) -> Any:
    # Of live duplicates none is meant rather than another: the applied item stands for all.
    if live is None or len(live) > 1:
        return applied[0]
    return _merge_value(live[0], applied[0], schema.items)


def prune(
    merged: Mapping[str, Any], last: FieldSet, owned: FieldSet, schema: Schema
) -> dict[str, Any]:
    """Return *merged* without what its applier gave up and nobody else owns.

    *last* is what the applier owned before, *owned* the union of what every manager owns now.
    An item goes with the parts of it that nobody owns; what the applier never owned stays. A map
    or list that loses all its parts but is itself not given up stays, empty.
    """
    given_up = with_named_fields(last, schema)
    there = with_named_fields(fields_of(merged, schema), schema)
    # 1. What is left if all of it goes; 2. less only what nobody owns; 3. less only what was his.
    left = _remove(merged, given_up, schema)
    kept = union(
        with_named_fields(fields_of(left, schema), schema), with_named_fields(owned, schema)
    )
    left = _remove(merged, subtract(there, kept), schema)
    left_fields = with_named_fields(fields_of(left, schema), schema)
    gone = intersect(subtract(there, left_fields), given_up)
    pruned: dict[str, Any] = _remove(merged, gone, schema)
    return pruned


def _remove(value: Any, fields: FieldSet, schema: Schema) -> Any:
    """Return *value* without the elements of *fields*; what loses all its parts is empty."""
    if isinstance(value, dict) and schema.map_type != "atomic":
        left = {}
        for name, each in value.items():
            below = fields.get(f"f:{name}")
            if below is None:
                left[name] = each
            elif not contains_itself(below):
                left[name] = _remove(each, below, schema.field(name) or ANYTHING)
        return left
    if isinstance(value, list) and is_associative(schema):
        items = []
        for item in value:
            below = fields.get(item_element(schema, item))
            if below is None:
                items.append(item)
            elif not contains_itself(below):
                items.append(_remove(item, below, schema.items))
        return items
    return value


def without_nulls(value: Any, schema: Schema) -> Any:
    """Return *value* without the nulls that its schema does not allow: they mean absence.

    What no schema describes keeps them. Shares what does not change.
    """
    if isinstance(value, dict):
        left = None
        for name, each in value.items():
            if each is not None and not isinstance(each, dict | list):
                continue
            child = schema.field(name) or ANYTHING
            if each is None:
                if not is_null_kept(schema, name, child):
                    left = dict(value) if left is None else left
                    del left[name]
                continue
            inner = without_nulls(each, child)
            if inner is not each:
                left = dict(value) if left is None else left
                left[name] = inner
        return value if left is None else left
    if isinstance(value, list) and value and isinstance(value[0], dict | list):
        items = [without_nulls(item, schema.items) for item in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value
