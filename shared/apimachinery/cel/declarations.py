"""The types of a schema for the engine's checker, so that a rule is refused before it is stored.

Objects become messages, so that a field nobody declared is a fault; maps, lists and scalars are
what they are. Source of the correspondence: `k8s.io/apiserver/pkg/cel/common/schemas.go`. Lists of
lists and maps of maps lose the type of their elements here, since messages have no such fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, struct_pb2, timestamp_pb2

from shared.apimachinery.cel.messages import declared
from shared.apimachinery.cel.names import escaped

PACKAGE = "object"
_FIELD = descriptor_pb2.FieldDescriptorProto
_KNOWN = (struct_pb2, duration_pb2, timestamp_pb2)
_FORMATS = {"duration": "Duration", "date": "Timestamp", "date-time": "Timestamp"}
_TEXT: Mapping[str, Any] = {"type": "string"}
_HEADER: Mapping[str, Mapping[str, Any]] = {
    "apiVersion": _TEXT,
    "kind": _TEXT,
    "metadata": {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}},
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type as a checker sees it and, as `code` and `name`, as a field of a message has it."""

    type: Any
    code: int
    name: str = ""
    repeated: bool = False
    values: "_Kind | None" = None


_DYN = _Kind(cel.Type.DYN, _FIELD.TYPE_MESSAGE, ".google.protobuf.Value")
_SCALARS = {
    "integer": _Kind(cel.Type.INT, _FIELD.TYPE_INT64),
    "number": _Kind(cel.Type.DOUBLE, _FIELD.TYPE_DOUBLE),
    "boolean": _Kind(cel.Type.BOOL, _FIELD.TYPE_BOOL),
    "string": _Kind(cel.Type.STRING, _FIELD.TYPE_STRING),
}
_BYTES = _Kind(cel.Type.BYTES, _FIELD.TYPE_BYTES)
_WELL_KNOWN = {
    "Duration": _Kind(cel.Type.DURATION, _FIELD.TYPE_MESSAGE, ".google.protobuf.Duration"),
    "Timestamp": _Kind(cel.Type.TIMESTAMP, _FIELD.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
}


class Declarations:
    """Every type of one schema. `pool` is for the environments in which they are used."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._file = descriptor_pb2.FileDescriptorProto(
            name="object.proto", package=PACKAGE, syntax="proto3"
        )
        self._kinds: dict[int, _Kind | None] = {}
        # Kept, so that no identity is used anew.
        self._schema = schema
        self._declare(schema, root=True)
        self.pool = descriptor_pool.DescriptorPool()
        for module in _KNOWN:
            self.pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
            self._file.dependency.append(module.DESCRIPTOR.name)
        self.pool.Add(declared())
        self.pool.Add(self._file)

    def type_of(self, schema: Mapping[str, Any]) -> Any | None:
        """Return the type of *schema*, a part of the whole; None where rules cannot see it."""
        found = self._kinds.get(id(schema))
        return None if found is None else found.type

    def _declare(self, schema: Mapping[str, Any], *, root: bool = False) -> _Kind | None:
        known = id(schema)
        if known not in self._kinds:
            self._kinds[known] = self._kind(schema, root=root)
        return self._kinds[known]

    def _kind(self, schema: Mapping[str, Any], *, root: bool) -> _Kind | None:
        if schema.get("x-kubernetes-int-or-string"):
            return _DYN
        match schema.get("type"):
            case "array":
                element = self._declare(schema.get("items") or {})
                return None if element is None else _list_of(element)
            case "object" if isinstance(schema.get("additionalProperties"), Mapping):
                value = self._declare(schema["additionalProperties"])
                return None if value is None else _map_of(value)
            case "object":
                return self._message(schema, root=root)
            case "string":
                form = schema.get("format")
                if form == "byte":
                    return _BYTES
                return _WELL_KNOWN.get(_FORMATS.get(str(form), ""), _SCALARS["string"])
            case other:
                return _SCALARS.get(str(other))

    def _message(self, schema: Mapping[str, Any], *, root: bool) -> _Kind:
        properties = dict(schema.get("properties") or {})
        if root or schema.get("x-kubernetes-embedded-resource"):
            properties |= _HEADER
        name = f"T{len(self._file.message_type)}"
        message = self._file.message_type.add(name=name)
        # `crew_size` and `crewSize` may stand side by side; nothing is ever written as JSON.
        message.options.deprecated_legacy_json_field_conflicts = True
        found = {}
        for property_name, part in properties.items():
            kind, written = self._declare(part), escaped(property_name)
            if kind is not None and written is not None:
                found[written] = kind
        taken = set(found)
        for written, kind in found.items():
            _add_field(message, written, kind, f"{PACKAGE}.{name}", taken)
        return _Kind(cel.Type(f"{PACKAGE}.{name}"), _FIELD.TYPE_MESSAGE, f".{PACKAGE}.{name}")


def _list_of(element: _Kind) -> _Kind:
    if element.repeated or element.values is not None:
        return _Kind(cel.Type.List(element.type), _FIELD.TYPE_MESSAGE, ".google.protobuf.ListValue")
    return _Kind(cel.Type.List(element.type), element.code, element.name, repeated=True)


def _map_of(value: _Kind) -> _Kind:
    kind = cel.Type.Map(cel.Type.STRING, value.type)
    if value.repeated or value.values is not None:
        return replace(_ANY_MAP, type=kind)
    return _Kind(kind, _FIELD.TYPE_MESSAGE, values=value)


_ANY_MAP = _Kind(cel.Type.MAP, _FIELD.TYPE_MESSAGE, ".google.protobuf.Struct")


def _add_field(message: Any, name: str, kind: _Kind, owner: str, taken: set[str]) -> None:
    """Add a field to *message*, whose full name is *owner* and which has the names *taken*."""
    if kind.values is not None and _entry_name(name) in taken:
        kind = _ANY_MAP
    number = len(message.field) + 1
    # The reserved range of field numbers (19000-19999) is beyond what one object declares.
    field = message.field.add(name=name, number=number, json_name=f"f{number}", type=kind.code)
    field.label = _FIELD.LABEL_REPEATED if kind.repeated else _FIELD.LABEL_OPTIONAL
    if kind.name:
        field.type_name = kind.name
    if kind.values is None:
        return
    # A map is a list of entries, named as every protobuf compiler names them.
    entry = message.nested_type.add(name=_entry_name(name))
    taken.add(entry.name)
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    value = entry.field.add(
        name="value", number=2, type=kind.values.code, label=_FIELD.LABEL_OPTIONAL
    )
    if kind.values.name:
        value.type_name = kind.values.name
    field.label = _FIELD.LABEL_REPEATED
    field.type_name = f".{owner}.{entry.name}"


def _entry_name(name: str) -> str:
    """`cargo_hold` has entries of the type `CargoHoldEntry`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) + "Entry"
