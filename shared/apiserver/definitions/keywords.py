"""What a schema may say, keyword by keyword, beyond being structural.

Source: `ValidateCustomResourceDefinitionOpenAPISchema` of
`k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.apiserver.semantics.faults import forbidden, invalid, required, unsupported
from shared.errors import FieldError

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_LIST_TYPE = "x-kubernetes-list-type"
_MAP_KEYS = "x-kubernetes-list-map-keys"
_MAP_TYPE = "x-kubernetes-map-type"
_QUADRATIC = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
_IS_KEY = "this property is in x-kubernetes-list-map-keys, so it"
HEADER = ("metadata", "kind", "apiVersion")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of the way from the root to a schema."""

    no_defaults: str = ""
    """Why nothing may have a default here; empty where it may."""
    in_metadata: bool = False
    uncorrelatable: str = ""
    """The outermost part whose elements have no identity over time; rules may not look back."""

    def of_property(
        self, schema: Mapping[str, Any], name: str, path: str, *, root: bool
    ) -> "Surroundings":
        found = self
        if schema.get(_MAP_TYPE) not in (None, "granular", "atomic"):
            found = found.without_past(path)
        if (root or schema.get(_EMBEDDED)) and name in HEADER:
            found = replace(found, in_metadata=True)
            if root:
                found = replace(found, no_defaults=f"in top-level {name}")
        return found

    def of_value(self) -> "Surroundings":
        if not self.in_metadata:
            return self
        why = "inside additionalProperties applying to object metadata"
        return replace(self, no_defaults=why)

    def of_item(self, schema: Mapping[str, Any], path: str) -> "Surroundings":
        return self if schema.get(_LIST_TYPE) == "map" else self.without_past(path)

    def without_past(self, path: str) -> "Surroundings":
        return self if self.uncorrelatable else replace(self, uncorrelatable=path)


def keyword_faults(
    schema: Mapping[str, Any], path: str, around: Surroundings
) -> Iterator[FieldError]:
    """Yield the faults of one schema, not of those within it."""
    kind = schema.get("type")
    if kind and kind not in _TYPES:
        yield unsupported(f"{path}.type", kind, _TYPES)
    if schema.get("default") is not None and around.no_defaults:
        yield forbidden(f"{path}.default", f"must not be set {around.no_defaults}")
    for name in _UNSUPPORTED:
        if schema.get(name):
            yield forbidden(f"{path}.{name}", f"{name} is not supported")
    if kind == "null":
        why = "type cannot be set to null, use nullable as an alternative"
        yield forbidden(f"{path}.type", why)
    if isinstance(schema.get("items"), list):
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    if around.in_metadata and schema.get(_EMBEDDED):
        yield forbidden(f"{path}.{_EMBEDDED}", "must not be used inside of resource meta")
    if schema.get("uniqueItems"):
        yield forbidden(f"{path}.uniqueItems", _QUADRATIC)
    values = schema.get("additionalProperties")
    if schema.get("properties") and values is not None and values is not True:
        why = "additionalProperties and properties are mutual exclusive"
        yield forbidden(f"{path}.additionalProperties", why)
    if schema.get(_PRESERVE) is False:
        yield invalid(f"{path}.{_PRESERVE}", False, "must be true or undefined")
    yield from _map_type_faults(schema, path)
    yield from _list_type_faults(schema, path)
    yield from _map_keys_faults(schema, path)


def _must_be(kind: Any, wanted: str, name: str, path: str) -> Iterator[FieldError]:
    if kind != wanted:
        why = f"must be {wanted} if {name} is specified"
        yield invalid(f"{path}.type", kind, why) if kind else required(f"{path}.type", why)


def _map_type_faults(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    found = schema.get(_MAP_TYPE)
    if found is None:
        return
    yield from _must_be(schema.get("type"), "object", _MAP_TYPE, path)
    if found not in ("atomic", "granular"):
        yield unsupported(f"{path}.{_MAP_TYPE}", found, ("atomic", "granular"))


def _list_type_faults(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    found = schema.get(_LIST_TYPE)
    if found is None:
        return
    yield from _must_be(schema.get("type"), "array", _LIST_TYPE, path)
    if found not in ("atomic", "set", "map"):
        yield unsupported(f"{path}.{_LIST_TYPE}", found, ("atomic", "set", "map"))
    items = schema.get("items")
    if not isinstance(items, Mapping):
        return
    why = f"must be atomic as item of a list with {_LIST_TYPE}=set"
    if found == "set" and schema.get("type") == "array":
        if items.get("type") == "array" and items.get(_LIST_TYPE) not in (None, "atomic"):
            yield invalid(f"{path}.items.{_LIST_TYPE}", items.get(_LIST_TYPE), why)
        if items.get("type") == "object" and items.get(_MAP_TYPE) != "atomic":
            yield invalid(f"{path}.items.{_MAP_TYPE}", items.get(_LIST_TYPE), why)
    if found in ("set", "map") and items.get("nullable"):
        yield forbidden(
            f"{path}.items.nullable", f"cannot be nullable when {_LIST_TYPE} is {found}"
        )


def _map_keys_faults(schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    list_type, keys = schema.get(_LIST_TYPE), schema.get(_MAP_KEYS) or []
    where, why = f"{path}.{_LIST_TYPE}", f"must be map if {_MAP_KEYS} is non-empty"
    if keys and list_type is None:
        yield required(where, why)
    elif keys and list_type != "map":
        yield invalid(where, list_type, why)
    if list_type != "map":
        return
    if not keys:
        yield required(f"{path}.{_MAP_KEYS}", f"must not be empty if {_LIST_TYPE} is map")
    items = schema.get("items")
    if items is None:
        yield required(f"{path}.items", f"must have a schema if {_LIST_TYPE} is map")
    elif isinstance(items, Mapping):
        if items.get("type") != "object":
            why = f"must be object if parent array's {_LIST_TYPE} is map"
            yield invalid(f"{path}.items.type", items.get("type", ""), why)
        else:
            yield from _key_faults(keys, items, path)


def _key_faults(keys: list[str], items: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    properties, where = items.get("properties") or {}, f"{path}.{_MAP_KEYS}"
    for place, key in enumerate(keys):
        declared, own = properties.get(key), f"{path}.items.properties[{key}]"
        if declared is None:
            yield invalid(where, keys, "entries must all be names of item properties")
        elif declared.get("type") in ("array", "object"):
            why = f"must be a scalar type if parent array's {_LIST_TYPE} is map"
            yield invalid(f"{own}.type", items.get("type"), why)
        if key in keys[:place]:
            yield invalid(where, keys, "must not contain duplicate entries")
            continue
        if declared is None:
            continue
        if key not in (items.get("required") or ()) and declared.get("default") is None:
            yield required(
                f"{own}.default", f"{_IS_KEY} must have a default or be a required property"
            )
        if declared.get("nullable"):
            yield forbidden(f"{own}.nullable", f"{_IS_KEY} cannot be nullable")
