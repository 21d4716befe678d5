"""Server-side apply with field ownership, and the ownership that every other write leaves behind.

`apply` merges what a manager applies into the live object, takes out what it applied before and no
longer does, and answers `Conflicts` where others manage fields it would change. `track_update`
notes the fields that a create, update or patch changed. Both keep `metadata.managedFields`; a
manager's time changes only when its fields do. Source: KEP-555 and structured-merge-diff's Updater.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.apimachinery.field_sets import (
    FieldSet,
    compare,
    fields_of,
    intersect,
    paths,
    subtract,
    union,
)
from shared.apimachinery.managed_fields import (
    ANCIENT,
    APPLY,
    UPDATE,
    UPDATERS_MAX,
    Entry,
    Manager,
    Managers,
    read_managers,
    write_managers,
)
from shared.apimachinery.manifest import Manifest, metadata_of
from shared.apimachinery.merging import merge, prune
from shared.apimachinery.schema import Schema

BEFORE_FIRST_APPLY = "before-first-apply"

# Identity and bookkeeping belong to the server, never to a manager.
_UNMANAGED_METADATA = (
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


@dataclass(frozen=True, slots=True)
class Conflict:
    """One field that somebody else manages; `path` as errors print it (`.spec.replicas`)."""

    manager: Manager
    api_version: str
    path: str

    def __str__(self) -> str:
        with_ = f'conflict with "{self.manager.name}"'
        if self.manager.subresource:
            with_ += f' with subresource "{self.manager.subresource}"'
        if self.manager.operation == UPDATE:
            with_ += f" using {self.api_version}"
        return f"{with_}: {self.path}"


@dataclass(frozen=True, slots=True)
class Conflicts:
    """The answer to an apply that others' fields stand against; nothing was changed."""

    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, through which version and subresource, and when (RFC 3339)."""

    manager: str
    api_version: str
    now: str
    subresource: str = ""


def apply(
    live: Manifest | None, applied: Manifest, writer: Writer, schema: Schema, *, force: bool
) -> Manifest | Conflicts:
    """Return the object after *applied* is merged into *live* (None: it does not exist yet).

    Identity (name, uid, resourceVersion) is the caller's to check and to set. The result
    shares parts with both arguments; neither is changed. A result equal to *live* means
    that nothing has to be written.
    """
    before: Manifest = live or {}
    config = _without_nulls(_without(applied, _UNMANAGED_METADATA))
    old = _comparable(before, writer.subresource)
    managers = read_managers(metadata_of(before).get("managedFields") or ())
    if live is not None and not managers:
        managers = _managed_before(before, writer, schema)
    me = Manager(writer.manager, APPLY, subresource=writer.subresource)
    last = managers.get(me)
    own = fields_of(_comparable(config, writer.subresource), schema)

    merged = merge(old, _comparable(config, writer.subresource), schema)
    managers[me] = Entry(own, writer.api_version, writer.now)
    if last is not None:
        kept = _union_of(entry.fields for entry in managers.values())
        merged = prune(merged, last.fields, kept, schema)
    difference = compare(old, merged, schema)
    conflicts = _take_from_others(managers, me, difference.changed, difference.removed)
    if conflicts and not force:
        return Conflicts(tuple(conflicts))
    if last is not None and last.fields == own and last.api_version == writer.api_version:
        managers[me] = last
    if not own:
        managers.pop(me)
    return _assemble(before, applied, merged, managers, writer.subresource)


def track_update(
    old: Manifest | None, new: Manifest, writer: Writer, schema: Schema
) -> list[dict[str, Any]]:
    """Return the managedFields of *new*, which *writer* made of *old* by any means but apply.

    Empty managedFields in *new* reset ownership, as upstream has it; otherwise what the
    client sent there is ignored.
    """
    before: Manifest = old or {}
    if old is not None and metadata_of(new).get("managedFields") == []:
        managers: Managers = {}
    else:
        managers = read_managers(metadata_of(before).get("managedFields") or ())
    difference = compare(
        _comparable(before, writer.subresource), _comparable(new, writer.subresource), schema
    )
    if not difference.empty:
        me = Manager(writer.manager, UPDATE, writer.api_version, writer.subresource)
        _take_from_others(managers, me, difference.changed, difference.removed)
        entry = managers.get(me)
        had = entry.fields if entry is not None else {}
        fields = union(subtract(had, difference.removed), difference.changed)
        if entry is None or fields != had:
            managers[me] = Entry(fields, writer.api_version, writer.now)
        if not fields:
            managers.pop(me)
        _fold_ancient(managers)
    return write_managers(managers)


def _take_from_others(
    managers: Managers, me: Manager, changed: FieldSet, removed: FieldSet
) -> list[Conflict]:
    """Take the changed and removed fields from every other manager; return whom it hurt."""
    conflicts: list[Conflict] = []
    for manager, entry in list(managers.items()):
        if manager == me:
            continue
        lost = intersect(entry.fields, changed)
        conflicts.extend(Conflict(manager, entry.api_version, path) for path in paths(lost))
        fields = subtract(subtract(entry.fields, lost), removed) if lost or removed else None
        if fields is None or fields == entry.fields:
            continue
        if fields:
            managers[manager] = Entry(fields, entry.api_version, entry.time)
        else:
            del managers[manager]
    return conflicts


def _managed_before(live: Manifest, writer: Writer, schema: Schema) -> Managers:
    """Everything that was there before anybody was tracked belongs to a manager of that name."""
    fields = fields_of(_comparable(live, ""), schema)
    manager = Manager(BEFORE_FIRST_APPLY, UPDATE, writer.api_version)
    return {manager: Entry(fields, writer.api_version, writer.now)} if fields else {}


def _fold_ancient(managers: Managers) -> None:
    """Bound the number of updaters: the oldest become one."""
    updaters = sorted(
        (manager for manager in managers if manager.operation == UPDATE),
        key=lambda manager: managers[manager].time,
    )
    surplus = updaters[: max(len(updaters) - UPDATERS_MAX, 0)]
    for manager in surplus:
        entry = managers.pop(manager)
        ancient = Manager(ANCIENT, UPDATE, manager.api_version)
        there = managers.get(ancient)
        fields = union(there.fields, entry.fields) if there else entry.fields
        managers[ancient] = Entry(fields, entry.api_version, entry.time)


def _union_of(sets: Iterable[FieldSet]) -> FieldSet:
    joined: FieldSet = {}
    for each in sets:
        joined = union(joined, each)
    return joined


def _without(manifest: Mapping[str, Any], metadata_fields: Iterable[str]) -> Manifest:
    """Return the parts that managers can own."""
    owned = {name: part for name, part in manifest.items() if name not in ("apiVersion", "kind")}
    metadata = owned.get("metadata")
    if isinstance(metadata, dict):
        left = {name: part for name, part in metadata.items() if name not in metadata_fields}
        if left:
            owned["metadata"] = left
        else:
            del owned["metadata"]
    return owned


def _comparable(manifest: Mapping[str, Any], subresource: str) -> Manifest:
    """Return the parts that a write through *subresource* can change."""
    owned = _without(manifest, _UNMANAGED_METADATA)
    if subresource == "status":
        return {"status": owned["status"]} if "status" in owned else {}
    return owned


def _without_nulls(value: Any) -> Any:
    """A null in an applied object says nothing; typed clients send them for absent fields."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value


def _assemble(
    live: Manifest,
    applied: Manifest,
    merged: Mapping[str, Any],
    managers: Managers,
    subresource: str,
) -> Manifest:
    """Join the merged parts with identity from *live*, or from *applied* where it is new."""
    result: Manifest = {
        "apiVersion": applied.get("apiVersion", live.get("apiVersion")),
        "kind": applied.get("kind", live.get("kind")),
    }
    source = metadata_of(live) or metadata_of(applied)
    identity = {name: source[name] for name in _UNMANAGED_METADATA if name in source}
    identity["managedFields"] = write_managers(managers)
    if subresource == "status":
        kept = {name: part for name, part in live.items() if name != "status"}
        metadata = {**metadata_of(live), **identity}
        return {**kept, **merged, "metadata": metadata}
    result["metadata"] = {**(merged.get("metadata") or {}), **identity}
    result.update((name, part) for name, part in merged.items() if name != "metadata")
    return result
