"""The schemas of one document: every kind in it and every type those refer to, by name.

Built-in types come from the facts, where one type refers to another by `$ref`; schemas of other
kinds are whole in themselves but for their metadata.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from shared.apimachinery import facts
from shared.apimachinery.manifest import GroupVersionKind, encode
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.openapi.prose import models_folder, prose_of

OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
PATCH = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"
DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
SCALE = GroupVersionKind("autoscaling", "v1", "Scale")
# Whose apiVersion, kind and metadata are explained like everybody's.
_ANY_KIND = "io.k8s.api.core.v1.ConfigMap"
_ENUMS = Path(__file__).with_name("enums.json")
GVKS = "x-kubernetes-group-version-kind"
# Types that the facts may lack, since no field of a stored object has them.
_OPEN = {"type": "object"}
_ALWAYS = (OBJECT_META, LIST_META, STATUS, PATCH, DELETE_OPTIONS)


class Components:
    """Collects schemas under their names; *reference* writes the `$ref` of a name."""

    def __init__(self, reference: Callable[[str], str]) -> None:
        self._reference = reference
        self._models = models_folder()
        self._waiting: list[str] = list(_ALWAYS)
        self.schemas: dict[str, Any] = {}

    def add(self, kind: ResourceKind) -> None:
        """Add the schemas of *kind* and of a list of them."""
        name = self.name_of(kind.gvk)
        gvk = [dict(kind.gvk._asdict())]
        if facts.definition_name(kind.gvk) is None:
            self.schemas[name] = {**self._whole(kind.schema or _OPEN), GVKS: gvk}
        else:
            self._waiting.append(name)
        self.schemas[f"{name}List"] = {
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": self.refer(LIST_META),
                "items": {"type": "array", "items": self.refer(name)},
            },
            GVKS: [{**kind.gvk._asdict(), "kind": f"{kind.gvk.kind}List"}],
        }

    def name_of(self, gvk: GroupVersionKind) -> str:
        """Return the name of the schema of *gvk*: the facts' own, or the group reversed."""
        known = facts.definition_name(gvk)
        return known or ".".join((*reversed(gvk.group.split(".")), gvk.version, gvk.kind))

    def need(self, gvk: GroupVersionKind) -> str:
        """Add the type *gvk* of the facts and return its name."""
        name = self.name_of(gvk)
        self._waiting.append(name)
        return name

    def refer(self, name: str) -> dict[str, Any]:
        return {"$ref": self._reference(name)}

    def finish(self) -> Mapping[str, Any]:
        """Return all schemas, with everything they refer to."""
        while self._waiting:
            name = self._waiting.pop()
            if name not in self.schemas:
                self.schemas[name] = self._definition(name)
        return dict(sorted(self.schemas.items()))

    def _definition(self, name: str) -> dict[str, Any]:
        schema: dict[str, Any] = self._translated(facts.definitions().get(name, _OPEN))
        prose = prose_of(self._models, name)
        if prose.meaning:
            schema["description"] = prose.meaning
        said, words = prose.fields, _enums().get(name, {})
        properties = {
            field: _explained(described, said.get(field, ""), words.get(field))
            for field, described in schema.get("properties", {}).items()
        }
        if properties:
            schema["properties"] = {
                field: _beside_reference(described) for field, described in properties.items()
            }
        return schema

    def _whole(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Every kind has three fields that mean the same as in built-in kinds."""
        said = prose_of(self._models, _ANY_KIND).fields
        metadata = {"description": said.get("metadata", ""), **self.refer(OBJECT_META)}
        properties = {**schema.get("properties", {}), "metadata": _beside_reference(metadata)}
        for name in ("apiVersion", "kind"):
            properties[name] = {"type": "string", "description": said.get(name, "")}
        return {**schema, "properties": properties}

    def _translated(self, schema: Any) -> Any:
        """Rewrite every reference, and note what it leads to."""
        if isinstance(schema, Mapping):
            changed = {key: self._translated(value) for key, value in schema.items()}
            if schema.get("x-kubernetes-int-or-string") and "anyOf" not in schema:
                changed["anyOf"] = [{"type": "integer"}, {"type": "string"}]
            reference = schema.get("$ref")
            if isinstance(reference, str):
                name = reference.rpartition("/")[2]
                self._waiting.append(name)
                changed["$ref"] = self._reference(name)
            return changed
        if isinstance(schema, list | tuple):
            return [self._translated(one) for one in schema]
        return schema


@cache
def _enums() -> Mapping[str, Mapping[str, list[str]]]:
    """The words that fields of built-in types may hold, by type and field."""
    return msgspec.json.decode(_ENUMS.read_bytes(), type=dict[str, dict[str, list[str]]])


def _explained(schema: dict[str, Any], meaning: str, words: list[str] | None) -> dict[str, Any]:
    """Return the schema of a field with what it means, and the words that it may hold."""
    found = {"description": meaning, **schema} if meaning else schema
    if words is None:
        return found
    if "items" in schema:
        return {**found, "items": {**schema["items"], "enum": words}}
    return {**found, "enum": words}


@cache
def facts_fingerprint() -> str:
    """Return a digest of all built-in types: it differs where any of them does."""
    return hashlib.sha256(encode(dict(facts.definitions()))).hexdigest()


def _beside_reference(schema: dict[str, Any]) -> dict[str, Any]:
    """Nothing may stand beside a `$ref` in OpenAPI 3.0: it is wrapped in `allOf`."""
    if "$ref" not in schema or len(schema) == 1:
        return schema
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    return {**rest, "allOf": [{"$ref": schema["$ref"]}]}


def all_components(kinds: Iterable[ResourceKind], reference: Callable[[str], str]) -> Components:
    """Return components with every one of *kinds* added; call `finish` for the schemas."""
    components = Components(reference)
    for kind in kinds:
        components.add(kind)
    return components
