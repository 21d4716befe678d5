"""The rules of a placement: which clusters, over how many places, and how replicas are divided.

The vocabulary is Karmada's `Placement`, as a superset. Added are `clusterGroups`, `celSelector`,
`preferredClusterAffinities`, spread by zone, provider and label, `maxSkew`, `replicaLimits`,
`scores`, `plugins`, and division by price and latency.
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.meta import Struct
from shared.api.scoring import MeasuredFrom, Plugin, Score
from shared.api.selection import GroupAffinity


class Toleration(Struct, frozen=True, kw_only=True):
    """As `corev1.Toleration`; an empty key with Exists tolerates everything."""

    key: str = ""
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    toleration_seconds: int | None = None


class CelSelector(Struct, frozen=True, kw_only=True):
    """Expressions over the Cluster, as the variable `cluster`, that must all be true.

    They see its metadata (name, labels, annotations), its spec, and of its status id,
    kubernetesVersion and conditions (type, status).
    """

    cel_expressions: tuple[str, ...] = ()


class PlacementAffinity(GroupAffinity, frozen=True, kw_only=True):
    """Clusters that meet every part given; none given is every cluster. `exclude` wins."""

    cel_selector: CelSelector | None = None


class OverflowAffinity(PlacementAffinity, frozen=True, kw_only=True):
    """Clusters that take what those before them have no room for."""

    affinity_name: str


class ClusterAffinityTerm(PlacementAffinity, frozen=True, kw_only=True):
    """One of several groups of clusters, tried in order until one has room for everything.

    Replicas that its own clusters have no room for go to `overflowAffinities`, in order; they are
    taken away in reverse.
    """

    affinity_name: str
    overflow_affinities: tuple[OverflowAffinity, ...] = ()


class PreferredAffinity(Struct, frozen=True, kw_only=True):
    """Clusters that are liked better, by so much. It orders clusters and rules none out."""

    weight: int
    preference: PlacementAffinity


class SpreadConstraint(Struct, frozen=True, kw_only=True):
    """Over how many groups of clusters: by a field, or by the value of a label.

    Clusters that name no group take no part. `maxSkew`: by how many replicas (of what is not
    divided: clusters) any two of the groups chosen may differ.
    """

    spread_by_field: Literal["", "cluster", "region", "zone", "provider"] = ""
    spread_by_label: str = ""
    min_groups: Annotated[
        int, Meta(description="As far as there are replicas for so many groups.")
    ] = 0
    max_groups: Annotated[int, Meta(description="0: any number.")] = 0
    max_skew: Annotated[int, Meta(description="0: any.")] = 0


class StaticWeight(Struct, frozen=True, kw_only=True):
    target_cluster: PlacementAffinity
    weight: int


class WeightPreference(MeasuredFrom, frozen=True, kw_only=True):
    """Static weights, or `dynamicWeight`, which takes precedence.

    AvailableReplicas: in proportion to the room there is. Price, Latency: the less a replica costs
    there, or the sooner the cluster answers, the more of them, in inverse proportion, as far as
    there is room. What runs stays where it is whatever becomes of these.
    """

    static_weight_list: tuple[StaticWeight, ...] = ()
    dynamic_weight: Literal["", "AvailableReplicas", "Price", "Latency"] = ""


class ReplicaLimit(Struct, frozen=True, kw_only=True):
    """Bounds for each cluster the affinity covers; a cluster takes the first entry that covers it.

    A cluster gets `minReplicas` before others get more than theirs, as far as replicas reach, and
    never more than `maxReplicas`. Clusters of a lower `priority` get more than their least only
    once those of a higher one are full.
    """

    target_cluster: PlacementAffinity
    min_replicas: int = 0
    max_replicas: int | None = None
    priority: int = 0


class ReplicaScheduling(Struct, frozen=True, kw_only=True):
    """Duplicated: each cluster runs all replicas. Divided: each a share of them.

    Aggregated: into the fewest clusters that have room. Weighted: by static weights, or by room.
    """

    replica_scheduling_type: Literal["Duplicated", "Divided"] = "Divided"
    replica_division_preference: Literal["Aggregated", "Weighted"] = "Weighted"
    weight_preference: WeightPreference | None = None
    replica_limits: tuple[ReplicaLimit, ...] = ()


class WorkloadGroup(Struct, frozen=True, kw_only=True):
    """Workloads of one namespace whose label `groupByLabelKey` has the same value."""

    group_by_label_key: str


class WorkloadAffinity(Struct, frozen=True, kw_only=True):
    """Which other workloads to be with (`affinity`), and which to keep away from."""

    affinity: WorkloadGroup | None = None
    anti_affinity: WorkloadGroup | None = None


class Optimise(Struct, frozen=True, kw_only=True):
    """Have workloads that come, or are placed anew, at once placed together: by a solver.

    Cost: at least cost in an hour. Packing: into the fewest clusters. Never worse than one by one.
    """

    objective: Literal["Cost", "Packing"] = "Cost"
    time_limit_seconds: Annotated[
        int, Meta(description="How long the solver may take, between 1 and 60.")
    ] = 5
    gather_seconds: Annotated[
        int,
        Meta(
            description="How long the first of several that come waits for others; at most 60. 0:"
            " each is placed by itself when it comes."
        ),
    ] = 1


class Placement(Struct, frozen=True, kw_only=True):
    """The rules. Without `replicaScheduling` replicas are Duplicated."""

    cluster_affinity: PlacementAffinity | None = None
    cluster_affinities: tuple[ClusterAffinityTerm, ...] = ()
    preferred_cluster_affinities: tuple[PreferredAffinity, ...] = ()
    scores: tuple[Score, ...] = ()
    plugins: tuple[Plugin, ...] = ()
    cluster_tolerations: tuple[Toleration, ...] = ()
    spread_constraints: tuple[SpreadConstraint, ...] = ()
    workload_affinity: WorkloadAffinity | None = None
    replica_scheduling: ReplicaScheduling | None = None
    optimise: Optimise | None = None

    @property
    def is_divided(self) -> bool:
        """Whether of what has replicas each cluster gets a share; else each gets the whole."""
        rules = self.replica_scheduling
        return rules is not None and rules.replica_scheduling_type == "Divided"

    @property
    def affinities(self) -> tuple[PlacementAffinity, ...]:
        """Every affinity that decides who may take part; none is every cluster."""
        if not self.cluster_affinities:
            return (self.cluster_affinity,) if self.cluster_affinity is not None else ()
        return tuple(
            affinity
            for one in self.cluster_affinities
            for affinity in (one, *one.overflow_affinities)
        )
