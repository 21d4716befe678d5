"""`metadata.managedFields`: who manages which fields, as values with an order.

A manager is a name, an operation (Apply or Update) and a subresource; updates through different
versions are kept apart, appliers are not. Source: KEP-555 and `metav1.ManagedFieldsEntry`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.apimachinery.field_sets import FieldSet, is_field_set, normal

APPLY: Literal["Apply"] = "Apply"
UPDATE: Literal["Update"] = "Update"
UPDATERS_MAX = 10
ANCIENT = "ancient-changes"


@dataclass(frozen=True, slots=True)
class Manager:
    """`api_version` is empty for an applier, who owns fields whatever version it speaks."""

    name: str
    operation: str
    api_version: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one manager owns, in the version it wrote, and when it last changed the object.

    `time` is empty for one that never did: what it applied was there.
    """

    fields: FieldSet
    api_version: str
    time: str


Managers = dict[Manager, Entry]


def last_written(manifest: Mapping[str, Any]) -> str:
    """When anything but a subresource of the object last changed, RFC 3339; empty if unknown."""
    metadata = manifest.get("metadata") or {}
    times = (
        entry.get("time")
        for entry in metadata.get("managedFields") or ()
        if isinstance(entry, dict) and not entry.get("subresource")
    )
    known = (*times, metadata.get("creationTimestamp"))
    return max((time for time in known if isinstance(time, str)), default="")


def read_managers(entries: Sequence[Mapping[str, Any]]) -> Managers:
    """Read managedFields; entries that are not of the known form are dropped, as upstream does."""
    found: Managers = {}
    for entry in entries:
        fields = entry.get("fieldsV1")
        if not isinstance(fields, dict) or entry.get("fieldsType", "FieldsV1") != "FieldsV1":
            continue
        operation = str(entry.get("operation", UPDATE))
        version = str(entry.get("apiVersion", ""))
        manager = Manager(
            str(entry.get("manager", "")),
            operation,
            "" if operation == APPLY else version,
            str(entry.get("subresource", "")),
        )
        found[manager] = Entry(fields, version, str(entry.get("time", "")))
    return found


def read_sent_managers(entries: Any) -> Managers:
    """Read managedFields as a client writes them; none at all where any entry is not well formed.

    Clients may rewrite who owns what, as kubectl does when it goes over to server-side apply.
    """
    if not isinstance(entries, list):
        return {}
    for entry in entries:
        if not (
            isinstance(entry, dict)
            and entry.get("operation") in (APPLY, UPDATE)
            and isinstance(entry.get("apiVersion"), str)
            and entry["apiVersion"]
            and entry.get("fieldsType") == "FieldsV1"
            and is_field_set(entry.get("fieldsV1") or {})
            and all(isinstance(entry.get(part, ""), str) for part in ("manager", "subresource"))
            and isinstance(entry.get("time") or "", str)
        ):
            return {}
    whole = [{**entry, "fieldsV1": normal(entry.get("fieldsV1") or {})} for entry in entries]
    found = read_managers([{**entry, "time": entry.get("time") or ""} for entry in whole])
    return {manager: entry for manager, entry in found.items() if entry.fields}


def write_managers(managers: Mapping[Manager, Entry]) -> list[dict[str, Any]]:
    """Write managedFields: appliers first, then by time and name."""
    ordered = sorted(
        managers.items(),
        key=lambda each: (
            each[0].operation,
            each[1].time,
            each[0].name,
            each[1].api_version,
            each[0].subresource,
        ),
    )
    return [_write_entry(manager, entry) for manager, entry in ordered]


def _write_entry(manager: Manager, entry: Entry) -> dict[str, Any]:
    written: dict[str, Any] = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": entry.api_version,
        "time": entry.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields,
    }
    if not entry.time:
        del written["time"]
    if manager.subresource:
        written["subresource"] = manager.subresource
    return written
