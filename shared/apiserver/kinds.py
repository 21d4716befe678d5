"""What the server knows of each kind it serves, whoever declared it.

Built-in kinds come from the committed facts, Hanse's from `shared/api/scheme.py`, custom ones from
CustomResourceDefinitions. All become the same `ResourceKind`, so no verb asks where one came from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.apimachinery.manifest import GroupResource, GroupVersionKind, Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of server-side printing; priority above 0 shows with `-o wide` only."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0
    json_path: str = ""
    cell: Callable[[Manifest, datetime], Any] | None = None
    """Computes the cell from the object and the present moment, where a path cannot."""


RowConditions = Callable[[Manifest], Sequence[Manifest]]
"""What a row of a table says of its whole object, as `metav1.TableRowCondition`."""

RowOrder = Callable[[Manifest], Any]
"""The sort key of rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePaths:
    """Where `autoscaling/v1 Scale` finds its numbers, as JSON paths (`.spec.replicas`).

    `label_selector` leads to a selector as text, or, in built-in kinds, as an object.
    """

    spec_replicas: str
    status_replicas: str
    label_selector: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResourceKind:
    """One kind in one version. `schema` is OpenAPI v3; None accepts anything.

    Objects are stored under `group_resource` whatever the version asked for.
    """

    gvk: GroupVersionKind
    resource: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = (
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    )
    has_status: bool = False
    scale: ScalePaths | None = None
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Subresources beside status and scale that answer with the object itself, with their verbs."""

    schema: Mapping[str, Any] | None = None
    columns: tuple[Column, ...] = ()
    row_conditions: RowConditions | None = None
    row_order: RowOrder | None = None
    custom: bool = False
    """Declared by a CustomResourceDefinition: no strategic merge, unknown fields pruned."""
    list_kind: str = ""
    stored_schema: Mapping[str, Any] | None = None
    """Of a custom kind: the schema of the version that is stored, where that is another one."""
    stored_version: str = ""
    """Of a custom kind: the version in which objects are stored."""
    deprecation: str = ""
    """What users of this version are told with every answer."""
    terminating: bool = False
    """Its definition is being deleted: nothing new may come."""
    since: int = 0
    """Of a custom kind: the store's revision that declared it so; what was written before may
    not be as its schema has it now."""
    selectable_fields: tuple[str, ...] = field(default=())
    """Usable in field selectors beside metadata.name and metadata.namespace, written as there:
    `spec.nodeName`, without a leading dot."""

    @property
    def group_resource(self) -> GroupResource:
        return GroupResource(self.gvk.group, self.resource)


class KindRegistry(Protocol):
    """Every kind served now; custom ones come and go."""

    def by_resource(self, group: str, version: str, resource: str) -> ResourceKind | None: ...

    def by_kind(self, gvk: GroupVersionKind) -> ResourceKind | None: ...

    def preferred(self, resource: GroupResource) -> ResourceKind | None:
        """The version discovery names first."""
        ...

    def versions(self, group: str) -> Sequence[str]:
        """Versions of a group, the preferred first; empty for one that is not served."""
        ...

    def all(self) -> Sequence[ResourceKind]:
        """Sorted by group, version, resource."""
        ...
