"""Paths to fields of a schema, as selectors and rules write them: `.spec.color`, `['a.b']`."""

import re
from collections.abc import Mapping
from typing import Any

from shared.apiserver.definitions.reading import part

_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'?|[.\[\]]|[^.\[\]']+")
_NOWHERE = "does not refer to a valid field"


def field_at(
    schema: Any, path: str, *, brackets: bool = True
) -> tuple[Mapping[str, Any] | None, str | None]:
    """Return the schema at *path*, and what is wrong with the path if anything is."""
    tokens = _TOKEN.findall(path)
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if token == "[":
            if not brackets:
                return None, "array notation is not allowed"
            name, fault = _quoted(tokens[place + 1 : place + 3])
            place += 3
        elif token == ".":
            name = tokens[place + 1] if place + 1 < len(tokens) else ""
            fault = None if name else "unexpected end of JSON path"
            place += 2
        else:
            return None, f"expected [ or . but got: {token}"
        if fault is not None:
            return None, fault
        schema = _child(schema, name)
        if schema is None:
            return None, _NOWHERE
    return schema, None


def _quoted(tokens: list[str]) -> tuple[str, str | None]:
    if len(tokens) < 2:
        return "", "unexpected end of JSON path"
    text, end = tokens
    if len(text) < 2 or not (text[0] == text[-1] == "'"):
        return "", f"expected single quoted string but got {text}"
    if end != "]":
        return "", f"expected ] but got {end}"
    return re.sub(r"\\(.)", r"\1", text[1:-1]), None


def _child(schema: Any, name: str) -> Mapping[str, Any] | None:
    properties = part(schema, "properties", Mapping)
    declared = properties or {name: part(schema, "additionalProperties", Mapping)}
    found: Mapping[str, Any] | None = part(declared, name, Mapping)
    return found
