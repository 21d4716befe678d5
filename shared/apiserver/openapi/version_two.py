"""The one OpenAPI v2 document: everything served, for clients that know nothing newer."""

from collections.abc import Sequence
from typing import Any

from shared.apiserver.kinds import ResourceKind
from shared.apiserver.openapi.components import (
    DELETE_OPTIONS,
    GVKS,
    PATCH,
    SCALE,
    STATUS,
    Components,
    all_components,
)
from shared.apiserver.openapi.operations import Operation, operations_of, path_variables
from shared.apiserver.openapi.version_three import TITLE, operation_id, patch_types, tag_of

_JSON = "application/json"
# Words that OpenAPI v2 does not know.
_NEWER = ("nullable", "anyOf", "oneOf", "not")
_PRESERVING = "x-kubernetes-preserve-unknown-fields"


def reference(name: str) -> str:
    return f"#/definitions/{name}"


def version_two(kinds: Sequence[ResourceKind], *, version: str) -> dict[str, Any]:
    """Return the document for *kinds*; *version* is the server's."""
    components = all_components(kinds, reference)
    paths: dict[str, Any] = {}
    for kind in kinds:
        for operation in operations_of(kind):
            place = paths.setdefault(operation.path, _path(operation.path))
            place[operation.method] = _operation(operation, kind, components)
    return {
        "swagger": "2.0",
        "info": {"title": TITLE, "version": version},
        "paths": paths,
        "definitions": _definitions(kinds, components),
        "securityDefinitions": {
            "BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}
        },
        "security": [{"BearerToken": []}],
    }


def _definitions(kinds: Sequence[ResourceKind], components: Components) -> dict[str, Any]:
    """Return every type; those of custom kinds so that kubectl accepts what the server would.

    Source: `k8s.io/apiextensions-apiserver/pkg/controller/openapi` (builder, v2).
    """
    found = dict(components.finish())
    for kind in kinds:
        if kind.custom:
            name = components.name_of(kind.gvk)
            schema = found[name]
            if schema.get(_PRESERVING):
                # Three fields alone would be taken for all there are.
                found[name] = {"type": "object", GVKS: schema[GVKS]}
            else:
                found[name] = _lenient(schema)
    return {name: _older(schema) for name, schema in found.items()}


def _lenient(schema: Any) -> Any:
    """Leave out what older kubectl would read as stricter than it is meant."""
    if not isinstance(schema, dict):
        return schema
    found = dict(schema)
    kept = found.get(_PRESERVING) is True
    if found.get("nullable") or kept:
        found.pop("items", None)
        found.pop("properties", None)
    if (
        found.get("nullable")
        or (kept and found.get("type") == "object")
        or (found.get("type") == "array" and "items" not in found)
    ):
        found.pop("type", None)
    for part in ("items", "additionalProperties"):
        if part in found:
            found[part] = _lenient(found[part])
    properties = found.get("properties")
    if isinstance(properties, dict):
        needed = [
            name
            for name in found.pop("required", ())
            if not (properties.get(name) or {}).get("nullable")
        ]
        if needed:
            found["required"] = needed
        found["properties"] = {name: _lenient(each) for name, each in properties.items()}
    return found


def _path(path: str) -> dict[str, Any]:
    variables = [
        {"name": name, "in": "path", "required": True, "type": "string", "uniqueItems": True}
        for name in path_variables(path)
    ]
    return {"parameters": variables} if variables else {}


def _operation(operation: Operation, kind: ResourceKind, components: Components) -> dict[str, Any]:
    scaled = operation.subresource == "scale"
    name = components.need(SCALE) if scaled else components.name_of(kind.gvk)
    answers = {"status": STATUS, "list": f"{name}List", "object": name}
    bodies = {"patch": PATCH, "options": DELETE_OPTIONS, "object": name}
    parameters: list[dict[str, Any]] = [
        {
            "name": parameter.name,
            "in": "query",
            "description": parameter.description,
            "type": parameter.type,
            "uniqueItems": True,
        }
        for parameter in operation.parameters
    ]
    if operation.body is not None:
        body: dict[str, Any] = {"name": "body", "in": "body"}
        body["schema"] = components.refer(bodies[operation.body])
        if operation.body != "options":
            body["required"] = True
        parameters.insert(0, body)
    answer = {"description": "OK", "schema": components.refer(answers[operation.answer])}
    return {
        "tags": [tag_of(kind.gvk)],
        "operationId": operation_id(operation, kind),
        "consumes": patch_types(kind) if operation.body == "patch" else ["*/*"],
        "produces": [_JSON],
        "schemes": ["https"],
        "parameters": parameters,
        "responses": {"200": answer},
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": (SCALE if scaled else kind.gvk)._asdict(),
    }


def _older(schema: Any) -> Any:
    """Say in v2 what it can say; an integer or a string becomes the format `int-or-string`."""
    if isinstance(schema, list):
        return [_older(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        kept = {"description": schema["description"]} if "description" in schema else {}
        return {**kept, "type": "string", "format": "int-or-string"}
    parts = schema.get("allOf")
    if isinstance(parts, list) and len(parts) == 1 and "$ref" in parts[0]:
        # Beside a reference v2 allows a description, and Kubernetes' documents have it so.
        rest = {key: value for key, value in schema.items() if key not in {"allOf", "default"}}
        return {**rest, **parts[0]}
    return {
        # The names of properties are no words of the language.
        key: {name: _older(each) for name, each in value.items()}
        if key == "properties"
        else _older(value)
        for key, value in schema.items()
        if key not in _NEWER
    }
