"""Strategic merge patch: what client-side `kubectl apply`, `edit`, `label` and `scale` send.

Maps merge; a list merges by its kind's merge key where the schema names one, and is replaced
otherwise. Directives: `$patch: delete|replace|merge`, `$deleteFromPrimitiveList/<field>`,
`$setElementOrder/<field>`, `$retainKeys`. Null deletes a field. Nothing given is changed.
Source: Kubernetes' strategic-merge-patch document (sig-api-machinery) and the behaviour of its
package `strategicpatch`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.apimachinery.schema import ANYTHING, Schema
from shared.errors import InvalidObject

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_NOTHING: Any = object()


class MalformedPatch(InvalidObject):
    """A patch that nothing can be patched with."""


def strategic_merge(target: Any, patch: Any, schema: Schema) -> Any:
    """Return *target* (an object) after *patch*; raises `InvalidObject` for a bad directive."""
    if not isinstance(patch, dict):
        return patch
    return _merge_map(target if isinstance(target, dict) else {}, patch, schema.as_object())


def _merge_map(target: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema) -> Any:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return _verbatim(patch)
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise _unknown_directive(directive, patch)
    merged = _retained(target, patch)
    ordered = _merge_ordered_lists(merged, patch, schema)
    for name, value in patch.items():
        if name in ordered or name in (_PATCH, _RETAIN) or name.startswith(_ORDER):
            continue
        if name.startswith(_DELETE_FROM):
            _delete_from_list(merged, name.removeprefix(_DELETE_FROM), value)
        elif value is None:
            merged.pop(name, None)
        else:
            left = _merge_field(merged.get(name, _NOTHING), value, schema.field(name) or ANYTHING)
            if left is _NOTHING:
                merged.pop(name, None)
            else:
                merged[name] = left
    return merged


def _merge_field(current: Any, value: Any, schema: Schema) -> Any:
    """Return the field after the patch; `_NOTHING` where only a directive stands."""
    if isinstance(current, dict) and isinstance(value, dict):
        if "replace" in schema.strategies:
            return _verbatim(value)
        return _merge_map(current, value, schema)
    if isinstance(current, list) and isinstance(value, list):
        return _merge_list(current, value, schema)
    return _without_directives(value)


def _merge_list(current: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    if "merge" not in schema.strategies:
        return [_verbatim(item) for item in patch]
    if not any(isinstance(item, dict) for item in (*current, *patch)):
        merged = list({_identity(item, ""): item for item in (*current, *patch)}.values())
        return _in_order(merged, patch, current, "")
    if not all(isinstance(item, dict) for item in (*current, *patch)):
        raise InvalidObject(f"list element types are not identical: {in_go([current, patch])}")
    key = schema.merge_key
    if not key:
        raise InvalidObject("cannot merge lists without merge key")
    if any(item.get(_PATCH) == "replace" for item in patch):
        return [_verbatim(item) for item in patch if _PATCH not in item]
    kept, plain = _without_deleted(current, patch, key)
    merged = list(kept)
    places = _keyed_places(merged, key)
    for item in plain:
        place = places.get(_identity(item, key))
        if place is None:
            places[_identity(item, key)] = len(merged)
            merged.append(_verbatim(item))
        else:
            merged[place] = _merge_map(merged[place], item, schema.items)
    return _in_order(merged, plain, kept, key)


def _without_deleted(
    current: list[Any], patch: list[Any], key: str
) -> tuple[list[Any], list[dict[str, Any]]]:
    """Return the items that no deletion names, and the patch without its deletions."""
    gone: set[Any] = set()
    plain: list[dict[str, Any]] = []
    for item in patch:
        value = _key_of(item, key)
        directive = item.get(_PATCH)
        if directive == "delete":
            gone.add(_identity(value, ""))
        elif directive is None:
            plain.append(item)
        elif directive == "merge":
            raise InvalidObject("merging lists cannot yet be specified in the patch")
        else:
            raise _unknown_directive(directive, item)
    kept = [
        item for item in current if not (isinstance(item, dict) and _identity(item, key) in gone)
    ]
    return kept, plain


def _merge_ordered_lists(
    merged: dict[str, Any], patch: Mapping[str, Any], schema: Schema
) -> set[str]:
    """Merge into *merged* the lists whose order the patch sets; return their names."""
    names = set()
    for directive, order in patch.items():
        name = directive.removeprefix(_ORDER)
        if name == directive:
            continue
        if not isinstance(order, list):
            raise InvalidObject(f"{directive} must be a list")
        current, items = merged.get(name), patch.get(name)
        if any(part is not None and not isinstance(part, list) for part in (current, items)):
            raise InvalidObject(f"{directive} orders a field that is no list")
        field = schema.field(name) or ANYTHING
        if items is None and (name in patch or current is None):
            continue
        _check_order(items or [], order, field.merge_key)
        names.add(name)
        if items is None:
            found = list(current or [])
        elif current is None:
            found = _without_directives(items)
        else:
            found = _merge_list(current, items, field)
        was = _order_before(current or [], items or [], field.merge_key)
        merged[name] = _in_order(found, order, was, field.merge_key)
    return names


def _order_before(current: list[Any], items: list[Any], key: str) -> list[Any]:
    """The order that items not named by the patch keep to.

    Upstream lets new items stand in the places that deleted ones leave at the end.
    """
    if not key or any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in items):
        return current
    kept, plain = _without_deleted(current, items, key)
    places = _keyed_places(kept, key)
    added = [item for item in plain if _identity(item, key) not in places]
    return [*kept, *added][: len(current)]


def _check_order(items: list[Any], order: list[Any], key: str) -> None:
    """Raise `InvalidObject` unless the items of the patch stand in *order* as it has them."""
    waiting = iter([_identity(each, key) for each in order])
    for item in items if order else ():
        if isinstance(item, dict) and _PATCH in item:
            continue
        if _identity(item, key) not in waiting:
            raise InvalidObject(
                f"The order in patch list:\n{in_go(items)}\n doesn't match {_ORDER[:-1]} list:\n"
                f"{in_go(order)}\n"
            )


def _in_order(
    items: list[Any], order: Sequence[Any], current: Sequence[Any], key: str
) -> list[Any]:
    """Bring the items that *order* names into it; the others stay where they were in *current*.

    An item of the order comes first unless one that is not stood before it in *current*.
    """
    wanted = {identity: place for place, identity in _places(order, key)}
    was = {identity: place for place, identity in _places(current, key)}
    named = [item for item in items if _identity(item, key) in wanted]
    named.sort(key=lambda item: wanted[_identity(item, key)])
    others = [item for item in items if _identity(item, key) not in wanted]
    others.sort(key=lambda item: was.get(_identity(item, key), len(was)))
    merged: list[Any] = []
    place = 0
    for item in named:
        before = was.get(_identity(item, key))
        while before is not None and place < len(others):
            other = was.get(_identity(others[place], key))
            if other is None or other >= before:
                break
            merged.append(others[place])
            place += 1
        merged.append(item)
    return [*merged, *others[place:]]


def _places(items: Sequence[Any], key: str) -> list[tuple[int, Any]]:
    # The first of equal ones counts, so it is written last.
    return [(place, _identity(item, key)) for place, item in reversed(list(enumerate(items)))]


def _identity(item: Any, key: str) -> Any:
    """What tells an item from others: its merge key, or itself."""
    value = item.get(key) if key and isinstance(item, dict) else item
    return value if isinstance(value, str | int | float | bool) else repr(value)


def _key_of(item: Any, key: str) -> Any:
    if not isinstance(item, dict) or key not in item:
        raise InvalidObject(f"map: {in_go(item)} does not contain declared merge key: {key}")
    return item[key]


def _keyed_places(items: list[Any], key: str) -> dict[Any, int]:
    """Where the first item of each merge key stands."""
    places: dict[Any, int] = {}
    for place, item in enumerate(items):
        if isinstance(item, dict) and key in item:
            places.setdefault(_identity(item, key), place)
    return places


def _delete_from_list(merged: dict[str, Any], name: str, values: Any) -> None:
    if not isinstance(values, list):
        raise InvalidObject(f"{_DELETE_FROM}{name} must be a list")
    if isinstance(merged.get(name), list):
        gone = {_identity(value, "") for value in values}
        merged[name] = [value for value in merged[name] if _identity(value, "") not in gone]


def _retained(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what `$retainKeys` does not list: a union of which another member is chosen."""
    _check_retained(patch)
    retained = patch.get(_RETAIN)
    if retained is None:
        return dict(target)
    return {name: value for name, value in target.items() if name in retained}


def _check_retained(patch: Mapping[str, Any]) -> None:
    """Raise `MalformedPatch` unless all that the patch sets is retained."""
    retained = patch.get(_RETAIN, [])
    ill = not isinstance(retained, list) or any(
        value is not None and not name.startswith("$") and name not in retained
        for name, value in patch.items()
    )
    if ill and _RETAIN in patch:
        raise MalformedPatch("invalid patch format of retainKeys")


def _verbatim(value: Any) -> Any:
    """Return what replaces or is appended as it stands: only the directives' own fields go."""
    if isinstance(value, dict):
        return {
            name: _verbatim(each)
            for name, each in value.items()
            if each is not None and not name.startswith("$")
        }
    if isinstance(value, list):
        return [_verbatim(each) for each in value]
    return value


def _without_directives(value: Any) -> Any:
    """Return a new field: without nulls, and without anything that holds a `$patch`."""
    if isinstance(value, dict):
        if _PATCH in value:
            return _NOTHING
        # Upstream looks only where a value was before; there defaults are always before.
        _check_retained(value)
        found = {
            name: _without_directives(each)
            for name, each in value.items()
            if each is not None and not name.startswith("$")
        }
        return {name: each for name, each in found.items() if each is not _NOTHING}
    if isinstance(value, list):
        found_items = (_without_directives(each) for each in value)
        return [each for each in found_items if each is not _NOTHING]
    return value


def _unknown_directive(directive: Any, patch: Mapping[str, Any]) -> InvalidObject:
    return InvalidObject(f"unknown patch type: {in_go(directive)} in map: {in_go(patch)}")


def in_go(value: Any) -> str:
    """Return plain data as Go prints it, which is how upstream's messages show a patch."""
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{name}:{in_go(value[name])}" for name in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(in_go(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)
