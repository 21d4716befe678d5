"""The built-in kinds, as kube-apiserver 1.36 serves them by default.

Names, scopes and subresources come from `builtin_kinds.json`, schemas from the facts in
`shared/apimachinery/facts`, columns from `printers`. In the table a kind's plural and singular
follow from its name unless given, and only what differs from the commonest case is written.
`Binding` and `ComponentStatus` are left out: nothing here could answer for them.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from shared.apimachinery import facts
from shared.apimachinery.manifest import GroupVersionKind
from shared.apiserver.kinds import ResourceKind, ScalePaths
from shared.apiserver.printers import columns_of, row_conditions_of, row_order_of

_TABLE = Path(__file__).with_name("builtin_kinds.json")
_SCALE = ScalePaths(
    spec_replicas=".spec.replicas",
    status_replicas=".status.replicas",
    label_selector=".spec.selector",
)
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
# A namespace empties itself first, so a whole collection of them is never deleted at once.
_VERBS_OF_NAMESPACE = tuple(verb for verb in _VERBS if verb != "deletecollection")
# A question with its answer, never stored.
_VERBS_OF_REVIEW = ("create",)


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind in one version; `all` puts it into `kubectl get all`."""

    kind: str
    resource: str = ""
    singular: str = ""
    short: tuple[str, ...] = ()
    cluster: bool = False
    status: bool = False
    scale: bool = False
    review: bool = False
    all: bool = False
    category: str = ""
    parts: dict[str, tuple[str, ...]] = {}
    fields: tuple[str, ...] = ()
    deprecated: str = ""


@cache
def builtin_kinds() -> tuple[ResourceKind, ...]:
    """Return the built-in kinds in serving order."""
    table = msgspec.json.decode(_TABLE.read_bytes(), type=dict[str, tuple[_Row, ...]])
    return tuple(
        _kind(GroupVersionKind.parse(api_version, row.kind), row)
        for api_version, rows in table.items()
        for row in rows
    )


def _kind(gvk: GroupVersionKind, row: _Row) -> ResourceKind:
    return ResourceKind(
        gvk=gvk,
        resource=row.resource or plural_of(row.kind),
        singular=row.singular or row.kind.lower(),
        namespaced=not row.cluster,
        short_names=row.short,
        categories=tuple(_categories(row)),
        verbs=_verbs(row),
        has_status=row.status,
        scale=_SCALE if row.scale else None,
        parts=row.parts,
        schema=facts.schema_of(gvk),
        columns=columns_of(gvk.group, gvk.kind),
        row_conditions=row_conditions_of(gvk.group, gvk.kind),
        row_order=row_order_of(gvk.group, gvk.kind),
        selectable_fields=row.fields,
        deprecation=row.deprecated,
    )


def _categories(row: _Row) -> Iterable[str]:
    if row.all:
        yield "all"
    if row.category:
        yield row.category


def _verbs(row: _Row) -> tuple[str, ...]:
    if row.review:
        return _VERBS_OF_REVIEW
    return _VERBS_OF_NAMESPACE if row.kind == "Namespace" else _VERBS


def plural_of(kind: str) -> str:
    """Guess the resource of a kind by the English rules that Kubernetes' own names follow."""
    name = kind.lower()
    if name.endswith("s"):
        return f"{name}es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}s"
