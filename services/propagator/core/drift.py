"""Who changed what of ours: read out of the field ownership the member's API keeps (KEP-555)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from services.propagator.core.marks import applied_entry
from shared.apimachinery.field_sets import ITSELF, FieldSet, element_text, union
from shared.apimachinery.manifest import Manifest, metadata_of

ABSENT = msgspec.UNSET
"""In place of a value that is not there."""

_NOTHING: FieldSet = {}


@dataclass(frozen=True, slots=True)
class LostField:
    """A field we ordered that is no longer ours.

    `steps` are its path as `fieldsV1` writes it, `pointer` the tokens of a JSON pointer into what
    was ordered. `actor` and what follows are of the manager that holds it now; empty where nobody
    does, because it was removed.
    """

    path: str
    steps: tuple[str, ...]
    pointer: tuple[str, ...]
    ordered: Any
    found: Any
    actor: str = ""
    operation: str = ""
    time: str = ""

    @property
    def is_same(self) -> bool:
        """Whether somebody wrote just what was ordered."""
        return bool(self.ordered == self.found)


def lost_fields(ordered: Manifest, live: Manifest) -> tuple[LostField, ...]:
    """Fields of *ordered* that Hanse does not hold in *live*, in order of path."""
    entries = [
        entry
        for entry in metadata_of(live).get("managedFields") or ()
        if entry.get("subresource") != "status" and isinstance(entry.get("fieldsV1"), dict)
    ]
    mine = applied_entry(live)
    ours = (mine or {}).get("fieldsV1") or {}
    everybody = _NOTHING
    for entry in entries:
        everybody = union(everybody, entry["fieldsV1"])
    places = _Places(ordered, ours, everybody)
    others = [entry for entry in entries if entry != mine]
    found = [_describe(place, live, others) for place in places]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.path))


def without_field(value: Any, steps: Sequence[str]) -> Any:
    """Return *value* without what is at *steps*; shares whatever does not change."""
    first, *rest = steps
    if isinstance(value, dict):
        name = first[2:]
        if name not in value:
            return value
        if not rest:
            return {key: inner for key, inner in value.items() if key != name}
        return {**value, name: without_field(value[name], rest)}
    if isinstance(value, list):
        at = item_at(value, first)
        if at is None:
            return value
        changed = [*value]
        if rest:
            changed[at] = without_field(changed[at], rest)
        else:
            del changed[at]
        return changed
    return value


_Place = tuple[tuple[str, ...], tuple[str, ...], Any]


class _Places:
    """Walks *ordered* down to fields that are not in *ours*; lists as *everybody* divides them."""

    def __init__(self, ordered: Manifest, ours: FieldSet, everybody: FieldSet) -> None:
        self._ordered = ordered
        self._ours = ours
        self._everybody = everybody

    def __iter__(self) -> Iterator[_Place]:
        for name, value in self._ordered.items():
            if name in ("apiVersion", "kind"):
                continue
            if name != "metadata":
                yield from self._below({name: value}, self._ours, self._everybody, (), ())
                continue
            owned = {part: value[part] for part in ("labels", "annotations") if part in value}
            yield from self._below({name: owned}, self._ours, self._everybody, (), ())

    def _below(
        self,
        value: Any,
        ours: FieldSet,
        everybody: FieldSet,
        steps: tuple[str, ...],
        pointer: tuple[str, ...],
    ) -> Iterator[_Place]:
        for step, token, inner in _steps(value, everybody):
            at, to = (*steps, step), (*pointer, token)
            mine, all_below = ours.get(step), everybody.get(step)
            if mine == {} and not set(all_below or ()) - {ITSELF}:
                # Ours as a whole: nobody divides it further.
                continue
            parts = () if step.startswith("i:") else tuple(_steps(inner, all_below or _NOTHING))
            if parts and all_below != {}:
                yield from self._below(inner, mine or {}, all_below or {}, at, to)
                continue
            if mine is None or (mine and ITSELF not in mine):
                yield at, to, inner


def _steps(value: Any, everybody: FieldSet) -> Iterator[tuple[str, str, Any]]:
    """The parts of *value* that can be owned apart: (path element, pointer token, part)."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"f:{name}", name, inner
    elif isinstance(value, list):
        elements = [step for step in everybody if step[:2] in ("k:", "v:")]
        if not elements:
            return
        for index, item in enumerate(value):
            matching = (step for step in elements if _matches(item, step))
            yield next(matching, f"i:{index}"), str(index), item


def _describe(
    place: _Place, live: Manifest, entries: Sequence[Mapping[str, Any]]
) -> LostField | None:
    steps, pointer, ordered = place
    found = value_at(live, steps)
    holders = [entry for entry in entries if _holds(entry["fieldsV1"], steps)]
    if not holders and (found is not ABSENT or ordered in (None, "", [], {})):
        # Nobody keeps book of it: the server normalised it or never stored it.
        return None
    last = max(holders, key=lambda entry: str(entry.get("time") or ""), default={})
    return LostField(
        path="".join(element_text(step) for step in steps),
        steps=steps,
        pointer=pointer,
        ordered=ordered,
        found=found,
        actor=str(last.get("manager") or ""),
        operation=str(last.get("operation") or ""),
        time=str(last.get("time") or ""),
    )


def value_at(value: Any, steps: Sequence[str]) -> Any:
    """What *value* has at *steps*; `ABSENT` where there is nothing."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step[2:], ABSENT)
        elif isinstance(value, list):
            at = item_at(value, step)
            value = ABSENT if at is None else value[at]
        else:
            return ABSENT
    return value


def item_at(items: Sequence[Any], step: str) -> int | None:
    """The index of the item that *step* of a `fieldsV1` path names; None where there is none."""
    if step.startswith("i:"):
        # An item that nobody holds is an item that is gone.
        return None
    return next((index for index, item in enumerate(items) if _matches(item, step)), None)


def _matches(item: Any, step: str) -> bool:
    wanted = msgspec.json.decode(step[2:])
    if step.startswith("v:"):
        return bool(item == wanted)
    # A key that is not written has its default, which only the server knows (a port's protocol).
    return isinstance(item, dict) and all(
        item.get(key, value) == value for key, value in wanted.items()
    )


def _holds(fields: FieldSet, steps: Sequence[str]) -> bool:
    for step in steps:
        if step not in fields:
            return False
        fields = fields[step]
        if not fields:
            return True
    return bool(fields)
