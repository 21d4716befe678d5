"""Reading and changing one place of a document by its JSON pointer (RFC 6901, RFC 6902)."""

import json
import re
from collections.abc import Sequence
from typing import Any

from jsonpointer import JsonPointer, JsonPointerException, escape

from services.propagator.core.overriders.refusal import NotApplicable
from shared.api.override import DocumentOperation, PlaintextOverrider
from shared.apimachinery.manifest import is_too_deep
from shared.apimachinery.patch import COPIED_BYTES_MAX, apply_operation
from shared.errors import InvalidObject

_VALUED = ("add", "replace", "test")
_FROM = ("move", "copy")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


def look_up(document: Any, pointer: str) -> Any:
    """Return what is at *pointer*."""
    try:
        parts = JsonPointer(pointer).parts
    except JsonPointerException as err:
        raise NotApplicable(f"{pointer[:300]!r} is no JSON pointer") from err
    place, walked = document, ""
    for part in parts:
        walked += f"/{escape(part)}"
        if isinstance(place, dict) and part in place:
            place = place[part]
        elif isinstance(place, list) and _INDEX.fullmatch(part) and int(part) < len(place):
            place = place[int(part)]
        else:
            raise NotApplicable(f"nothing is at {walked[:300]!r}")
    return place


def put(document: Any, pointer: str, value: Any) -> None:
    """Replace what is at *pointer*, which is not the whole document."""
    try:
        apply_operation(document, {"op": "replace", "path": pointer, "value": value})
    except InvalidObject as err:
        raise NotApplicable(f"nothing is at {pointer[:300]!r}") from err


def patch(document: Any, operations: Sequence[PlaintextOverrider | DocumentOperation]) -> Any:
    """Return *document* after *operations*; it is changed in place where it can be."""
    for number, one in enumerate(operations):
        path = one.path if isinstance(one, PlaintextOverrider) else one.sub_path
        operation: dict[str, Any] = {"op": one.operator, "path": path}
        if one.operator in _VALUED:
            operation["value"] = one.value
        if one.operator in _FROM:
            operation["from"] = one.from_
        try:
            document = apply_operation(document, operation)
        except InvalidObject as err:
            why = _reason(document, one, path)
            raise NotApplicable(f"[{number}]: {one.operator} of {path[:300]!r}: {why}") from err
        # Thirty copies can double a text thirty times, and copies of parents deepen it.
        if one.operator == "copy" and _is_too_large(document):
            raise NotApplicable(f"[{number}]: copy of {one.from_[:300]!r}: too large")
    return document


def _reason(document: Any, one: PlaintextOverrider | DocumentOperation, path: str) -> str:
    if one.operator == "test":
        return "something else is there"
    needed = one.from_ if one.operator in _FROM else path
    if one.operator == "add":
        needed = path.rpartition("/")[0]
    try:
        look_up(document, needed)
    except NotApplicable as err:
        return str(err)
    return "it does not fit what is there"


def _is_too_large(document: Any) -> bool:
    return is_too_deep(document) or len(json.dumps(document)) > COPIED_BYTES_MAX
