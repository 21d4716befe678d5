"""Who changed what of ours: read out of the field ownership the member's API keeps (KEP-555)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.propagator.core.marks import applied_entry
from shared.apimachinery.manifest import Manifest, decode, encode, metadata_of

FIELDS_MAX = 20


@dataclass(frozen=True, slots=True)
class LostField:
    """A field we ordered that another manager owns now; `path` as `.spec.replicas`."""

    path: str
    actor: str


def lost_fields(ordered: Manifest, live: Manifest) -> tuple[LostField, ...]:
    """Fields of *ordered* that others took over in *live*, at most `FIELDS_MAX`.

    Empty where a field was only removed: then nobody owns it, and nobody can be named.
    """
    ours = (applied_entry(live) or {}).get("fieldsV1") or {}
    found: dict[str, LostField] = {}
    for entry in metadata_of(live).get("managedFields") or ():
        theirs = entry.get("fieldsV1")
        if not isinstance(theirs, dict) or theirs == ours or entry.get("subresource") == "status":
            continue
        for path in _taken(theirs, ours, ordered, ""):
            found.setdefault(path, LostField(path, str(entry.get("manager") or "")))
    return tuple(sorted(found.values(), key=lambda one: one.path))[:FIELDS_MAX]


def without_replicas(body: bytes) -> bytes:
    """An encoded manifest that leaves `.spec.replicas` to whoever owns it."""
    manifest = decode(body)
    spec = manifest.get("spec")
    if isinstance(spec, dict):
        spec.pop("replicas", None)
    return encode(manifest)


_ABSENT = object()


def _taken(
    theirs: Mapping[str, Any], ours: Mapping[str, Any], value: Any, path: str
) -> Iterator[str]:
    for step, below in theirs.items():
        if step == ".":
            continue
        inner, where = _follow(value, step, path)
        if inner is _ABSENT:
            continue
        if below and isinstance(below, dict):
            yield from _taken(below, ours.get(step) or {}, inner, where)
        elif step not in ours:
            yield where


def _follow(value: Any, step: str, path: str) -> tuple[Any, str]:
    """One step of a FieldsV1 path (`f:` field, `k:` list item by key, `v:` set member)."""
    sort, _, name = step.partition(":")
    if sort == "f" and isinstance(value, dict):
        return value.get(name, _ABSENT), f"{path}.{name}"
    if isinstance(value, list) and sort in ("k", "v"):
        wanted = json.loads(name)
        for item in value:
            if item == wanted if sort == "v" else _has_keys(item, wanted):
                return item, f"{path}[{name}]"
    return _ABSENT, path


def _has_keys(item: Any, keys: Mapping[str, Any]) -> bool:
    return isinstance(item, dict) and all(item.get(key) == value for key, value in keys.items())
