"""Whether the schema of a CustomResourceDefinition is structural. Pure.

The rules are those of `apiextensions.k8s.io/v1`: every value has a type where a reader expects
it, outside of the logical junctors; nothing refers elsewhere; and the extensions
`x-kubernetes-*` agree with the types they stand beside.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import FieldError

DEPTH_MAX = 100

_TYPES = {"array", "boolean", "integer", "number", "object", "string"}
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_FORBIDDEN = (
    "$ref",
    "$schema",
    "id",
    "definitions",
    "dependencies",
    "patternProperties",
    "additionalItems",
)
# What a junctor must leave to the level it stands on.
_ONLY_OUTSIDE = (
    "type",
    "default",
    "title",
    "description",
    "nullable",
    "additionalProperties",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
)
_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_LIST_TYPE = "x-kubernetes-list-type"
_MAP_KEYS = "x-kubernetes-list-map-keys"
_MAP_TYPE = "x-kubernetes-map-type"


def check_structural(schema: Any, path: str) -> list[FieldError]:
    """Return every fault of the schema of a whole object; *path* is where it stands."""
    if not isinstance(schema, Mapping):
        return [FieldError(path, "schemas are required", "FieldValueRequired")]
    faults = list(_check_node(schema, path, depth=0))
    if schema.get("type") != "object":
        faults.append(FieldError(f"{path}.type", "must be object at the root"))
    metadata = (
        schema.get("properties", {}).get("metadata") if _mapping(schema, "properties") else {}
    )
    if isinstance(metadata, Mapping):
        extra = set(metadata.get("properties") or ()) - {"name", "generateName"}
        if extra:
            where = f"{path}.properties[metadata]"
            faults.append(
                FieldError(
                    where,
                    "must not specify anything other than name and generateName",
                    "FieldValueForbidden",
                )
            )
    return faults


def _mapping(schema: Mapping[str, Any], name: str) -> bool:
    return isinstance(schema.get(name), Mapping)


def _check_node(schema: Mapping[str, Any], path: str, *, depth: int) -> Iterator[FieldError]:
    if depth > DEPTH_MAX:
        yield FieldError(path, f"must not be nested deeper than {DEPTH_MAX}", "FieldValueForbidden")
        return
    yield from _check_type(schema, path)
    yield from _check_forbidden(schema, path)
    yield from _check_extensions(schema, path)
    yield from _check_junctors(schema, path, depth=depth)
    for where, child in _children(schema, path):
        if isinstance(child, Mapping):
            yield from _check_node(child, where, depth=depth + 1)
        else:
            yield FieldError(where, "must be a schema", "FieldValueTypeInvalid")


def _children(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        for name, child in properties.items():
            yield f"{path}.properties[{name}]", child
    if "items" in schema:
        yield f"{path}.items", schema["items"]
    values = schema.get("additionalProperties")
    if values is not None and not isinstance(values, bool):
        yield f"{path}.additionalProperties", values


def _check_type(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    kind = schema.get("type")
    if schema.get(_INT_OR_STRING):
        if kind:
            yield FieldError(
                f"{path}.type", f"must be empty if {_INT_OR_STRING} is true", "FieldValueForbidden"
            )
        return
    if not kind:
        if not schema.get(_PRESERVE):
            yield FieldError(
                f"{path}.type",
                "must not be empty for specified object fields",
                "FieldValueRequired",
            )
    elif kind not in _TYPES:
        yield FieldError(
            f"{path}.type",
            f"unsupported value {kind!r}: supported values: {', '.join(sorted(_TYPES))}",
            "FieldValueNotSupported",
        )
    if kind == "array" and "items" not in schema:
        yield FieldError(f"{path}.items", "must be specified for an array", "FieldValueRequired")


def _check_forbidden(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name in _FORBIDDEN:
        if schema.get(name):
            yield FieldError(f"{path}.{name}", f"{name} is not supported", "FieldValueForbidden")
    if schema.get("uniqueItems"):
        yield FieldError(
            f"{path}.uniqueItems",
            "must not be true: it takes quadratic time",
            "FieldValueForbidden",
        )
    values = schema.get("additionalProperties")
    if values is False:
        yield FieldError(f"{path}.additionalProperties", "must not be false", "FieldValueForbidden")
    if values is not None and schema.get("properties"):
        yield FieldError(
            f"{path}.additionalProperties",
            "and properties are mutually exclusive",
            "FieldValueForbidden",
        )


def _check_extensions(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if schema.get(_PRESERVE) is False:
        yield FieldError(f"{path}.{_PRESERVE}", "must be true or absent")
    if schema.get(_EMBEDDED) and schema.get("type") != "object":
        yield FieldError(
            f"{path}.type", f"must be object if {_EMBEDDED} is true", "FieldValueRequired"
        )
    map_type = schema.get(_MAP_TYPE)
    if map_type is not None:
        if map_type not in {"atomic", "granular"}:
            yield FieldError(
                f"{path}.{_MAP_TYPE}",
                "must be atomic or granular",
                "FieldValueNotSupported",
            )
        elif schema.get("type") != "object":
            yield FieldError(f"{path}.type", f"must be object if {_MAP_TYPE} is given")
    if _LIST_TYPE in schema or _MAP_KEYS in schema:
        yield from _check_list(schema, path)


def _check_list(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    list_type, keys = schema.get(_LIST_TYPE), schema.get(_MAP_KEYS) or ()
    if list_type not in {"atomic", "set", "map", None}:
        yield FieldError(
            f"{path}.{_LIST_TYPE}", "must be atomic, set or map", "FieldValueNotSupported"
        )
        return
    if list_type is not None and schema.get("type") != "array":
        yield FieldError(f"{path}.type", f"must be array if {_LIST_TYPE} is given")
    if list_type != "map":
        if keys:
            yield FieldError(
                f"{path}.{_MAP_KEYS}", f"needs {_LIST_TYPE} map", "FieldValueForbidden"
            )
        return
    if not keys:
        yield FieldError(f"{path}.{_MAP_KEYS}", "must name a key", "FieldValueRequired")
    items = schema.get("items")
    element = items if isinstance(items, Mapping) else {}
    properties = element.get("properties") or {}
    for position, key in enumerate(keys):
        where = f"{path}.{_MAP_KEYS}[{position}]"
        found = properties.get(key)
        if found is None:
            yield FieldError(where, f"{key!r} is no property of the items")
        elif found.get("type") in {"object", "array"}:
            yield FieldError(where, f"{key!r} must be of a scalar type")
        elif key not in (element.get("required") or ()) and "default" not in found:
            yield FieldError(
                f"{path}.items.properties[{key}].default",
                f"the key {key!r} must be required or have a default",
                "FieldValueRequired",
            )


def _check_junctors(schema: Mapping[str, Any], path: str, *, depth: int) -> Iterator[FieldError]:
    for name in _JUNCTORS:
        parts = schema.get(name)
        if parts is None:
            continue
        if not isinstance(parts, list):
            yield FieldError(f"{path}.{name}", "must be a list", "FieldValueTypeInvalid")
            continue
        # This very pair is how an integer or a string is spelt out.
        spelt = {"type"} if schema.get(_INT_OR_STRING) else set()
        for position, part in enumerate(parts):
            where = f"{path}.{name}[{position}]"
            yield from _check_constraint(part, where, allowed=spelt, depth=depth + 1)
    if "not" in schema:
        yield from _check_constraint(schema["not"], f"{path}.not", allowed=set(), depth=depth + 1)


def _check_constraint(
    schema: Any, path: str, *, allowed: set[str], depth: int
) -> Iterator[FieldError]:
    """Inside a junctor a schema only constrains: it declares nothing."""
    if not isinstance(schema, Mapping):
        yield FieldError(path, "must be a schema", "FieldValueTypeInvalid")
        return
    if depth > DEPTH_MAX:
        yield FieldError(path, f"must not be nested deeper than {DEPTH_MAX}", "FieldValueForbidden")
        return
    for name in _ONLY_OUTSIDE:
        if schema.get(name) is not None and name not in allowed:
            yield FieldError(
                f"{path}.{name}",
                "must be empty to be structural",
                "FieldValueForbidden",
            )
    for where, child in _children(schema, path):
        yield from _check_constraint(child, where, allowed=allowed, depth=depth + 1)
    for name in _JUNCTORS:
        for position, part in enumerate(schema.get(name) or ()):
            where = f"{path}.{name}[{position}]"
            yield from _check_constraint(part, where, allowed=allowed, depth=depth + 1)
