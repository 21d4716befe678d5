"""The only registry of Hanse's kinds: names, scope, and what `kubectl get` shows of each.

To add a kind: a module with its class beside this one, and an entry in `SCHEME`. Discovery,
OpenAPI, validation and printing follow by themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.api.binding import ResourceBinding
from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.columns import (
    BINDING_COLUMNS,
    CLUSTER_COLUMNS,
    GROUP_COLUMNS,
    INTERPRETER_COLUMNS,
    OVERRIDE_COLUMNS,
    POLICY_COLUMNS,
    WORK_COLUMNS,
    PrinterColumn,
)
from shared.api.global_zone import GLOBAL_ZONES, GlobalZone
from shared.api.interpreter import ResourceInterpreter
from shared.api.meta import GROUP, VERSION, Kind
from shared.api.override import OverridePolicy
from shared.api.policy import PropagationPolicy
from shared.api.quota import FederatedResourceQuota
from shared.api.quota_columns import QUOTA_COLUMNS
from shared.api.rebalancer import WorkloadRebalancer
from shared.api.rebalancer_columns import REBALANCER_COLUMNS
from shared.api.revision import ResourceRevision
from shared.api.rollout import ResourceRollout
from shared.api.rollout_columns import REVISION_COLUMNS, ROLLOUT_COLUMNS
from shared.api.schema import schema_of
from shared.api.traffic_columns import TRAFFIC_COLUMNS, ZONE_COLUMNS
from shared.api.traffic_policy import TRAFFIC_POLICIES, TrafficPolicy
from shared.api.work import Work
from shared.apimachinery.manifest import GroupVersionKind

READ_ONLY = ("get", "list", "watch")
CATEGORY = "hanse"


@dataclass(frozen=True, slots=True, kw_only=True)
class HanseKind:
    """One of Hanse's kinds in one scope; a pair of scopes shares one struct."""

    kind: str
    resource: str
    struct: type[Kind]
    namespaced: bool
    short_names: tuple[str, ...] = ()
    columns: tuple[PrinterColumn, ...] = ()
    selectable_fields: tuple[str, ...] = ()
    read_only: bool = False
    """Made on the fly from other data: it cannot be written or deleted."""

    @property
    def gvk(self) -> GroupVersionKind:
        return GroupVersionKind(GROUP, VERSION, self.kind)

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def schema(self) -> Mapping[str, Any]:
        """OpenAPI v3 of the whole object; shared between callers, so never change it."""
        return schema_of(self.struct)


SCHEME: tuple[HanseKind, ...] = (
    HanseKind(
        kind="Cluster",
        resource="clusters",
        struct=Cluster,
        namespaced=False,
        short_names=("cl",),
        columns=CLUSTER_COLUMNS,
        selectable_fields=("spec.region", "spec.provider", "spec.zone"),
    ),
    HanseKind(
        kind="ClusterGroup",
        resource="clustergroups",
        struct=ClusterGroup,
        namespaced=False,
        short_names=("clg",),
        columns=GROUP_COLUMNS,
    ),
    HanseKind(
        kind="PropagationPolicy",
        resource="propagationpolicies",
        struct=PropagationPolicy,
        namespaced=True,
        short_names=("pp",),
        columns=POLICY_COLUMNS,
    ),
    HanseKind(
        kind="ClusterPropagationPolicy",
        resource="clusterpropagationpolicies",
        struct=PropagationPolicy,
        namespaced=False,
        short_names=("cpp",),
        columns=POLICY_COLUMNS,
    ),
    HanseKind(
        kind="OverridePolicy",
        resource="overridepolicies",
        struct=OverridePolicy,
        namespaced=True,
        short_names=("op",),
        columns=OVERRIDE_COLUMNS,
    ),
    HanseKind(
        kind="ClusterOverridePolicy",
        resource="clusteroverridepolicies",
        struct=OverridePolicy,
        namespaced=False,
        short_names=("cop",),
        columns=OVERRIDE_COLUMNS,
    ),
    HanseKind(
        kind="ResourceBinding",
        resource="resourcebindings",
        struct=ResourceBinding,
        namespaced=True,
        short_names=("rb",),
        columns=BINDING_COLUMNS,
        selectable_fields=("spec.resource.kind", "spec.resource.name"),
    ),
    HanseKind(
        kind="ClusterResourceBinding",
        resource="clusterresourcebindings",
        struct=ResourceBinding,
        namespaced=False,
        short_names=("crb",),
        columns=BINDING_COLUMNS,
        selectable_fields=("spec.resource.kind", "spec.resource.name"),
    ),
    HanseKind(
        kind="ResourceInterpreter",
        resource="resourceinterpreters",
        struct=ResourceInterpreter,
        namespaced=False,
        short_names=("ri",),
        columns=INTERPRETER_COLUMNS,
    ),
    HanseKind(
        kind="FederatedResourceQuota",
        resource="federatedresourcequotas",
        struct=FederatedResourceQuota,
        namespaced=True,
        short_names=("frq",),
        columns=QUOTA_COLUMNS,
    ),
    HanseKind(
        kind="WorkloadRebalancer",
        resource="workloadrebalancers",
        struct=WorkloadRebalancer,
        namespaced=False,
        columns=REBALANCER_COLUMNS,
    ),
    HanseKind(
        kind="ResourceRollout",
        resource="resourcerollouts",
        struct=ResourceRollout,
        namespaced=True,
        short_names=("rollouts", "rollout", "rro"),
        columns=ROLLOUT_COLUMNS,
        selectable_fields=("status.phase",),
    ),
    HanseKind(
        kind="ClusterResourceRollout",
        resource="clusterresourcerollouts",
        struct=ResourceRollout,
        namespaced=False,
        short_names=("clusterrollouts", "clusterrollout", "crro"),
        columns=ROLLOUT_COLUMNS,
        selectable_fields=("status.phase",),
    ),
    HanseKind(
        kind="ResourceRevision",
        resource="resourcerevisions",
        struct=ResourceRevision,
        namespaced=True,
        short_names=("revisions", "revision", "rrev"),
        columns=REVISION_COLUMNS,
        selectable_fields=("spec.resource.kind", "spec.resource.name"),
    ),
    HanseKind(
        kind="ClusterResourceRevision",
        resource="clusterresourcerevisions",
        struct=ResourceRevision,
        namespaced=False,
        short_names=("clusterrevisions", "clusterrevision", "crrev"),
        columns=REVISION_COLUMNS,
        selectable_fields=("spec.resource.kind", "spec.resource.name"),
    ),
    HanseKind(
        kind="TrafficPolicy",
        resource=TRAFFIC_POLICIES,
        struct=TrafficPolicy,
        namespaced=True,
        short_names=("tp",),
        columns=TRAFFIC_COLUMNS,
        selectable_fields=("spec.service",),
    ),
    HanseKind(
        kind="GlobalZone",
        resource=GLOBAL_ZONES,
        struct=GlobalZone,
        namespaced=False,
        short_names=("gz",),
        columns=ZONE_COLUMNS,
        selectable_fields=("spec.domain",),
    ),
    HanseKind(
        kind="Work",
        resource="works",
        struct=Work,
        namespaced=True,
        short_names=("wk",),
        columns=WORK_COLUMNS,
        selectable_fields=("spec.cluster",),
        read_only=True,
    ),
    HanseKind(
        kind="ClusterWork",
        resource="clusterworks",
        struct=Work,
        namespaced=False,
        short_names=("cwk",),
        columns=WORK_COLUMNS,
        selectable_fields=("spec.cluster",),
        read_only=True,
    ),
)


def kind_named(kind: str) -> HanseKind | None:
    """Return the entry of a kind by its name (`ResourceBinding`)."""
    return next((entry for entry in SCHEME if entry.kind == kind), None)


def kind_of_resource(resource: str) -> HanseKind | None:
    """Return the entry of a kind by its plural (`resourcebindings`)."""
    return next((entry for entry in SCHEME if entry.resource == resource), None)
