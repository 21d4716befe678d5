"""Taking over an object that was there before, so that it can be given back (pure).

Before Hanse applies anything the object gets an annotation that says what it was: who managed it,
and its contents, where they are small and no secret. Giving back sets every field that is Hanse's
alone to what it was then, or takes it away, and ends our part in `managedFields`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from services.propagator.core.drift import item_at, lost_fields
from services.propagator.core.marks import ADOPTED, MARKS, applied_entry
from shared.apimachinery.field_sets import ITSELF, FieldSet, subtract, union
from shared.apimachinery.manifest import Manifest, copy, metadata_of
from shared.apimachinery.patch import merge_difference
from shared.memberapi.request import (
    ADOPTION_MANAGER,
    FENCE_MANAGER,
    FIELD_MANAGER,
    HANDOVER_MANAGER,
)

MARK_BYTES_MAX = 32 * 1024
"""All annotations of an object together may take 256 KiB."""

SHOWN_MAX = 8
OUR_MANAGERS = frozenset({FIELD_MANAGER, HANDOVER_MANAGER, ADOPTION_MANAGER, FENCE_MANAGER})
_KEPT_METADATA = ("labels", "annotations")
_NOT_KEPT = ("apiVersion", "kind", "metadata", "status")
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation")
_encode = msgspec.json.Encoder().encode


class Adopted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an object was: `previous` is absent where it is not kept."""

    at: str
    managers: tuple[str, ...] = ()
    previous: Manifest | None = None


def adoption_patch(live: Manifest, at: str, *, secret: bool) -> Manifest:
    """The merge patch that marks *live*, refused by the server if it changed meanwhile."""
    metadata = metadata_of(live)
    kept = {part: value for part, value in live.items() if part not in _NOT_KEPT}
    kept["metadata"] = {part: metadata[part] for part in _KEPT_METADATA if metadata.get(part)}
    managers = tuple(_managers(live))
    text = _encode(Adopted(at=at, managers=managers, previous=None if secret else kept))
    if len(text) > MARK_BYTES_MAX:
        text = _encode(Adopted(at=at, managers=managers))
    return {
        "metadata": {
            "resourceVersion": metadata.get("resourceVersion"),
            "annotations": {ADOPTED: text.decode()},
        }
    }


def read_mark(live: Manifest) -> Adopted | None:
    """What *live* was; None where it is not adopted. A mark that somebody spoilt keeps nothing."""
    text = (metadata_of(live).get("annotations") or {}).get(ADOPTED)
    if text is None:
        return None
    try:
        return msgspec.json.decode(str(text), type=Adopted)
    except msgspec.DecodeError:
        return Adopted(at="")


def conflicts(ordered: Manifest, live: Manifest) -> str:
    """Who holds which field of *ordered* with another value, in words; empty where nobody does."""
    found: dict[str, list[str]] = {}
    for one in lost_fields(ordered, live):
        if one.actor and not one.is_same:
            found.setdefault(one.actor, []).append(one.path)
    return "; ".join(f"{actor} holds {_listed(paths)}" for actor, paths in sorted(found.items()))


def changes(before: Manifest, after: Manifest) -> str:
    """What *before* has and *after* has otherwise, in words; what is added does not count."""
    return _listed(list(_changes(_content(before), _content(after), "")))


def given_back(live: Manifest) -> Manifest:
    """The merge patch by which *live* is its owner's again, as it was where that is known."""
    mark = read_mark(live)
    target = live
    if mark is not None and mark.previous is not None:
        target = _restored(live, _only_ours(live), mark.previous)
    metadata = unmarked(metadata_of(target), ADOPTED, *MARKS)
    others = [
        entry
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") not in OUR_MANAGERS
    ]
    patch = merge_difference(live, {**target, "metadata": metadata})
    patch.setdefault("metadata", {})
    # One empty entry: an empty list would be passed over.
    patch["metadata"]["managedFields"] = others or [{}]
    patch["metadata"]["resourceVersion"] = metadata_of(live).get("resourceVersion")
    return dict(patch)


def owner_of(live: Manifest) -> str:
    """The manager to give *live* back to."""
    mark = read_mark(live)
    return mark.managers[0] if mark is not None and mark.managers else ADOPTION_MANAGER


def _managers(live: Manifest) -> Iterator[str]:
    """Who owned anything but its status, whoever owned most first."""
    sizes: dict[str, int] = {}
    for entry in metadata_of(live).get("managedFields") or ():
        name = str(entry.get("manager") or "")
        if name and not entry.get("subresource"):
            sizes[name] = sizes.get(name, 0) + len(_encode(entry.get("fieldsV1") or {}))
    yield from sorted(sizes, key=lambda name: -sizes[name])


def _listed(paths: list[str]) -> str:
    shown = ", ".join(paths[:SHOWN_MAX])
    return f"{shown} and {len(paths) - SHOWN_MAX} more" if len(paths) > SHOWN_MAX else shown


def _content(manifest: Manifest) -> Manifest:
    metadata = {
        part: value for part, value in metadata_of(manifest).items() if part not in _BOOKKEEPING
    }
    return {**{k: v for k, v in manifest.items() if k != "status"}, "metadata": metadata}


def _changes(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            if name in after:
                yield from _changes(value, after[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) <= len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=False)):
            yield from _changes(old, new, f"{path}[{index}]")
    elif before != after:
        yield path


def _only_ours(live: Manifest) -> FieldSet:
    ours: FieldSet = (applied_entry(live) or {}).get("fieldsV1") or {}
    others: FieldSet = {}
    for entry in metadata_of(live).get("managedFields") or ():
        fields = entry.get("fieldsV1")
        if entry.get("manager") not in OUR_MANAGERS and isinstance(fields, dict):
            others = union(others, fields)
    return subtract(ours, others)


def _restored(live: Manifest, ours: FieldSet, previous: Mapping[str, Any]) -> Manifest:
    restored = copy(live)
    _restore(restored, ours, previous)
    return restored


def _restore(target: Any, ours: FieldSet, previous: Any) -> None:
    for step, below in ours.items():
        if step == ITSELF:
            continue
        if isinstance(target, dict):
            _restore_field(target, step[2:], below, previous)
        elif isinstance(target, list):
            _restore_item(target, step, below, previous)


def _restore_field(target: dict[str, Any], name: str, below: FieldSet, previous: Any) -> None:
    was_there = isinstance(previous, dict) and name in previous
    if not below or name not in target:
        if was_there:
            target[name] = previous[name]
        else:
            target.pop(name, None)
        return
    _restore(target[name], below, previous[name] if was_there else None)
    if not was_there and target[name] in ({}, []):
        del target[name]


def _restore_item(target: list[Any], step: str, below: FieldSet, previous: Any) -> None:
    at = item_at(target, step)
    before = item_at(previous, step) if isinstance(previous, list) else None
    if before is None:
        if at is not None and (not below or ITSELF in below):
            del target[at]
        return
    if at is None:
        target.append(previous[before])
    elif below:
        _restore(target[at], below, previous[before])
    else:
        target[at] = previous[before]


def unmarked(metadata: Mapping[str, Any], *marks: str) -> dict[str, Any]:
    """*metadata* without the labels and annotations in *marks*."""
    left = dict(metadata)
    for part in _KEPT_METADATA:
        if isinstance(left.get(part), dict):
            left[part] = {name: value for name, value in left[part].items() if name not in marks}
    return left
