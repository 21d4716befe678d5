"""`PropagationPolicy` and `ClusterPropagationPolicy`: which objects go where, one class for both.

The vocabulary is Karmada's `policy.karmada.io/v1alpha1` (PropagationSpec), of which this is the
part that Hanse does; `rollout` is added. Without `rollout` a change goes to every cluster at once.
"""

from typing import Literal

from shared.api.meta import Condition, Kind, Struct
from shared.api.ownership import AdoptedDeletion, DriftPolicy, ReplicaOwnership
from shared.api.placement import Placement
from shared.api.selection import ResourceSelector
from shared.api.staging import RolloutStrategy
from shared.apimachinery.manifest import Manifest, labels_of


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
