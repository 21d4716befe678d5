"""How policies pick objects and clusters: the selectors shared by placement and overrides."""

from typing import Literal

from shared.api.meta import Struct


class LabelSelectorRequirement(Struct, frozen=True, kw_only=True):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class LabelSelector(Struct, frozen=True, kw_only=True):
    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class ResourceSelector(Struct, frozen=True, kw_only=True):
    """Objects by kind, then by name or by labels; an empty name and no selector is all of the kind.

    `kind` "*" with `apiVersion` "*" is every kind (never Hanse's own).
    """

    api_version: str
    kind: str
    namespace: str = ""
    name: str = ""
    label_selector: LabelSelector | None = None


class FieldRequirement(Struct, frozen=True, kw_only=True):
    key: Literal["provider", "region", "zone"]
    operator: Literal["In", "NotIn"]
    values: tuple[str, ...] = ()


class FieldSelector(Struct, frozen=True, kw_only=True):
    match_expressions: tuple[FieldRequirement, ...] = ()


class ClusterAffinity(Struct, frozen=True, kw_only=True):
    """Clusters that meet every part given; none given is every cluster. `exclude` wins."""

    label_selector: LabelSelector | None = None
    field_selector: FieldSelector | None = None
    cluster_names: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
