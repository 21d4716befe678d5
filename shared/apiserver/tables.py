"""Server-side printing: a list of objects as a `meta.k8s.io/v1` Table.

The server renders every column; the client leaves out those of a priority above 0 unless asked
for `-o wide`, so there is nothing like "wide" here.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from shared.apimachinery.manifest import Manifest
from shared.apiserver.age import INVALID, age_of
from shared.apiserver.json_path import first
from shared.apiserver.kinds import Column, ResourceKind

IncludeObject = Literal["None", "Metadata", "Object"]

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
    return columns if any(column.format == "name" for column in columns) else (_NAME, *columns)


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
                return int(found)
            case "number":
                return float(found)
            case "boolean":
                return bool(found)
            case _:
                return _text(found)

    return read


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        return _go_text(value)
    return str(value)


def _go_text(value: Any) -> str:
    """Write lists and maps as Go's `%v` does, since that is what users of kubectl know."""
    if isinstance(value, list):
        return "[" + " ".join(_go_text(one) for one in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go_text(value[key])}" for key in sorted(value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
