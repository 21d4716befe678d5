"""`PropagationPolicy` and `ClusterPropagationPolicy`: which objects go where, one class for both.

The vocabulary is Karmada's `policy.karmada.io/v1alpha1` (PropagationSpec, Placement), of which
this is the part that Hanse does; `replicaLimits` and `rollout` are added. Without `rollout` a
change goes to every cluster at once.
"""

from typing import Literal

from shared.api.meta import Condition, Kind, Struct
from shared.api.ownership import AdoptedDeletion, DriftPolicy, ReplicaOwnership
from shared.api.selection import ClusterAffinity, ResourceSelector
from shared.api.staging import RolloutStrategy
from shared.apimachinery.manifest import Manifest, labels_of


class Toleration(Struct, frozen=True, kw_only=True):
    """As `corev1.Toleration`; an empty key with Exists tolerates everything."""

    key: str = ""
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    toleration_seconds: int | None = None


class StaticWeight(Struct, frozen=True, kw_only=True):
    target_cluster: ClusterAffinity
    weight: int


class WeightPreference(Struct, frozen=True, kw_only=True):
    """Static weights, or `dynamicWeight`, which takes precedence."""

    static_weight_list: tuple[StaticWeight, ...] = ()
    dynamic_weight: Literal["", "AvailableReplicas"] = ""


class ReplicaLimit(Struct, frozen=True, kw_only=True):
    """Bounds for each cluster the affinity covers; a cluster takes the first entry that covers it.

    A cluster given any replicas gets at least `minReplicas`, and never more than `maxReplicas`.
    """

    target_cluster: ClusterAffinity
    min_replicas: int = 0
    max_replicas: int | None = None


class ReplicaScheduling(Struct, frozen=True, kw_only=True):
    replica_scheduling_type: Literal["Duplicated", "Divided"] = "Divided"
    replica_division_preference: Literal["Weighted"] = "Weighted"
    weight_preference: WeightPreference | None = None
    replica_limits: tuple[ReplicaLimit, ...] = ()


class Placement(Struct, frozen=True, kw_only=True):
    """The rules. Without `replicaScheduling` replicas are Duplicated."""

    cluster_affinity: ClusterAffinity | None = None
    cluster_tolerations: tuple[Toleration, ...] = ()
    replica_scheduling: ReplicaScheduling | None = None


class ClusterFailover(Struct, frozen=True, kw_only=True):
    """Gracefully: the old share goes once the new one is healthy; Directly: at once; Never."""

    purge_mode: Literal["Directly", "Gracefully", "Never"] = "Gracefully"


class Failover(Struct, frozen=True, kw_only=True):
    cluster: ClusterFailover = ClusterFailover()


ConflictResolution = Literal["Abort", "Overwrite", "IfNoDiff"]
"""What to do with an object of the member's own that bears the name of one to be applied.

Abort: leave it, and say so. Overwrite: take it over. IfNoDiff: take it over where that changes
nothing it has. What is taken over bears a mark of what it was, so that it can be given back.
"""


class PropagationSpec(Struct, frozen=True, kw_only=True):
    """What to propagate, where, and on which terms.

    `preserveResourcesOnDeletion` leaves every object where it is when it is no longer wanted.
    `adoptedResourcesOnDeletion`: what was taken over is given back then, unless it says Delete.

    `propagateDeps`: whether what the objects need goes where they go. Left out, what no policy
    selects by itself follows them; true, what has a policy of its own goes to their clusters too;
    false, nothing follows.
    """

    resource_selectors: tuple[ResourceSelector, ...]
    placement: Placement = Placement()
    priority: int = 0
    failover: Failover = Failover()
    propagate_deps: bool | None = None
    conflict_resolution: ConflictResolution = "Abort"
    preserve_resources_on_deletion: bool = False
    replica_ownership: ReplicaOwnership = ReplicaOwnership()
    drift: DriftPolicy = DriftPolicy()
    adopted_resources_on_deletion: AdoptedDeletion = "GiveBack"
    rollout: RolloutStrategy | None = None


SKIP_LABEL = "hanse.dev/skip-auto-propagation"
"""Label of an object that follows nobody: it goes where a policy of its own puts it."""


def stays_away(manifest: Manifest | None) -> bool:
    """Whether the object, as the hub has it, does not follow those that need it."""
    return manifest is not None and labels_of(manifest).get(SKIP_LABEL) == "true"


class PolicyStatus(Struct, frozen=True, kw_only=True):
    observed_generation: int = 0
    selected: int = 0
    conditions: tuple[Condition, ...] = ()


class PropagationPolicy(Kind, frozen=True, kw_only=True):
    kind: str = "PropagationPolicy"
    spec: PropagationSpec
    status: PolicyStatus = PolicyStatus()
