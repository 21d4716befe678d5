"""Whether the schema of a CustomResourceDefinition is structural. Pure.

The rules are those of `apiextensions.k8s.io/v1`: every value has a type where a reader expects
it, outside of the logical junctors; nothing refers elsewhere; and the extensions
`x-kubernetes-*` agree with the types they stand beside.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import FieldError

DEPTH_MAX = 100

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
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
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        faults += _check_common_fields(properties, path)
    return faults


_BINDABLE = {"name", "generateName"}
_COMMON = {"apiVersion": "string", "kind": "string", "metadata": "object"}


def _check_common_fields(properties: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """What every object has may be repeated, not changed; of metadata only names are bound."""
    for name, kind in _COMMON.items():
        found = properties.get(name)
        if isinstance(found, Mapping) and found.get("type") not in (kind, None, ""):
            yield FieldError(f"{path}.properties[{name}].type", f"must be {kind}")
    bound = _part(properties.get("metadata"), "properties", Mapping)
    if bound and set(bound) - _BINDABLE:
        yield FieldError(
            f"{path}.properties[metadata]",
            "must not specify anything other than name and generateName",
            "FieldValueForbidden",
        )


def _part(value: Any, name: str, kind: type) -> Any:
    """Return the part *name* where it is of the type it should have, else None."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, kind) else None


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
            f"unsupported value {kind!r}: supported values: {', '.join(_TYPES)}",
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
    if isinstance(values, Mapping) and schema.get("properties"):
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
    if schema.get(_EMBEDDED) and not (schema.get(_PRESERVE) or schema.get("properties")):
        yield FieldError(
            f"{path}.properties",
            f"must not be empty if {_EMBEDDED} is true without {_PRESERVE}",
            "FieldValueRequired",
        )
    default = schema.get("default")
    if default is not None and not _fits(default, schema.get("type")):
        yield FieldError(f"{path}.default", f"must be of type {schema.get('type')}")
    map_type = schema.get(_MAP_TYPE)
    if map_type is not None:
        if map_type not in ("atomic", "granular"):
            yield FieldError(
                f"{path}.{_MAP_TYPE}",
                "must be atomic or granular",
                "FieldValueNotSupported",
            )
        elif schema.get("type") != "object":
            yield FieldError(f"{path}.type", f"must be object if {_MAP_TYPE} is given")
    if _LIST_TYPE in schema or _MAP_KEYS in schema:
        yield from _check_list(schema, path)


_PYTHON_TYPES: Mapping[Any, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def _fits(value: Any, kind: Any) -> bool:
    if not isinstance(kind, str) or kind not in _PYTHON_TYPES:
        return True
    if isinstance(value, bool):
        return bool(kind == "boolean")
    return isinstance(value, _PYTHON_TYPES[kind])


def _check_list(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    list_type, keys = schema.get(_LIST_TYPE), _part(schema, _MAP_KEYS, list) or ()
    if list_type not in ("atomic", "set", "map", None):
        yield FieldError(
            f"{path}.{_LIST_TYPE}", "must be atomic, set or map", "FieldValueNotSupported"
        )
        return
    if list_type is not None and schema.get("type") != "array":
        yield FieldError(f"{path}.type", f"must be array if {_LIST_TYPE} is given")
    items = schema.get("items")
    element = items if isinstance(items, Mapping) else {}
    if (
        list_type == "set"
        and element.get("type") == "object"
        and element.get(_MAP_TYPE) != "atomic"
    ):
        yield FieldError(
            f"{path}.items.{_MAP_TYPE}", "must be atomic as item of a list that is a set"
        )
    if list_type != "map":
        if keys:
            yield FieldError(
                f"{path}.{_MAP_KEYS}", f"needs {_LIST_TYPE} map", "FieldValueForbidden"
            )
        return
    if not keys:
        yield FieldError(f"{path}.{_MAP_KEYS}", "must name a key", "FieldValueRequired")
    properties = _part(element, "properties", Mapping) or {}
    required = _part(element, "required", list) or ()
    for position, key in enumerate(keys):
        where = f"{path}.{_MAP_KEYS}[{position}]"
        found = properties.get(str(key))
        if not isinstance(found, Mapping):
            yield FieldError(where, f"{key!r} is no property of the items")
        elif found.get("type") in ("object", "array"):
            yield FieldError(where, f"{key!r} must be of a scalar type")
        elif key not in required and "default" not in found:
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
        for position, part in enumerate(_part(schema, name, list) or ()):
            where = f"{path}.{name}[{position}]"
            yield from _check_constraint(part, where, allowed=allowed, depth=depth + 1)
