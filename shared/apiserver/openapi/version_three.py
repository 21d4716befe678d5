"""One OpenAPI v3 document: a group/version, its paths and its schemas."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.apimachinery.manifest import GroupVersionKind
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.openapi.components import (
    DELETE_OPTIONS,
    PATCH,
    SCALE,
    STATUS,
    Components,
    all_components,
)
from shared.apiserver.openapi.operations import (
    PATCH_TYPES,
    Operation,
    operations_of,
    path_variables,
)

TITLE = "Kubernetes"
_JSON = "application/json"
_STRATEGIC = "application/strategic-merge-patch+json"


def reference(name: str) -> str:
    return f"#/components/schemas/{name}"


def version_three(kinds: Sequence[ResourceKind], *, version: str) -> dict[str, Any]:
    """Return the document for *kinds*, all of one group/version; *version* is the server's."""
    components = all_components(kinds, reference)
    paths: dict[str, Any] = {}
    for kind in kinds:
        for operation in operations_of(kind):
            place = paths.setdefault(operation.path, _path(operation.path))
            place[operation.method] = _operation(operation, kind, components)
    return {
        "openapi": "3.0.0",
        "info": {"title": TITLE, "version": version},
        "paths": paths,
        "components": {
            "schemas": components.finish(),
            "securitySchemes": {
                "BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}
            },
        },
        "security": [{"BearerToken": []}],
    }


def _path(path: str) -> dict[str, Any]:
    variables = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in path_variables(path)
    ]
    return {"parameters": variables} if variables else {}


def _operation(operation: Operation, kind: ResourceKind, components: Components) -> dict[str, Any]:
    scaled = operation.subresource == "scale"
    gvk = SCALE if scaled else kind.gvk
    name = components.need(SCALE) if scaled else components.name_of(kind.gvk)
    found: dict[str, Any] = {
        "tags": [tag_of(kind.gvk)],
        "operationId": operation_id(operation, kind),
        "parameters": [
            {
                "name": parameter.name,
                "in": "query",
                "description": parameter.description,
                "schema": {"type": parameter.type, "uniqueItems": True},
            }
            for parameter in operation.parameters
        ],
        "responses": _responses(operation, _answer(operation, name), components),
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": gvk._asdict(),
    }
    if operation.body is not None:
        found["requestBody"] = _body(operation, kind, name, components)
    return found


def _answer(operation: Operation, name: str) -> str:
    if operation.answer == "status":
        return STATUS
    return f"{name}List" if operation.answer == "list" else name


def _responses(operation: Operation, schema: str, components: Components) -> Mapping[str, Any]:
    content = {_JSON: {"schema": components.refer(schema)}}
    codes = {"post": ("200", "201", "202"), "put": ("200", "201"), "patch": ("200", "201")}
    return {
        code: {
            "description": {"201": "Created", "202": "Accepted"}.get(code, "OK"),
            "content": content,
        }
        for code in codes.get(operation.method, ("200",))
    }


def _body(
    operation: Operation, kind: ResourceKind, name: str, components: Components
) -> dict[str, Any]:
    if operation.body == "patch":
        types: Iterable[str] = patch_types(kind)
        schema = PATCH
    else:
        types, schema = (_JSON,), DELETE_OPTIONS if operation.body == "options" else name
    content = {media: {"schema": components.refer(schema)} for media in types}
    body: dict[str, Any] = {"content": content}
    if operation.body != "options":
        body["required"] = True
    return body


def patch_types(kind: ResourceKind) -> list[str]:
    """Return the media types of patches; custom kinds have no strategic merge."""
    return [media for media in PATCH_TYPES if not (kind.custom and media == _STRATEGIC)]


def tag_of(gvk: GroupVersionKind) -> str:
    """`apps_v1`: the operations of one group/version."""
    group = gvk.group.partition(".")[0] or "core"
    return f"{group}_{gvk.version}"


_WORDS = {"get": "read", "post": "create", "put": "replace", "deletecollection": "deleteCollection"}


def operation_id(operation: Operation, kind: ResourceKind) -> str:
    """`createAppsV1NamespacedDeployment`: unique within the API."""
    where = "".join(part.capitalize() for part in kind.gvk.group.partition(".")[0].split("-"))
    group = f"{where or 'Core'}{kind.gvk.version.capitalize()}"
    collection = operation.path.count("{name}") == 0
    everywhere = kind.namespaced and "{namespace}" not in operation.path
    scope = "Namespaced" if kind.namespaced and not everywhere else ""
    word = _WORDS.get(operation.action, operation.action)
    suffix = "ForAllNamespaces" if everywhere and collection else ""
    subresource = operation.subresource.capitalize()
    return f"{word}{group}{scope}{kind.gvk.kind}{suffix}{subresource}"
