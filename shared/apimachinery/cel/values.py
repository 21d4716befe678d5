"""Objects as the engine takes them: names escaped, dates and durations read, numbers as declared.

What a rule cannot name is left out. What does not read as its format is handed over as it is; the
schema has refused it already.
"""

import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf import duration_pb2, timestamp_pb2

from shared.apimachinery.cel.names import escaped
from shared.apimachinery.durations import parse_duration
from shared.apimachinery.schema import ANYTHING, Schema

_HEADER = ("apiVersion", "kind")
_NAMES = ("name", "generateName")


def to_cel(value: Any, schema: Schema, *, root: bool = False) -> Any:
    """Return *value* for the engine; *root*: it is a whole object."""
    if isinstance(value, dict):
        if schema.type == "object" and schema.values is None:
            return _object(value, schema, root=root or schema.embedded)
        inner = schema.values or ANYTHING
        return {name: to_cel(each, inner) for name, each in value.items()}
    if isinstance(value, list):
        return [to_cel(each, schema.items) for each in value]
    if schema.type == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if schema.type == "integer" and isinstance(value, float):
        return int(value)
    if schema.type == "string" and schema.format and isinstance(value, str):
        return _formatted(value, schema.format)
    return value


def _object(value: Mapping[str, Any], schema: Schema, *, root: bool) -> dict[str, Any]:
    found = {}
    for name, each in value.items():
        if root and name == "metadata":
            metadata = each if isinstance(each, dict) else {}
            found[name] = {part: metadata[part] for part in _NAMES if part in metadata}
            continue
        child = schema.field(name) if schema.declares(name) else None
        written = escaped(name)
        if written is not None and (child is not None or (root and name in _HEADER)):
            found[written] = to_cel(each, child or ANYTHING)
    return found


def _formatted(value: str, form: str) -> Any:
    try:
        match form:
            case "byte":
                return binascii.a2b_base64(value)
            case "duration":
                duration = duration_pb2.Duration()
                duration.FromTimedelta(timedelta(seconds=parse_duration(value)))
                return duration
            case "date" | "date-time":
                moment = datetime.fromisoformat(value)
                stamp = timestamp_pb2.Timestamp()
                aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                stamp.FromDatetime(aware)
                return stamp
    except (ValueError, OverflowError):
        return value
    return value
