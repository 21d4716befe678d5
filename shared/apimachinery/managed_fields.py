"""`metadata.managedFields`: who manages which fields, as values with an order.

A manager is a name, an operation (Apply or Update) and a subresource; updates through different
versions are kept apart, appliers are not. Source: KEP-555 and `metav1.ManagedFieldsEntry`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.apimachinery.field_sets import FieldSet

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
    """What one manager owns, in the version it wrote, and since when that has been so."""

    fields: FieldSet
    api_version: str
    time: str


Managers = dict[Manager, Entry]


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
    if manager.subresource:
        written["subresource"] = manager.subresource
    return written
