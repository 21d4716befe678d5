"""OpenAPI v3 of Hanse's structs, so that a kind is described once: by its class.

The result is structural in the sense of CustomResourceDefinitions but for `metadata`, a `$ref` to
the built-in facts. Fields of one class share one dict, so a schema must never be changed in place.
"""

from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from shared.api.binding import BindingSpec, BindingStatus
from shared.api.cluster import ClusterSpec, ClusterStatus
from shared.api.global_zone import GlobalZoneSpec
from shared.api.meta import Condition
from shared.api.rollout import RolloutSpec, RolloutStatus
from shared.api.staging import RolloutStrategy
from shared.api.traffic_policy import TrafficSpec, TrafficSplit, TrafficStatus

# How lists merge under server-side apply: the struct of their elements -> the keys that identify
# one. A list of anything else is replaced whole.
_CONDITIONS = ("type",)
_MAP_LISTS: dict[tuple[type[msgspec.Struct], str], tuple[str, ...]] = {
    (BindingSpec, "clusters"): ("name",),
    (BindingSpec, "evictions"): ("cluster",),
    (BindingStatus, "aggregatedStatus"): ("cluster",),
    (BindingStatus, "overrideFailures"): ("cluster",),
    (ClusterSpec, "taints"): ("key", "effect"),
    (ClusterStatus, "taints"): ("key", "effect"),
    (ClusterStatus, "apiEnablements"): ("groupVersion",),
    (RolloutStrategy, "stages"): ("name",),
    (RolloutSpec, "approvals"): ("revision", "stage"),
    (RolloutStatus, "stages"): ("name",),
    (RolloutStatus, "clusters"): ("name",),
    (GlobalZoneSpec, "nameServers"): ("name",),
    (GlobalZoneSpec, "regions"): ("region",),
    (GlobalZoneSpec, "hosts"): ("host",),
    (GlobalZoneSpec, "records"): ("name", "type"),
    (TrafficSpec, "gateways"): ("cluster",),
    (TrafficSplit, "clusters"): ("name",),
    (TrafficStatus, "splits"): ("region",),
}
_METADATA = {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}


@cache
def schema_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the schema of objects of *struct*; `metadata` refers to the built-in facts."""
    return _struct_schema(struct)


@cache
def _struct_schema(struct: type[msgspec.Struct]) -> dict[str, Any]:
    described = inspect.type_info(struct)
    assert isinstance(described, inspect.StructType)
    properties: dict[str, Any] = {}
    for field in described.fields:
        if field.encode_name == "metadata":
            properties["metadata"] = _METADATA
            continue
        found = _schema(field.type)
        keys = _MAP_LISTS.get((struct, field.encode_name))
        if keys is None and _is_condition_list(field.type):
            keys = _CONDITIONS
        if keys:
            found = {
                **found,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": [*keys],
            }
        properties[field.encode_name] = found
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if text := _description(struct):
        schema["description"] = text
    if required := [field.encode_name for field in described.fields if field.required]:
        schema["required"] = required
    return schema


def _schema(kind: inspect.Type) -> dict[str, Any]:
    match kind:
        case inspect.Metadata(type=annotated, extra_json_schema=extra):
            return {**_schema(annotated), **(extra or {})}
        case inspect.StructType(cls=struct):
            return _struct_schema(struct)
        case inspect.StrType():
            return {"type": "string"}
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType():
            return {"type": "integer", "format": "int64"}
        case inspect.FloatType():
            return {"type": "number", "format": "double"}
        case inspect.LiteralType(values=values):
            return {"type": "string", "enum": list(values)}
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return _list_schema(_schema(item))
        case inspect.DictType(value_type=inspect.AnyType()):
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        case inspect.DictType(value_type=value):
            return {"type": "object", "additionalProperties": _schema(value)}
        case inspect.UnionType(types=types):
            return _optional(types)
        case inspect.AnyType():
            return {"x-kubernetes-preserve-unknown-fields": True}
    raise AssertionError(f"{kind} has no schema: add it here")


def _list_schema(items: dict[str, Any]) -> dict[str, Any]:
    """A list is explained by what its elements are, in the first paragraph."""
    found: dict[str, Any] = {"type": "array", "items": items}
    if text := items.get("description", "").partition("\n\n")[0]:
        found["description"] = text
    return found


def _optional(types: tuple[inspect.Type, ...]) -> dict[str, Any]:
    """`X | None`: a null is as good as an absent field. `int | str` is the other union there is."""
    rest = [one for one in types if not isinstance(one, inspect.NoneType)]
    if {type(one) for one in rest} == {inspect.IntType, inspect.StrType}:
        return {"x-kubernetes-int-or-string": True, "nullable": len(rest) < len(types)}
    assert len(rest) == 1, "a field of one of Hanse's kinds has one type"
    return {**_schema(rest[0]), "nullable": True}


def _is_condition_list(kind: inspect.Type) -> bool:
    return (
        isinstance(kind, inspect.VarTupleType)
        and isinstance(kind.item_type, inspect.StructType)
        and kind.item_type.cls is Condition
    )


def _description(struct: type[msgspec.Struct]) -> str:
    """Join the lines of each paragraph of the docstring, without the marks of code."""
    text = struct.__dict__.get("__doc__") or ""
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return "\n\n".join(part for part in paragraphs if part).replace("`", "")
