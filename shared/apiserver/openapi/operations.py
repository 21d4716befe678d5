"""What can be done with a kind, as paths and operations; independent of OpenAPI's version."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from shared.apiserver.kinds import ResourceKind

Method = Literal["get", "post", "put", "patch", "delete"]
Body = Literal["object", "patch", "options"]
Answer = Literal["object", "list", "status"]

PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter; clients decide by its name whether the server understands it."""

    name: str
    type: Literal["string", "boolean", "integer"] = "string"
    description: str = ""


_PRETTY = Parameter("pretty", description="Whether the answer is indented for people.")
_DRY_RUN = Parameter("dryRun", description="`All` goes through every step but stores nothing.")
_FIELD_MANAGER = Parameter(
    "fieldManager", description="Who writes: the owner of the fields that this request sets."
)
_FIELD_VALIDATION = Parameter(
    "fieldValidation",
    description="What becomes of unknown and duplicate fields: Ignore, Warn or Strict.",
)
_FORCE = Parameter(
    "force", "boolean", "Take fields over from other managers; for apply patches only."
)
_SELECTION = (
    Parameter("labelSelector", description="Only objects whose labels match."),
    Parameter("fieldSelector", description="Only objects whose fields match."),
)
_LISTING = (
    Parameter("allowWatchBookmarks", "boolean", "Whether a watch may send bookmarks."),
    Parameter("continue", description="Where the list before ended."),
    *_SELECTION,
    Parameter("limit", "integer", "How many objects at most."),
    Parameter("resourceVersion", description="The state of the store to answer from."),
    Parameter("resourceVersionMatch", description="How resourceVersion is meant."),
    Parameter("sendInitialEvents", "boolean", "Whether a watch starts with what exists."),
    Parameter("timeoutSeconds", "integer", "How long a list or a watch may take."),
    Parameter("watch", "boolean", "Send changes as they happen."),
)
_DELETING = (
    _DRY_RUN,
    Parameter("gracePeriodSeconds", "integer", "How long the object may take to end."),
    Parameter("propagationPolicy", description="Orphan, Background or Foreground."),
)
_WRITING = (_DRY_RUN, _FIELD_MANAGER, _FIELD_VALIDATION)
_PATCHING = (*_WRITING, _FORCE)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path; `action` is Kubernetes' word for it."""

    path: str
    method: Method
    action: str
    answer: Answer
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    subresource: Literal["", "scale", "status"] = ""


def path_variables(path: str) -> Iterator[str]:
    """Return the variables of a path, in order."""
    for segment in path.split("/"):
        if segment.startswith("{"):
            yield segment[1:-1]


def root_of(group: str, version: str) -> str:
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def operations_of(kind: ResourceKind) -> Iterator[Operation]:
    """Return everything *kind* answers to, collections before single objects."""
    root = root_of(kind.gvk.group, kind.gvk.version)
    place = "/namespaces/{namespace}" if kind.namespaced else ""
    collection = f"{root}{place}/{kind.resource}"
    if kind.namespaced and "list" in kind.verbs:
        yield Operation(f"{root}/{kind.resource}", "get", "list", "list", _LISTING)
    yield from _on_collection(collection, kind)

    single = f"{collection}/{{name}}"
    yield from _on_single(single, kind)
    for subresource, served in (("status", kind.has_status), ("scale", kind.scale is not None)):
        if served:
            yield from _on_subresource(f"{single}/{subresource}", subresource)


def _on_collection(path: str, kind: ResourceKind) -> Iterator[Operation]:
    if "list" in kind.verbs:
        yield Operation(path, "get", "list", "list", _LISTING)
    if "create" in kind.verbs:
        yield Operation(path, "post", "post", "object", _WRITING, "object")
    if "deletecollection" in kind.verbs:
        parameters = (*_DELETING, *_SELECTION)
        yield Operation(path, "delete", "deletecollection", "status", parameters, "options")


def _on_single(path: str, kind: ResourceKind) -> Iterator[Operation]:
    if "get" in kind.verbs:
        yield Operation(path, "get", "get", "object", (_PRETTY,))
    if "update" in kind.verbs:
        yield Operation(path, "put", "put", "object", _WRITING, "object")
    if "patch" in kind.verbs:
        yield Operation(path, "patch", "patch", "object", _PATCHING, "patch")
    if "delete" in kind.verbs:
        yield Operation(path, "delete", "delete", "status", _DELETING, "options")


def _on_subresource(path: str, name: str) -> Iterator[Operation]:
    subresource: Literal["scale", "status"] = "scale" if name == "scale" else "status"
    yield Operation(path, "get", "get", "object", (_PRETTY,), None, subresource)
    yield Operation(path, "put", "put", "object", _WRITING, "object", subresource)
    yield Operation(path, "patch", "patch", "object", _PATCHING, "patch", subresource)
