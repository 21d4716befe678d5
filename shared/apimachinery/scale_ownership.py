"""Who owns the replicas of an object after a write to its Scale, which is a view of that field.

Whoever owns the replicas of the object owns them in its Scale; what an apply to the Scale changes
in that is carried back. Source: `ScaleHandler` of k8s.io/apimachinery.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shared.apimachinery.apply import Conflicts, Writer, apply
from shared.apimachinery.field_sets import FieldSet, intersect, subtract
from shared.apimachinery.managed_fields import (
    APPLY,
    UPDATE,
    Entry,
    Manager,
    Managers,
    read_managers,
    write_managers,
)
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.apimachinery.schema import builtin

VERSION = "autoscaling/v1"
SUBRESOURCE = "scale"
_SCHEMA = builtin(GroupVersionKind.parse(VERSION, "Scale"))
assert _SCHEMA is not None
_REPLICAS: FieldSet = {"f:spec": {"f:replicas": {}}}


def apply_to_scale(
    scale: Manifest,
    applied: Manifest,
    managed: Sequence[dict[str, Any]],
    writer: Writer,
    path: Sequence[str],
    *,
    force: bool,
) -> tuple[Manifest, list[dict[str, Any]]] | Conflicts:
    """Return the Scale after *applied*, and managedFields of the object it is a view of.

    *managed*: those of the object before; *path*: where its replicas are (`spec`, `replicas`);
    *writer*: as of the object, in its version. Raises `UntypedConfiguration`.
    """
    assert _SCHEMA is not None
    parent = read_managers(managed)
    field = _field_at(path)
    owners = {
        _in_scale(manager): manager
        for manager, entry in parent.items()
        if intersect(entry.fields, field)
    }
    seen = {there: Entry(_REPLICAS, VERSION, parent[here].time) for there, here in owners.items()}
    live = {**scale, "metadata": {**scale["metadata"], "managedFields": write_managers(seen)}}
    found = apply(
        live,
        {part: value for part, value in applied.items() if part != "status"},
        replace(writer, api_version=VERSION, subresource=SUBRESOURCE),
        _SCHEMA,
        force=force,
    )
    if isinstance(found, Conflicts):
        return found
    left = read_managers(found["metadata"].get("managedFields") or ())
    me = Manager(writer.manager, APPLY, subresource=SUBRESOURCE)
    after = _carried_back(parent, owners, left, field)
    if me in left and me not in after:
        after[me] = Entry(field, writer.api_version, left[me].time)
    return found, write_managers(after)


def pass_on(
    managed: Sequence[dict[str, Any]], path: Sequence[str], tracked: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return managedFields after an update of the Scale; *tracked* notes the writer as usual.

    Replicas go from hand to hand: where nobody held them before (*managed*), nobody does
    afterwards, and the time at which they changed hands is not kept.
    """
    field = _field_at(path)
    if not any(intersect(entry.fields, field) for entry in read_managers(managed).values()):
        return list(managed)
    return write_managers(
        {
            manager: replace(entry, time="") if _is_updater(manager) else entry
            for manager, entry in read_managers(tracked).items()
        }
    )


def _is_updater(manager: Manager) -> bool:
    return manager.subresource == SUBRESOURCE and manager.operation == UPDATE


def _carried_back(
    parent: Managers, owners: dict[Manager, Manager], left: Managers, field: FieldSet
) -> Managers:
    """Take the field from those who lost it."""
    after = dict(parent)
    for there, here in owners.items():
        if there in left:
            continue
        entry = after.pop(here)
        if fields := subtract(entry.fields, field):
            after[here] = replace(entry, fields=fields)
    return after


def _in_scale(manager: Manager) -> Manager:
    return manager if manager.operation == APPLY else replace(manager, api_version=VERSION)


def _field_at(path: Sequence[str]) -> FieldSet:
    fields: FieldSet = {}
    for name in reversed(path):
        fields = {f"f:{name}": fields}
    return fields
