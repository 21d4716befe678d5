"""Server-side apply with field ownership, and the ownership that every other write leaves behind.

`apply` merges what a manager applies into the live object, takes out what it applied before and no
longer does, and answers `Conflicts` where others manage fields it would change. `track_update`
notes the fields that a create, update or patch changed. Both keep `metadata.managedFields`; a
manager's time changes only when its fields do. Source: KEP-555 and structured-merge-diff's Updater.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.apimachinery import last_applied
from shared.apimachinery.differing import compare, fields_of
from shared.apimachinery.field_sets import (
    ITSELF,
    FieldSet,
    includes,
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
    read_sent_managers,
    write_managers,
)
from shared.apimachinery.manifest import Manifest, encode, metadata_of
from shared.apimachinery.merging import merge, prune, without_nulls
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

    @property
    def whose(self) -> str:
        """How errors name the manager: `"kubectl" using apps/v1`."""
        text = f'"{self.manager.name}"'
        if self.manager.subresource:
            text += f' with subresource "{self.manager.subresource}"'
        # An applier owns its fields whatever version it speaks.
        return f"{text} using {self.api_version}" if self.manager.operation == UPDATE else text

    def __str__(self) -> str:
        return f"conflict with {self.whose}: {self.path}"


@dataclass(frozen=True, slots=True)
class Conflicts:
    """The answer to an apply that others' fields stand against; nothing was changed."""

    conflicts: tuple[Conflict, ...]

    def __str__(self) -> str:
        if len(self.conflicts) == 1:
            return f"Apply failed with 1 conflict: {self.conflicts[0]}"
        lines = []
        for whose in sorted({one.whose for one in self.conflicts}):
            lines.append(f"conflicts with {whose}:")
            lines.extend(f"- {one.path}" for one in self.conflicts if one.whose == whose)
        return f"Apply failed with {len(self.conflicts)} conflicts: " + "\n".join(lines)


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
    that nothing has to be written. Raises `UntypedConfiguration` where *applied* has a field its
    schema does not declare, or an item of an associative list twice.
    """
    schema = schema.as_object()
    before: Manifest = live or {}
    old = _managed_part(before, writer.subresource)
    config = _managed_part(applied, writer.subresource)
    managers = read_managers(metadata_of(before).get("managedFields") or ())
    if live is not None and not managers:
        managers = _managed_before(before, writer, schema)
    me = Manager(writer.manager, APPLY, subresource=writer.subresource)
    last = managers.get(me)

    # 1. Bring in what is applied, and take out what no longer is.
    own = _without_metadata_itself(fields_of(config, schema, strict=True))
    merged = merge(old, config, schema)
    managers[me] = Entry(own, writer.api_version, writer.now)
    if last is not None and own != last.fields and not includes(own, last.fields):
        owned = _union_of(entry.fields for entry in managers.values())
        merged = prune(merged, last.fields, owned, schema)

    # 2. Whom does that hurt?
    conflicts: list[Conflict] = []
    if len(managers) > 1:
        difference = compare(old, merged, schema)
        conflicts = _take_from_others(managers, me, difference.changed, difference.removed)
    if conflicts and not force:
        if writer.manager == last_applied.MANAGER:
            conflicts = _not_with_himself(conflicts, before, writer, schema)
        if conflicts:
            return Conflicts(tuple(conflicts))

    # 3. The time is that of the last change to the object by this manager, if he ever made one.
    if merged == old:
        managers[me] = Entry(own, writer.api_version, last.time if last is not None else "")
    if not own:
        del managers[me]
    if schema.typed and b"null" in encode(merged):
        merged = without_nulls(merged, schema)
    result = _assemble(before, applied, merged, managers, writer.subresource)
    if writer.manager == last_applied.MANAGER:
        return last_applied.with_last_applied(result, applied)
    return result


def _not_with_himself(
    conflicts: list[Conflict], live: Manifest, writer: Writer, schema: Schema
) -> list[Conflict]:
    """Leave out what the same user's client-side apply set, and nobody changed since."""
    same = last_applied.fields_still_as_applied(live, writer.api_version, schema)
    allowed = set(paths(same))
    return [one for one in conflicts if one.path not in allowed]


def track_update(
    old: Manifest | None, new: Manifest, writer: Writer, schema: Schema
) -> list[dict[str, Any]]:
    """Return the managedFields of *new*, which *writer* made of *old* by any means but apply.

    Of an object that was there, managedFields that the client sent count: others' ownership is his
    to rewrite, and empty ones end the tracking of the object until somebody applies it.
    """
    schema = schema.as_object()
    managers: Managers = {}
    if old is not None:
        managers = _managers_after(old, new, writer)
        if not managers:
            return []
    difference = compare(
        _managed_part(old or {}, writer.subresource),
        _managed_part(new, writer.subresource),
        schema,
    )
    changed = _without_metadata_itself(difference.changed)
    if changed or difference.removed:
        # Mine are no exception: what I removed is no longer mine, what I changed is mine anew.
        _take_from_others(managers, None, changed, difference.removed)
    if changed:
        me = Manager(writer.manager, UPDATE, writer.api_version, writer.subresource)
        entry = managers.get(me)
        fields = union(entry.fields, changed) if entry is not None else changed
        managers[me] = Entry(fields, writer.api_version, writer.now)
        _fold_ancient(managers)
    return write_managers(managers)


def _managers_after(old: Manifest, new: Manifest, writer: Writer) -> Managers:
    """Return who managed what when *new* was sent: as it says, or as it was."""
    sent, before = metadata_of(new).get("managedFields"), metadata_of(old).get("managedFields")
    if not writer.subresource and sent != before:
        if sent in ([], [{}]):
            return {}
        if rewritten := read_sent_managers(sent):
            return rewritten
    return read_managers(before or ())


def _take_from_others(
    managers: Managers, me: Manager | None, changed: FieldSet, removed: FieldSet
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
    fields = compare({}, _managed_part(live, ""), schema).changed
    manager = Manager(BEFORE_FIRST_APPLY, UPDATE, writer.api_version)
    fields = _without_metadata_itself(fields)
    return {manager: Entry(fields, writer.api_version, writer.now)} if fields else {}


def _fold_ancient(managers: Managers) -> None:
    """Bound the number of updaters: the oldest of one version become one."""
    updaters = sorted(
        (manager for manager in managers if manager.operation == UPDATE),
        key=lambda manager: (managers[manager].time, manager.name, manager.subresource),
    )
    surplus = len(updaters) - UPDATERS_MAX
    oldest: dict[str, Manager] = {}
    for manager in updaters:
        if surplus <= 0:
            return
        first = oldest.setdefault(manager.api_version, manager)
        if first is manager:
            continue
        ancient = Manager(ANCIENT, UPDATE, manager.api_version)
        if ancient not in managers:
            managers[ancient] = managers.pop(first)
        entry = managers.pop(manager)
        fields = union(entry.fields, managers[ancient].fields)
        managers[ancient] = Entry(fields, entry.api_version, entry.time)
        surplus -= 1


def _without_metadata_itself(fields: FieldSet) -> FieldSet:
    """Every object has metadata: nobody owns that there is one."""
    metadata = fields.get("f:metadata")
    if metadata is None or (metadata and ITSELF not in metadata):
        return fields
    left = {element: below for element, below in metadata.items() if element != ITSELF}
    rest = {element: below for element, below in fields.items() if element != "f:metadata"}
    return {"f:metadata": left, **rest} if left else rest


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


def _managed_part(manifest: Mapping[str, Any], subresource: str) -> Manifest:
    """Return the parts that a write through *subresource* can change."""
    owned = _without(manifest, _UNMANAGED_METADATA)
    if subresource == "status":
        return {"status": owned["status"]} if "status" in owned else {}
    return owned


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
