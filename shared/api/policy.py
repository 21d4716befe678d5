"""`PropagationPolicy` and `ClusterPropagationPolicy`: which objects go where, one class for both.

The vocabulary is Karmada's `policy.karmada.io/v1alpha1` (PropagationSpec), of which this is the
part that Hanse does; `rollout` is added. Without `rollout` a change goes to every cluster at once.
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.failover import Failover
from shared.api.meta import Condition, Kind, Struct
from shared.api.ownership import AdoptedDeletion, DriftPolicy, ReplicaOwnership
from shared.api.placement import Placement
from shared.api.priority import SchedulePriority
from shared.api.rescheduling import AutoMigration, ReschedulePolicy
from shared.api.selection import ResourceSelector
from shared.api.staging import RolloutStrategy
from shared.api.suspension import ActivationPreference, Suspension
from shared.apimachinery.manifest import Manifest, labels_of

ConflictResolution = Literal["Abort", "Overwrite", "IfNoDiff"]
"""What to do with an object of the member's own that bears the name of one to be applied.

Abort: leave it, and say so. Overwrite: take it over. IfNoDiff: take it over where that changes
nothing it has. What is taken over bears a mark of what it was, so that it can be given back.
"""


class PropagationSpec(Struct, frozen=True, kw_only=True):
    """What to propagate, where, and on which terms."""

    resource_selectors: tuple[ResourceSelector, ...]
    placement: Placement = Placement()
    priority: Annotated[
        int, Meta(description="Of several policies for an object the highest counts (default 0).")
    ] = 0
    preemption: Annotated[
        Literal["Always", "Never"],
        Meta(
            description="Whether it takes over objects that another policy has placed, where it"
            " comes before that one. Always (default): it does. Never: they stay with the other for"
            " as long as that selects them."
        ),
    ] = "Always"
    schedule_priority: Annotated[
        SchedulePriority | None,
        Meta(description="Left out, the PriorityClass that the objects' pods name counts."),
    ] = None
    failover: Failover = Failover()
    reschedule_policy: ReschedulePolicy = ReschedulePolicy()
    auto_migration: Annotated[
        AutoMigration | None,
        Meta(description="Left out, replicas wait for a node where they are."),
    ] = None
    propagate_deps: Annotated[
        bool | None,
        Meta(
            description="Whether what the objects need goes where they go. Left out, what no policy"
            " selects by itself follows them; true, what has a policy of its own goes to their"
            " clusters too; false, nothing follows."
        ),
    ] = None
    conflict_resolution: Annotated[
        ConflictResolution,
        Meta(
            description="What happens to an object of the member's own that bears the name of one"
            " to be applied. Abort (default): it is left. Overwrite: it is taken over. IfNoDiff: it"
            " is taken over where that changes nothing it has."
        ),
    ] = "Abort"
    preserve_resources_on_deletion: Annotated[
        bool,
        Meta(
            description="True: what is no longer wanted stays in the members, as their own, however"
            " that came about."
        ),
    ] = False
    replica_ownership: ReplicaOwnership = ReplicaOwnership()
    drift: DriftPolicy = DriftPolicy()
    adopted_resources_on_deletion: Annotated[
        AdoptedDeletion,
        Meta(
            description="What becomes of what was taken over, once it is no longer wanted. GiveBack"
            " (default): it is as it was before. Delete: it is deleted."
        ),
    ] = "GiveBack"
    rollout: RolloutStrategy | None = None
    suspension: Suspension = Suspension()
    activation_preference: Annotated[
        ActivationPreference,
        Meta(
            description="Lazy: this policy, and a change of it, takes effect for each object that"
            " is there already when that object itself is changed next. Left out: at once."
        ),
    ] = ""


SKIP_LABEL = "hanse.dev/skip-auto-propagation"
"""Label of an object that follows nobody: it goes where a policy of its own puts it."""
KARMADAS_SKIP_LABEL = "namespace.karmada.io/skip-auto-propagation"
"""The same, as Karmada writes it on namespaces."""


def stays_away(manifest: Manifest | None) -> bool:
    """Whether the object, as the hub has it, does not follow those that need it."""
    if manifest is None:
        return False
    labels = labels_of(manifest)
    return "true" in (labels.get(SKIP_LABEL), labels.get(KARMADAS_SKIP_LABEL))


class PolicyStatus(Struct, frozen=True, kw_only=True):
    observed_generation: int = 0
    selected: int = 0
    conditions: tuple[Condition, ...] = ()


class PropagationPolicy(Kind, frozen=True, kw_only=True):
    kind: str = "PropagationPolicy"
    spec: PropagationSpec
    status: PolicyStatus = PolicyStatus()
