"""A view of an OpenAPI v3 schema that rules can walk: references resolved, extensions named.

Works alike for the built-in facts and for the structural schema of a CustomResourceDefinition.
Nodes are made when first asked for and shared by all who ask, so a walk costs no look-ups by text.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from shared.apimachinery import facts
from shared.apimachinery.facts.presence import always_there, is_defined
from shared.apimachinery.manifest import GroupVersionKind, encode

_REFERENCE = "#/definitions/"
_RULES = "x-kubernetes-validations"
_HEADER: Mapping[str, Mapping[str, Any]] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"$ref": f"{_REFERENCE}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
}

_BOUNDS = frozenset(
    ("enum", "pattern", "multipleOf", "minimum", "maximum", "minLength", "maxLength")
) | {"minItems", "maxItems", "minProperties", "maxProperties"}
_JUNCTORS = frozenset(("allOf", "anyOf", "oneOf", "not"))

# Values of keys that merge list items and may be left out (structured-merge-diff needs them; the
# published definitions leave defaults out).
_KEY_DEFAULTS: Mapping[str, Any] = {"protocol": "TCP"}


def _with_all_metadata(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a definition says of the metadata of an object within bounds it; it has all fields."""
    whole = _resolve(_HEADER["metadata"])
    fields = {**whole["properties"], **(declared.get("properties") or {})}
    return {**whole, **declared, "properties": fields}


class Schema:
    """One node. `type` is object, array, string, integer, number, boolean or "" (anything)."""

    __slots__ = (
        "_declared",
        "_default_sizes",
        "_fields",
        "_has_rules",
        "_items",
        "_object",
        "_values",
        "bounded",
        "defaults",
        "embedded",
        "format",
        "int_or_string",
        "junctors",
        "key_defaults",
        "list_type",
        "map_keys",
        "map_type",
        "merge_key",
        "nullable",
        "present",
        "preserves_unknown",
        "raw",
        "required",
        "rules",
        "strategies",
        "takes_any_text",
        "type",
        "typed",
    )

    def __init__(self, raw: Mapping[str, Any]) -> None:
        raw = _resolve(raw)
        self.raw = raw
        self.int_or_string = bool(raw.get("x-kubernetes-int-or-string"))
        self.type: str = "" if self.int_or_string else str(raw.get("type", ""))
        self.list_type: str = raw.get("x-kubernetes-list-type", "atomic")
        self.map_keys: tuple[str, ...] = tuple(raw.get("x-kubernetes-list-map-keys", ()))
        self.map_type: str = raw.get("x-kubernetes-map-type", "granular")
        self.merge_key: str = raw.get("x-kubernetes-patch-merge-key", "")
        self.strategies = frozenset(str(raw.get("x-kubernetes-patch-strategy", "")).split(","))
        self.format: str = raw.get("format", "")
        self.nullable = bool(raw.get("nullable"))
        self.required: tuple[str, ...] = tuple(raw.get("required") or ())
        self.defaults: Mapping[str, Any] = {
            name: declared["default"]
            for name, declared in (raw.get("properties") or {}).items()
            if declared.get("default") is not None
        }
        self._default_sizes: dict[str, int] = {}
        # Whether there is anything to check at all: most nodes of most schemas say only a type.
        self.bounded = not _BOUNDS.isdisjoint(raw)
        self.junctors = not _JUNCTORS.isdisjoint(raw)
        limited = self.format or self.bounded or self.junctors
        self.takes_any_text = self.type == "string" and not limited
        self.embedded = bool(raw.get("x-kubernetes-embedded-resource"))
        self.preserves_unknown = _preserves_unknown(raw)
        self.rules: tuple[Mapping[str, Any], ...] = tuple(raw.get(_RULES) or ())
        self._has_rules: bool | None = None
        # Of a built-in type: fields that a value has whether they were sent or not.
        self.typed = is_defined(raw.get("properties") or {})
        self.present = always_there(raw.get("properties") or {}, self.required)
        self._fields: dict[str, Schema] = {}
        self._object: Schema | None = None
        self._declared = frozenset(raw.get("properties") or ())
        if self.embedded:
            self._declared |= _HEADER.keys()
        self._items: Schema | None = None
        self._values: Schema | None = None
        self.key_defaults: Mapping[str, Any] = {}
        if self.map_keys:
            self.key_defaults = self._find_key_defaults()

    def default_size(self, name: str) -> int:
        """Return how many bytes the default of the field *name* has as JSON."""
        found = self._default_sizes.get(name)
        if found is None:
            found = self._default_sizes[name] = len(encode({name: self.defaults[name]}))
        return found

    def field(self, name: str) -> "Schema | None":
        """Return the schema of a declared field, or of any value of a map; None when unknown."""
        found = self._fields.get(name)
        if found is not None:
            return found
        declared = (self.raw.get("properties") or {}).get(name)
        if declared is not None:
            if self.embedded and name == "metadata":
                declared = _with_all_metadata(declared)
            found = _made(declared)
        elif self.embedded and name in _HEADER:
            found = _made(_HEADER[name])
        else:
            # Keys of a map are the users', without number: remembering them would leak.
            return self.values
        self._fields[name] = found
        return found

    def as_object(self) -> "Schema":
        """Return this node as the root of an object: its header is what every object's is."""
        if self._object is None:
            properties = {**(self.raw.get("properties") or {}), **_HEADER}
            declared = self.raw.get("properties") or {}
            same = all(declared.get(name) == part for name, part in _HEADER.items())
            whole = {**self.raw, "properties": properties}
            if self.preserves_unknown:
                whole["x-kubernetes-preserve-unknown-fields"] = True
            self._object = self if same else Schema(whole)
            self._object.typed, self._object.present = self.typed, self.present
        return self._object

    def declares(self, name: str) -> bool:
        return name in self._declared

    @property
    def has_rules(self) -> bool:
        """Whether there are validation rules here or anywhere within."""
        if self._has_rules is None:
            self._has_rules = _has_rules(self.raw)
        return self._has_rules

    @property
    def items(self) -> "Schema":
        """Schema of a list's items; anything where none is declared."""
        if self._items is None:
            self._items = _made(self.raw.get("items") or {})
        return self._items

    @property
    def values(self) -> "Schema | None":
        """Schema of a map's values; None where it is not a map."""
        if self._values is None:
            extra = self.raw.get("additionalProperties")
            if isinstance(extra, Mapping):
                self._values = _made(extra)
            elif extra is True:
                self._values = ANYTHING
        return self._values

    def _find_key_defaults(self) -> Mapping[str, Any]:
        fields = (_resolve(self.raw.get("items") or {}).get("properties")) or {}
        found = {}
        for key in self.map_keys:
            declared = fields.get(key) or {}
            if "default" in declared:
                found[key] = declared["default"]
            elif key in _KEY_DEFAULTS and key in fields:
                found[key] = _KEY_DEFAULTS[key]
        return found


def _resolve(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references; what stands beside one (a merge strategy) adds to what it names."""
    while "$ref" in raw:
        named = facts.definitions()[str(raw["$ref"]).removeprefix(_REFERENCE)]
        beside = {key: value for key, value in raw.items() if key != "$ref"}
        raw = {**named, **beside} if beside else named
    return raw


def _has_rules(raw: Mapping[str, Any]) -> bool:
    if raw.get(_RULES):
        return True
    parts = [*(raw.get("properties") or {}).values(), raw.get("items")]
    parts.append(raw.get("additionalProperties"))
    return any(isinstance(part, Mapping) and _has_rules(part) for part in parts)


def _preserves_unknown(raw: Mapping[str, Any]) -> bool:
    if raw.get("x-kubernetes-preserve-unknown-fields"):
        return True
    # A schema that says nothing at all (a JSON value) holds anything.
    return not (raw.get("type") or raw.get("properties") or raw.get("additionalProperties"))


# By identity, which is never reused while it is a key: the entry keeps the schema alive. Bounded,
# since definitions of custom kinds come and go; what falls out is made again when asked for.
_NODES_MAX = 8_192
_nodes: dict[int, tuple[Mapping[str, Any], Schema]] = {}


def node(raw: Mapping[str, Any]) -> Schema:
    """Return the node of a schema: the same one as long as it is in use."""
    known = _nodes.get(id(raw))
    if known is not None:
        return known[1]
    if len(_nodes) >= _NODES_MAX:
        del _nodes[next(iter(_nodes))]
    found = _made(raw)
    _nodes[id(raw)] = (raw, found)
    return found


def _made(raw: Mapping[str, Any]) -> Schema:
    """Return a new node; all who refer to one definition share its node."""
    if len(raw) == 1 and "$ref" in raw:
        return _definition(str(raw["$ref"]).removeprefix(_REFERENCE))
    return Schema(raw)


@cache
def _definition(name: str) -> Schema:
    return _made(facts.definitions()[name])


ANYTHING = Schema({})


def builtin(gvk: GroupVersionKind) -> Schema | None:
    """Return the schema of a built-in kind."""
    raw = facts.schema_of(gvk)
    return None if raw is None else node(raw)
