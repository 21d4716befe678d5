"""The OpenAPI v2 document as protobuf: `openapi.v2.Document` of google/gnostic. Pure.

Go clients ask for it in no other form (`DiscoveryClient.OpenAPISchema`): kubectl before 1.29, and
whatever derives the types of objects from a server, as Argo CD does. The tables name the fields
that documents of this server have; what is open there (defaults, extensions) travels as YAML, which
JSON is. Source: `openapiv2/OpenAPIv2.proto`.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_EXTENSIONS = "x-"
_BOUNDS = ("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength")
_COUNTS = ("pattern", "maxItems", "minItems", "uniqueItems")
_KINDS = {
    **dict.fromkeys(("maximum", "minimum", "multipleOf"), "double"),
    **dict.fromkeys(("exclusiveMaximum", "exclusiveMinimum", "uniqueItems", "required"), "flag"),
    **dict.fromkeys(("maxLength", "minLength", "maxItems", "minItems"), "integer"),
}


def _parameter(**numbers: int) -> dict[str, tuple[int, str]]:
    """The fields of a parameter outside of the body, with the numbers that differ."""
    return {name: (number, _KINDS.get(name, "text")) for name, number in numbers.items()}


# Message -> JSON name -> number and kind. A kind that starts with a capital is a message, with a
# star a list of them, with a colon a map of them by name.
_MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "Document": {
        "swagger": (1, "text"),
        "info": (2, "Info"),
        "paths": (8, "Paths"),
        "definitions": (9, ":Schema"),
        "security": (12, "*Requirement"),
        "securityDefinitions": (13, ":SecurityDefinition"),
    },
    "Info": {"title": (1, "text"), "version": (2, "text")},
    "PathItem": {
        "get": (2, "Operation"),
        "put": (3, "Operation"),
        "post": (4, "Operation"),
        "delete": (5, "Operation"),
        "patch": (8, "Operation"),
        "parameters": (9, "*Parameter"),
        _EXTENSIONS: (10, "extension"),
    },
    "Operation": {
        "tags": (1, "texts"),
        "summary": (2, "text"),
        "description": (3, "text"),
        "operationId": (5, "text"),
        "produces": (6, "texts"),
        "consumes": (7, "texts"),
        "parameters": (8, "*Parameter"),
        "responses": (9, "Responses"),
        "schemes": (10, "texts"),
        _EXTENSIONS: (13, "extension"),
    },
    "body": {
        "description": (1, "text"),
        "name": (2, "text"),
        "in": (3, "text"),
        "required": (4, "flag"),
        "schema": (5, "Schema"),
    },
    "query": _parameter(required=1, description=3, name=4, type=6, uniqueItems=20)
    | {"in": (2, "text")},
    "path": _parameter(required=1, description=3, name=4, type=5, uniqueItems=19)
    | {"in": (2, "text")},
    "Response": {"description": (1, "text"), "schema": (2, "SchemaItem")},
    "Schema": {
        "$ref": (1, "text"),
        "format": (2, "text"),
        "title": (3, "text"),
        "description": (4, "text"),
        "default": (5, "any"),
        "multipleOf": (6, "double"),
        **{name: (7 + at, _KINDS[name]) for at, name in enumerate(_BOUNDS)},
        **{name: (13 + at, _KINDS.get(name, "text")) for at, name in enumerate(_COUNTS)},
        "maxProperties": (17, "integer"),
        "minProperties": (18, "integer"),
        "required": (19, "texts"),
        "enum": (20, "anys"),
        "additionalProperties": (21, "Additional"),
        "type": (22, "Type"),
        "items": (23, "Item"),
        "allOf": (24, "*Schema"),
        "properties": (25, ":Schema"),
        "externalDocs": (29, "ExternalDocs"),
        "example": (30, "any"),
        _EXTENSIONS: (31, "extension"),
    },
    "ExternalDocs": {"description": (1, "text"), "url": (2, "text")},
    "ApiKey": {
        "type": (1, "text"),
        "name": (2, "text"),
        "in": (3, "text"),
        "description": (4, "text"),
    },
}


def encode_document(document: Mapping[str, Any]) -> bytes:
    """Encode an OpenAPI v2 document, as `version_two` makes it."""
    return _message("Document", document)


def _message(name: str, value: Any) -> bytes:
    match name:
        case "Paths":
            return _named(2, "PathItem", value)
        case "Responses":
            answers = ((code, _length(1, _message("Response", one))) for code, one in value.items())
            return _entries(1, answers)
        case "Parameter":
            return _length(1, _place_of_parameter(value))
        case "SecurityDefinition":
            return _length(2, _message("ApiKey", value))
        case "Requirement":
            scopes = ((key, b"".join(_texts(1, found))) for key, found in value.items())
            return _entries(1, scopes)
        case "SchemaItem" | "Item":
            return _length(1, _message("Schema", value))
        case "Additional":
            if isinstance(value, bool):
                return _number(2, int(value))
            return _length(1, _message("Schema", value))
        case "Type":
            return b"".join(_texts(1, [value] if isinstance(value, str) else value))
    fields = _MESSAGES[name]
    return b"".join(part for key, each in value.items() for part in _field(fields, key, each))


def _place_of_parameter(parameter: Mapping[str, Any]) -> bytes:
    place = parameter["in"]
    encoded = _message(place, parameter)
    if place == "body":
        return _length(1, encoded)
    return _length(2, _length(3 if place == "query" else 4, encoded))


def _field(fields: Mapping[str, tuple[int, str]], key: str, value: Any) -> Iterator[bytes]:
    found = fields.get(_EXTENSIONS if key.startswith(_EXTENSIONS) else key)
    if found is None:
        return
    number, kind = found
    match kind:
        case "text":
            yield _length(number, str(value).encode())
        case "texts":
            yield from _texts(number, value)
        case "flag" | "integer":
            yield _number(number, int(value))
        case "double":
            yield _key(number, 1) + struct.pack("<d", value)
        case "any":
            yield _length(number, _any(value))
        case "anys":
            yield from (_length(number, _any(one)) for one in value)
        case "extension":
            yield _length(number, _pair(key, _any(value)))
        case _ if kind.startswith("*"):
            yield from (_length(number, _message(kind[1:], one)) for one in value)
        case _ if kind.startswith(":"):
            yield _length(number, _named(1, kind[1:], value))
        case _:
            yield _length(number, _message(kind, value))


def _any(value: Any) -> bytes:
    return _length(2, json.dumps(value).encode() + b"\n")


def _named(number: int, message: str, values: Mapping[str, Any]) -> bytes:
    return _entries(number, ((key, _message(message, value)) for key, value in values.items()))


def _entries(number: int, entries: Iterable[tuple[str, bytes]]) -> bytes:
    return b"".join(_length(number, _pair(key, encoded)) for key, encoded in entries)


def _pair(name: str, encoded: bytes) -> bytes:
    return _length(1, name.encode()) + _length(2, encoded)


def _texts(number: int, texts: Iterable[str]) -> Iterator[bytes]:
    return (_length(number, text.encode()) for text in texts)


def _length(number: int, encoded: bytes) -> bytes:
    return _key(number, 2) + _varint(len(encoded)) + encoded


def _number(number: int, value: int) -> bytes:
    return _key(number, 0) + _varint(value % 2**64)


def _key(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
