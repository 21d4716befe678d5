"""`ClusterGroup`: a named set of clusters, the namespaces that see no others, and its quota."""

from typing import Annotated

from msgspec import Meta

from shared.api.meta import Kind, Struct
from shared.api.quota import GroupQuota, GroupQuotaStatus
from shared.api.selection import ClusterAffinity


class ClusterGroupSpec(ClusterAffinity, frozen=True, kw_only=True):
    """Clusters that meet every part given; none given is every cluster. `exclude` wins.

    What lives in one of `namespaces` is placed on clusters of the groups that name it alone. A
    namespace that no group names sees every cluster.
    """

    namespaces: Annotated[
        tuple[str, ...], Meta(description="Namespaces bound to the group, by name.")
    ] = ()
    quota: Annotated[
        GroupQuota | None,
        Meta(
            description="What its namespaces, or all if it has none, may have in its clusters"
            " together."
        ),
    ] = None


class ClusterGroupStatus(Struct, frozen=True, kw_only=True):
    quota: GroupQuotaStatus | None = None


class ClusterGroup(Kind, frozen=True, kw_only=True):
    kind: str = "ClusterGroup"
    spec: ClusterGroupSpec = ClusterGroupSpec()
    status: ClusterGroupStatus = ClusterGroupStatus()
