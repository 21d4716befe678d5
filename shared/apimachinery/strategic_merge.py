"""Strategic merge patch: what client-side `kubectl apply`, `edit`, `label` and `scale` send.

Maps merge; a list merges by its kind's merge key where the schema names one, and is replaced
otherwise. Directives: `$patch: delete|replace|merge`, `$deleteFromPrimitiveList/<field>`,
`$setElementOrder/<field>`, `$retainKeys`. Null deletes a field. Nothing given is changed.
Source: Kubernetes' strategic-merge-patch document (sig-api-machinery).
"""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.schema import ANYTHING, Schema
from shared.errors import InvalidObject

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge(target: Any, patch: Any, schema: Schema) -> Any:
    """Return *target* (an object) after *patch*; raises `InvalidObject` for a bad directive."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get(_PATCH)
    if directive == "replace":
        return _plain({name: value for name, value in patch.items() if name != _PATCH})
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise InvalidObject(f"unknown $patch directive {directive!r}")
    merged: dict[str, Any] = dict(target) if isinstance(target, dict) else {}
    _retain(merged, patch)
    for name, value in patch.items():
        if name in (_PATCH, _RETAIN) or name.startswith((_DELETE_FROM, _ORDER)):
            continue
        if value is None:
            merged.pop(name, None)
        else:
            field = schema.field(name) or ANYTHING
            merged[name] = _merge_field(merged.get(name), value, field, _order(patch, name))
    _delete_from_lists(merged, patch)
    _reorder_untouched(merged, patch, schema)
    return merged


def _merge_field(current: Any, value: Any, schema: Schema, order: list[Any] | None) -> Any:
    if isinstance(value, list):
        if "merge" not in schema.strategies:
            return _plain(value)
        return _merge_list(current if isinstance(current, list) else [], value, schema, order)
    if isinstance(value, dict):
        return strategic_merge(current, value, schema)
    return value


def _merge_list(
    current: list[Any], patch: list[Any], schema: Schema, order: list[Any] | None
) -> list[Any]:
    if not schema.merge_key:
        merged = [*current, *(value for value in patch if value not in current)]
        return _sorted_by(merged, order, lambda value: value)
    key = schema.merge_key
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
        return [_plain(item) for item in patch if item.get(_PATCH) != "replace"]
    merged = list(current)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise InvalidObject(f"an item of the patch lacks its merge key {key!r}")
        places = [
            place
            for place, there in enumerate(merged)
            if isinstance(there, dict) and there.get(key) == item[key]
        ]
        if item.get(_PATCH) == "delete":
            merged = [each for place, each in enumerate(merged) if place not in places]
        elif places:
            merged[places[0]] = strategic_merge(merged[places[0]], item, schema.items)
        else:
            merged.append(strategic_merge({}, item, schema.items))
    return _sorted_by(merged, order, lambda item: item.get(key))


def _sorted_by(items: list[Any], order: list[Any] | None, key_of: Any) -> list[Any]:
    """Bring items into *order*; one that it does not name stays behind the one it followed."""
    if not order:
        return items
    rank = {_hashable(value): place for place, value in enumerate(order)}
    ranked: list[tuple[float, int, Any]] = []
    last = -1.0
    for place, item in enumerate(items):
        last = float(rank.get(_hashable(key_of(item)), last))
        ranked.append((last, place, item))
    return [item for _, _, item in sorted(ranked, key=lambda each: each[:2])]


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else repr(value)


def _order(patch: Mapping[str, Any], name: str) -> list[Any] | None:
    """Order that the patch asks for the list *name*: merge keys, or values of plain lists."""
    wanted = patch.get(f"{_ORDER}{name}")
    if not isinstance(wanted, list):
        return None
    return [next(iter(each.values()), None) if isinstance(each, dict) else each for each in wanted]


def _reorder_untouched(merged: dict[str, Any], patch: Mapping[str, Any], schema: Schema) -> None:
    """An order may come alone, for a list of which nothing else changes."""
    for directive in patch:
        name = directive.removeprefix(_ORDER)
        if name == directive or name in patch or not isinstance(merged.get(name), list):
            continue
        key = (schema.field(name) or ANYTHING).merge_key
        merged[name] = _sorted_by(
            merged[name],
            _order(patch, name),
            lambda item, key=key: item.get(key) if isinstance(item, dict) else item,
        )


def _delete_from_lists(merged: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for directive, values in patch.items():
        name = directive.removeprefix(_DELETE_FROM)
        if name != directive and isinstance(merged.get(name), list):
            gone = values if isinstance(values, list) else []
            merged[name] = [value for value in merged[name] if value not in gone]


def _retain(merged: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """Drop what `$retainKeys` does not list: a union of which another member is chosen."""
    retained = patch.get(_RETAIN)
    if retained is None:
        return
    if not isinstance(retained, list):
        raise InvalidObject("$retainKeys must be a list of field names")
    for name in [name for name in merged if name not in retained]:
        del merged[name]


def _plain(value: Any) -> Any:
    """Return what is put in place as it is: without directives and nulls."""
    if isinstance(value, dict):
        return {
            name: _plain(each)
            for name, each in value.items()
            if each is not None and not name.startswith("$")
        }
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
