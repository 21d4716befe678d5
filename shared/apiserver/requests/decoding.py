"""What a typed server says of a body that its types cannot hold. Pure.

kube-apiserver decodes built-in kinds before it validates them: a value of another type, or under
Strict a field it does not know, makes the body no object of that kind (400), or a patch one that
cannot be applied (422). The words are those of its decoder, since tools look for them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from shared.apimachinery import facts
from shared.apimachinery.formats import QUANTITY_RULE
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.apimachinery.scalars import shown
from shared.apimachinery.schema import ANYTHING, Schema
from shared.apimachinery.strategic_merge import in_go
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.requests.negotiation import APPLY_PATCH, PATCH_TYPES
from shared.apiserver.status_errors import ApiFault, bad_request, invalid
from shared.errors import FieldError

_STEP = re.compile(r"\.?([^.\[\]]+)|\[([^\]]*)\]")
_BEGINNING_BYTES = 30
_NOBODY = GroupVersionKind("", "", "")
_NOT_NAMED = "json: cannot unmarshal {} into Go struct field {}.{} of type {}"
_WORDS: Mapping[type, str] = {
    bool: "bool",
    int: "number",
    float: "number",
    str: "string",
    dict: "object",
    list: "array",
}
_GO_KINDS: Mapping[type, str] = {
    bool: "bool",
    int: "int64",
    float: "float64",
    str: "string",
    dict: "map",
    list: "slice",
}
_INT_OR_STRING = "int-or-string"
_READ_AS_JSON = frozenset(("quantity", "date-time", _INT_OR_STRING))
_BAD_BASE64 = "illegal base64 data"
_BASE64 = re.compile("[A-Za-z0-9+/]*")


def unrecognized(kind: ResourceKind, body: bytes, why: str) -> ApiFault:
    """400: the body is no object at all; its beginning is shown."""
    return bad_request(
        f"the object provided is unrecognized (must be of type {kind.gvk.kind}): {why} "
        f"({_beginning(body)})"
    )


def _beginning(body: bytes) -> str:
    """Return the first bytes of a body: of what may be JSON as text, of others in hexadecimal."""
    start = body[:_BEGINNING_BYTES]
    text = start.decode(errors="replace") if start[:1] == b"{" else start.hex()
    return f"{text or '<empty>'}{' ...' if len(body) > _BEGINNING_BYTES else ''}"


def cannot_be_handled(kind: ResourceKind, why: str) -> ApiFault:
    """400: the body is no object of that kind."""
    gvk = kind.gvk
    return bad_request(
        f'{gvk.kind} in version "{gvk.version}" cannot be handled as a {gvk.kind}: {why}'
    )


def patch_cannot_be_applied(value: Any, why: str) -> ApiFault:
    """422: what the patch makes of the object is none of its kind; *value* shows it."""
    text = f"Invalid value: {shown(shown(value))}: {why}"
    return invalid(_NOBODY, "", [FieldError("patch", text)])


def strategic_patch_cannot_be_applied(patch: Manifest, why: str) -> ApiFault:
    """The same of a strategic patch, which is shown itself, as Go prints plain data."""
    return invalid(
        _NOBODY, "", [FieldError("patch", f"Invalid value: {shown(in_go(patch))}: {why}")]
    )


def strict_error(faults: Iterable[str]) -> str:
    """Join what strict decoders found; lines of YAML come in a frame of their own."""
    found = list(faults)
    lines = [fault for fault in found if fault.startswith("line ")]
    parts = [fault for fault in found if not fault.startswith("line ")]
    if lines:
        parts.insert(0, "yaml: unmarshal errors:\n  " + "\n  ".join(lines))
    return f"strict decoding error: {', '.join(parts)}"


def refuse_text(kind: ResourceKind, body: Any, media: str, faults: Iterable[str]) -> ApiFault:
    """Return the refusal of a text under Strict, as the decoder of *media* words it."""
    why = strict_error(faults)
    if media == APPLY_PATCH:
        lines = why.removeprefix("strict decoding error: ")
        return bad_request(f"error strict decoding YAML: error converting YAML to JSON: {lines}")
    if media in PATCH_TYPES:
        return patch_cannot_be_applied(body, why)
    return cannot_be_handled(kind, why)


class _Place(NamedTuple):
    """A value within an object, and what its kind declares there."""

    value: Any
    schema: Schema
    struct: str
    """The type that has the field."""

    names: list[str]
    """Of the fields that lead there."""


def _place(kind: ResourceKind, manifest: Manifest, path: str, schema: Schema) -> _Place:
    """*path* is that of a `FieldError`: `spec.ports[0].port`, `data[key]`."""
    value: Any = manifest
    struct, names = kind.gvk.kind, []
    node = schema.as_object()
    for part, key in _STEP.findall(path):
        if not part:
            value = value[int(key)] if isinstance(value, list) else value.get(key)
            node = node.items if node.type == "array" else node.values or ANYTHING
            continue
        defined = facts.definition_of(node.raw.get("properties") or {})
        struct = defined.rpartition(".")[2] if defined else struct
        names.append(part)
        value = value.get(part)
        node = node.field(part) or ANYTHING
    return _Place(value, node, struct, names)


def wrong_type(kind: ResourceKind, manifest: Manifest, path: str, schema: Schema) -> str:
    """Return the decoder's words for the value at *path*, which is of another type than declared.

    *path* is that of a `FieldError`: `spec.ports[0].port`, `data[key]`.
    """
    value, node, struct, names = _place(kind, manifest, path, schema)
    if isinstance(value, str) and (why := _unreadable_text(value, node.format)) is not None:
        return why
    found = _WORDS.get(type(value), "null")
    if found == "number" and (node.type == "integer" or node.format == _INT_OR_STRING):
        found = f"number {shown(value)}"
    return _NOT_NAMED.format(found, struct, ".".join(names), _go_type(node))


def not_restored(kind: ResourceKind, manifest: Manifest, path: str, schema: Schema) -> str:
    """Return what is said of such a value when a strategic patch has brought it.

    What such a patch makes is plain data, which another converter turns into types.
    """
    value, node, _, _ = _place(kind, manifest, path, schema)
    found = _GO_KINDS.get(type(value), "nil")
    if isinstance(value, str):
        if node.format == "byte":
            return f"error decoding from json: {_BAD_BASE64} at input byte {_bad_byte(value)}"
        if (why := _unreadable_text(value, node.format)) is not None:
            return why
    if node.type == "array" or node.format == "byte":
        return f"cannot restore slice from {found}"
    if node.type == "object":
        return f"cannot restore {'map from' if node.values else 'struct from:'} {found}"
    if node.format in _READ_AS_JSON:
        if node.format == "quantity":
            return QUANTITY_RULE
        wanted = "int32" if node.format == _INT_OR_STRING else "string"
        return f"json: cannot unmarshal {_WORDS[type(value)]} into Go value of type {wanted}"
    wanted = _go_type(node)
    # Go would convert numbers to one another and to text; that far its converter goes too.
    if isinstance(value, float) and node.type == "integer":
        return f"cannot convert {found} to {wanted}"
    if type(value) is int and node.type == "string":
        return f"cannot convert {found} to {wanted}"
    return f"unrecognized type: {wanted}"


def _bad_byte(text: str) -> int:
    """Where a decoder of base64 stops: at the first byte that has no place there."""
    sound = _BASE64.match(text)
    return sound.end() if sound else 0


def _unreadable_text(value: str, form: str) -> str | None:
    """What types that read texts of their own say of one; None for other types."""
    match form:
        case "quantity":
            return QUANTITY_RULE
        case "byte":
            return _BAD_BASE64
        case "date-time":
            return f'parsing time {shown(value)} as "2006-01-02T15:04:05Z07:00"'
        case _:
            return None


def _go_type(schema: Schema) -> str:
    defined = facts.definition_of(schema.raw.get("properties") or {})
    if defined is not None:
        return ".".join(defined.rsplit(".", 2)[1:])
    if schema.format == _INT_OR_STRING:
        return "int32"
    if schema.type == "array":
        return f"[]{_go_type(schema.items)}"
    if schema.type == "object":
        return f"map[string]{_go_type(schema.values or ANYTHING)}"
    if schema.type == "integer":
        return schema.format or "int64"
    return {"string": "string", "boolean": "bool", "number": "float64"}.get(schema.type, "any")
