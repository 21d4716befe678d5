"""Server-side printing: a list of objects as a `meta.k8s.io/v1` Table.

The server renders every column; the client leaves out those of a priority above 0 unless asked
for `-o wide`, so there is nothing like "wide" here.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from shared.apimachinery.manifest import Manifest
from shared.apiserver.age import INVALID, age_of
from shared.apiserver.json_path import first
from shared.apiserver.kinds import Column, ResourceKind
from shared.apiserver.requests.negotiation import META_VERSION

IncludeObject = Literal["None", "Metadata", "Object"]

_compact = msgspec.json.Encoder(order="sorted")
_Renderer = Callable[[Manifest, datetime], Any]
_NAME = Column(name="Name", format="name", json_path=".metadata.name")
_AGE = Column(name="Age", type="date", json_path=".metadata.creationTimestamp")


def render_table(
    kind: ResourceKind,
    items: Iterable[Manifest],
    *,
    now: datetime,
    include: IncludeObject = "Metadata",
    metadata: Mapping[str, Any] | None = None,
    version: str = META_VERSION,
) -> dict[str, Any]:
    """Render *items* of *kind*; *metadata* is the list's (resourceVersion, continue).

    *include* says what each row carries of its object, as the parameter `includeObject` does.
    """
    row = row_writer(kind, now=now, include=include, version=version)
    if kind.row_order is not None:
        items = sorted(items, key=kind.row_order)
    return {
        "kind": "Table",
        "apiVersion": version,
        "metadata": dict(metadata or {}),
        "columnDefinitions": [_definition(column) for column in columns_of(kind)],
        "rows": [row(item) for item in items],
    }


def row_writer(
    kind: ResourceKind, *, now: datetime, include: IncludeObject, version: str
) -> Callable[[Manifest], dict[str, Any]]:
    """Return what makes the row of one object, for tables that are written row by row."""
    renderers = [_renderer(column) for column in columns_of(kind)]
    return lambda item: {
        **_row(kind, item, renderers, now),
        **_carried(item, include, version),
    }


def columns_of(kind: ResourceKind) -> tuple[Column, ...]:
    """Return every column of *kind*: its name first unless one of them is that."""
    columns = kind.columns or (_AGE,)
    named = any((column.name, column.format) == ("Name", "name") for column in columns)
    return columns if named else (_NAME, *columns)


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(
    kind: ResourceKind, item: Manifest, renderers: list[_Renderer], now: datetime
) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": [renderer(item, now) for renderer in renderers]}
    conditions = kind.row_conditions and kind.row_conditions(item)
    if conditions:
        row["conditions"] = conditions
    return row


def _carried(item: Manifest, include: IncludeObject, version: str) -> dict[str, Any]:
    """Return the part of a row that is its object."""
    match include:
        case "None":
            return {"object": None}
        case "Object":
            return {"object": item}
        case "Metadata":
            metadata = item.get("metadata") or {}
            kind = "PartialObjectMetadata"
            return {"object": {"kind": kind, "apiVersion": version, "metadata": metadata}}


def _renderer(column: Column) -> _Renderer:
    read = column.cell or _reader(column)

    def render(item: Manifest, now: datetime) -> Any:
        # A field of an unexpected type spoils its own cell, never the list it is in.
        try:
            return read(item, now)
        except (AttributeError, KeyError, TypeError, ValueError):
            return INVALID

    return render


def _reader(column: Column) -> _Renderer:
    def read(item: Manifest, now: datetime) -> Any:
        found = first(column.json_path, item)
        if found is None:
            return None
        match column.type:
            case "date":
                return age_of(found, now)
            case "integer":
                return int(found) if _is_number(found) else None
            case "number":
                return float(found) if _is_number(found) else None
            case "boolean":
                return found if isinstance(found, bool) else None
            case _:
                return _text(found)

    return read


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    """Write anything but text as compact JSON: `true`, `3`, `["a","b"]`."""
    return value if isinstance(value, str) else _compact.encode(value).decode()
