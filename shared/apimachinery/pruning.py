"""What a schema takes out of an object and fills in: unknown fields, nulls, defaults."""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.schema import ANYTHING, Schema
from shared.errors import InvalidObject

DEFAULTED_BYTES_MAX = 8 * 1024 * 1024


def without_unknown(manifest: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return *manifest* without the fields its schema does not declare, and without nulls.

    A null stays where the schema is nullable or describes nothing. What a built-in type leaves out
    when it is empty (an optional list or map) goes too. Shares what does not change.
    """
    pruned: dict[str, Any] = _prune(dict(manifest), schema.as_object())
    return pruned


def pruned(value: Any, schema: Schema) -> Any:
    """Return a part of an object without what *schema*, its own, does not declare."""
    return _prune(value, schema)


def _prune(value: Any, schema: Schema) -> Any:
    if schema is ANYTHING:
        return value
    if isinstance(value, dict):
        kept = {}
        changed = False
        for name, each in value.items():
            child = schema.field(name)
            if child is None:
                if schema.preserves_unknown:
                    kept[name] = each
                else:
                    changed = True
            elif each is None:
                if is_null_kept(schema, name, child):
                    kept[name] = None
                else:
                    changed = True
            elif isinstance(each, dict | list):
                left = _prune(each, child)
                if not left and schema.typed and _is_left_out(schema, name, child):
                    changed = True
                    continue
                kept[name] = left
                changed = changed or left is not each
            else:
                kept[name] = each
        return kept if changed else value
    if isinstance(value, list):
        items = [_prune(item, schema.items) for item in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value


def _is_left_out(schema: Schema, name: str, child: Schema) -> bool:
    """Whether a typed server does not write the field *name* when it is empty."""
    if name in schema.present:
        return False
    return child.type == "array" or (child.type == "object" and child.values is not None)


def is_null_kept(schema: Schema, name: str, child: Schema) -> bool:
    """Whether a null in the field *name* of a value of *schema* is data rather than absence."""
    described = bool(child.type) or schema.declares(name)
    return child.nullable or not described


def with_defaults(manifest: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return *manifest* with the defaults its schema declares, at every depth that is there.

    A null counts as absent unless the field is nullable. Shares what does not change. Raises
    `InvalidObject` where the defaults are more than any object may hold.
    """
    filled: dict[str, Any] = _Filler().fill(dict(manifest), schema)
    return filled


class _Filler:
    """Counts what it adds: a thousand empty items may each have a default of a mebibyte."""

    def __init__(self) -> None:
        self._left = DEFAULTED_BYTES_MAX

    def fill(self, value: Any, schema: Schema) -> Any:
        if schema is ANYTHING:
            return value
        if isinstance(value, dict):
            return self._fill_object(value, schema)
        if isinstance(value, list):
            items = [self.fill(item, schema.items) for item in value]
            return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
        return value

    def _fill_object(self, value: dict[str, Any], schema: Schema) -> dict[str, Any]:
        filled = {}
        changed = False
        for name, each in value.items():
            child = schema.field(name)
            left = each if child is None else self.fill(each, child)
            filled[name] = left
            changed = changed or left is not each
        for name, default in schema.defaults.items():
            child = schema.field(name) or ANYTHING
            if filled.get(name) is None and not (name in filled and child.nullable):
                self._left -= schema.default_size(name)
                if self._left < 0:
                    raise InvalidObject(f"defaults would add over {DEFAULTED_BYTES_MAX} bytes")
                filled[name] = self.fill(default, child)
                changed = True
        return filled if changed else value
