"""How policies pick objects and clusters: the selectors shared by placement and overrides."""

from typing import Annotated, Literal

from msgspec import Meta

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

    api_version: Annotated[str, Meta(description="Group and version; the version is not compared.")]
    kind: Annotated[str, Meta(description="The kind, or * for every one.")]
    namespace: Annotated[
        str, Meta(description="Of a cluster-scoped policy: in this namespace only.")
    ] = ""
    name: Annotated[str, Meta(description="One object; the label selector is void then.")] = ""
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
    cluster_names: Annotated[
        tuple[str, ...], Meta(description="Clusters by name; none named is every one.")
    ] = ()
    exclude: Annotated[tuple[str, ...], Meta(description="Clusters by name, never these.")] = ()


class GroupAffinity(ClusterAffinity, frozen=True, kw_only=True):
    """Clusters that meet every part given; none given is every cluster. `exclude` wins."""

    cluster_groups: Annotated[
        tuple[str, ...], Meta(description="Clusters of any of these ClusterGroups.")
    ] = ()
