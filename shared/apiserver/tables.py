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
) -> dict[str, Any]:
    """Render *items* of *kind*; *metadata* is the list's (resourceVersion, continue).

    *include* says what each row carries of its object, as the parameter `includeObject` does.
    """
    columns = columns_of(kind)
    renderers = [_renderer(column) for column in columns]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": dict(metadata or {}),
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [_row(item, renderers, now, include) for item in items],
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
    item: Manifest, renderers: list[_Renderer], now: datetime, include: IncludeObject
) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": [renderer(item, now) for renderer in renderers]}
    if include == "Object":
        row["object"] = item
    elif include == "Metadata":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": item.get("metadata") or {},
        }
    return row


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
