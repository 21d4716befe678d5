r"""Request bodies in Kubernetes' protobuf, as typed Go clients send them. Pure.

A body is `k8s\0` and a `runtime.Unknown` that names apiVersion and kind around the encoded object.
What its fields are called is in `wire_facts.json` (made by `scripts/wire_facts.py`). Answers are
always JSON, which every such client accepts. Source: `k8s.io/apimachinery/pkg/runtime/serializer`.
"""

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from shared.apimachinery.manifest import Manifest
from shared.apiserver.status_errors import bad_request
from shared.clock import format_micro_time, format_time

PROTOBUF = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_FACTS = Path(__file__).with_name("wire_facts.json")
DEPTH_MAX = 100

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Malformed(ValueError):
    """Bytes that are no protobuf message of that type."""


class _Field(NamedTuple):
    """One field. Flags: i inline, m map, o absent when zero, p pointer, r repeated."""

    name: str
    type: str
    flags: str


class _Facts(msgspec.Struct, frozen=True):
    kinds: dict[str, str]
    messages: dict[str, dict[int, _Field]]


@cache
def _facts() -> _Facts:
    return msgspec.json.decode(_FACTS.read_bytes(), type=_Facts, strict=False)


def decode_protobuf(body: bytes) -> Manifest:
    """Return the object of *body* as JSON would have it; raises `ApiFault` 400."""
    if not body.startswith(_MAGIC):
        raise bad_request("the body is not a Kubernetes protobuf message")
    try:
        return _decode_unknown(body[len(_MAGIC) :])
    except (Malformed, UnicodeDecodeError, struct.error, RecursionError, OverflowError) as err:
        raise bad_request("the body is not a valid Kubernetes protobuf message") from err


def _decode_unknown(body: bytes) -> Manifest:
    found: dict[int, bytes] = {
        number: value for number, value in wire_fields(body) if isinstance(value, bytes)
    }
    type_meta = {
        number: value.decode()
        for number, value in wire_fields(found.get(1, b""))
        if isinstance(value, bytes)
    }
    api_version, kind = type_meta.get(1, ""), type_meta.get(2, "")
    raw = found.get(2, b"")
    if found.get(3):
        raise Malformed("content encodings are not supported")
    if found.get(4, b"").decode() == "application/json":
        manifest = msgspec.json.decode(raw)
        if not isinstance(manifest, dict):
            raise Malformed("not an object")
        return manifest
    message = _facts().kinds.get(f"{api_version} {kind}") or _meta_kind(kind)
    if message is None:
        raise bad_request(
            f"{kind[:80]} in version {api_version[:80]} cannot be read as protobuf; send JSON"
        )
    return {"kind": kind, "apiVersion": api_version, **_decode_message(message, raw, 0)}


def _meta_kind(kind: str) -> str | None:
    # Options go by the group of what they are for.
    return "meta/v1.DeleteOptions" if kind == "DeleteOptions" else None


def wire_fields(body: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield field numbers with numbers (varints) or bytes (everything else)."""
    position, end = 0, len(body)
    while position < end:
        tag, position = _varint(body, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(body, position)
            yield number, value
            continue
        if wire == _BYTES:
            length, position = _varint(body, position)
        elif wire == _FIXED64:
            length = 8
        elif wire == _FIXED32:
            length = 4
        else:
            raise Malformed("unknown wire type")
        if position + length > end:
            raise Malformed("truncated")
        yield number, body[position : position + length]
        position += length


def _varint(body: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(body) or shift > 63:
            raise Malformed("bad number")
        byte = body[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


def _decode_message(name: str, body: bytes, depth: int) -> Any:
    """Return what message *name* is in JSON: an object, unless it is one thing or another."""
    found = _decode_fields(name, body, depth)
    choose = _CHOICES.get(name)
    return found if choose is None else choose(found)


def _decode_fields(name: str, body: bytes, depth: int) -> dict[str, Any]:
    if depth > DEPTH_MAX:
        raise Malformed("nested too deeply")
    fields = _facts().messages[name]
    found: dict[str, Any] = {}
    for number, raw in wire_fields(body):
        field = fields.get(number)
        if field is None:
            continue  # A newer client's field: JSON would have it pruned.
        if "m" in field.flags:
            key, value = _decode_entry(field, raw, depth)
            found.setdefault(field.name, {})[key] = value
            continue
        if "r" in field.flags:
            found.setdefault(field.name, []).extend(_decode_items(field.type, raw, depth))
            continue
        value = _decode_value(field.type, raw, depth)
        if "i" in field.flags:
            found.update(value)
        elif not _is_absent(field, value):
            found[field.name] = value
    return found


def _is_absent(field: _Field, value: Any) -> bool:
    """Go writes the zero of a plain field; JSON leaves it out where the type says so."""
    if value is None:
        return True
    return "p" not in field.flags and "o" in field.flags and value in ("", 0, False, {})


def _decode_entry(field: _Field, raw: int | bytes, depth: int) -> tuple[str, Any]:
    entry = dict(wire_fields(_bytes(raw)))
    value = entry.get(2)
    if value is None:
        value = 0 if field.type in ("int", "bool") else b""
    return _bytes(entry.get(1, b"")).decode(), _decode_value(field.type, value, depth)


def _decode_items(kind: str, raw: int | bytes, depth: int) -> list[Any]:
    if kind in ("int", "bool") and isinstance(raw, bytes):  # Packed.
        items, position = [], 0
        while position < len(raw):
            number, position = _varint(raw, position)
            items.append(_decode_value(kind, number, depth))
        return items
    return [_decode_value(kind, raw, depth)]


def _bytes(raw: int | bytes) -> bytes:
    if not isinstance(raw, bytes):
        raise Malformed("a number where bytes are due")
    return raw


def _number(raw: int | bytes) -> int:
    """Read a two's complement of 64 bits."""
    if not isinstance(raw, int):
        raise Malformed("bytes where a number is due")
    raw &= (1 << 64) - 1
    return raw - (1 << 64) if raw >= 1 << 63 else raw


def _decode_value(kind: str, raw: int | bytes, depth: int) -> Any:
    decode = _DECODERS.get(kind)
    if decode is not None:
        return decode(raw)
    return _decode_message(kind, _bytes(raw), depth + 1)


def _decode_double(raw: int | bytes) -> float | int:
    """Whole numbers are written without a point, as Go's JSON has them."""
    number = float(struct.unpack("<d", _bytes(raw))[0])
    return int(number) if number.is_integer() else number


def _moment(raw: int | bytes) -> datetime | None:
    parts = dict(wire_fields(_bytes(raw)))
    seconds, nanos = _number(parts.get(1, 0)), _number(parts.get(2, 0))
    if not seconds and not nanos:
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            seconds=seconds, microseconds=nanos // 1000
        )
    except OverflowError as err:
        raise Malformed("a time out of range") from err


def _decode_time(raw: int | bytes) -> str | None:
    moment = _moment(raw)
    return None if moment is None else format_time(moment)


def _decode_micro_time(raw: int | bytes) -> str | None:
    moment = _moment(raw)
    return None if moment is None else format_micro_time(moment)


def _decode_duration(raw: int | bytes) -> str:
    nanoseconds = _number(dict(wire_fields(_bytes(raw))).get(1, 0))
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{seconds}s" if not rest else f"{nanoseconds / 1e9:.9f}".rstrip("0") + "s"


def _decode_raw(raw: int | bytes) -> Any:
    """JSON within protobuf."""
    text = _bytes(dict(wire_fields(_bytes(raw))).get(1, b""))
    if not text:
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as err:
        raise Malformed("embedded text is not JSON") from err


def _decode_quantity(raw: int | bytes) -> str:
    return _bytes(dict(wire_fields(_bytes(raw))).get(1, b"")).decode() or "0"


def _decode_int_or_string(raw: int | bytes) -> int | str:
    parts = dict(wire_fields(_bytes(raw)))
    if _number(parts.get(1, 0)) == 1:
        return _bytes(parts.get(3, b"")).decode()
    return _number(parts.get(2, 0))


def _decode_strings(raw: int | bytes) -> list[str]:
    return [_bytes(value).decode() for number, value in wire_fields(_bytes(raw)) if number == 1]


_OR = "apiextensions/v1.JSONSchemaPropsOr"
# Parts of a definition's schema that JSON writes without saying which of two things they are.
_CHOICES: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    f"{_OR}Array": lambda found: found.get("jSONSchemas") or found.get("schema"),
    f"{_OR}Bool": lambda found: found.get("schema", found.get("allows", False)),
    f"{_OR}StringArray": lambda found: found.get("property") or found.get("schema"),
}

_DECODERS: Mapping[str, Callable[[int | bytes], Any]] = {
    "string": lambda raw: _bytes(raw).decode(),
    "bool": lambda raw: bool(_number(raw)),
    "int": _number,
    "double": _decode_double,
    "bytes": lambda raw: base64.b64encode(_bytes(raw)).decode(),
    "strings": _decode_strings,
    "time": _decode_time,
    "microtime": _decode_micro_time,
    "duration": _decode_duration,
    "raw": _decode_raw,
    "quantity": _decode_quantity,
    "intorstring": _decode_int_or_string,
}
