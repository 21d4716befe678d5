"""`ResourceBinding` and `ClusterResourceBinding`: a template, its placement and the decision.

The scheduler alone writes `spec` and the conditions Scheduled and ReferencesFound, dispatch alone
`status.overrideFailures`; health alone writes the rest of `status`. A binding lives in its
template's namespace under `binding_name`.
"""

import hashlib
import re
from typing import Any, Literal, NamedTuple

from shared.api.ceilings import Ceiling
from shared.api.drift import DriftReport
from shared.api.failover import Failover
from shared.api.meta import GROUP, Condition, Kind, Struct
from shared.api.ownership import AdoptedDeletion, DriftPolicy, OwnershipTerms, ReplicaOwnership
from shared.api.placement import Placement
from shared.api.policy import ConflictResolution
from shared.api.priority import BindingPriority
from shared.api.rescheduling import AutoMigration
from shared.api.staging import RolloutStrategy
from shared.api.suspension import ActivationPreference, Suspension
from shared.apimachinery.manifest import ObjectKey

SCHEDULED = "Scheduled"
REFERENCES_FOUND = "ReferencesFound"
"""Written by the scheduler, once something that the template refers to is not at the hub."""
FULLY_APPLIED = "FullyApplied"
HEALTHY = "Healthy"
AGGREGATED = "Aggregated"
"""There while the statuses of the members cannot be added up, and False then."""
WORKS_FINALIZER = "hanse.dev/works"
"""Holds a binding until dispatch knows that nothing of it is left in any member."""
REMOVING = "Removing"
"""There while finalizers in a member hold what is to be removed, and False afterwards."""
DRIFTED = "Drifted"
"""Present once there was drift that stands: reason Reported, Contested or Settled."""

Health = Literal["Healthy", "Progressing", "Degraded", "Unknown"]


class ObjectReference(Struct, frozen=True, kw_only=True):
    """The template; `generation` is the one the decision was made for."""

    api_version: str
    kind: str
    resource: str
    namespace: str = ""
    name: str
    uid: str = ""
    generation: int = 0

    @property
    def key(self) -> ObjectKey:
        group, _, _ = self.api_version.rpartition("/")
        return ObjectKey(group, self.resource, self.namespace, self.name)


class PolicyReference(Struct, frozen=True, kw_only=True):
    """Empty where no policy selects the object, and it follows others that need it."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    generation: int = 0


class Share(NamedTuple):
    """What one cluster runs of an object; None: as the template has it."""

    replicas: int | None = None
    completions: int | None = None
    ordinals_start: int | None = None
    preserved: tuple[tuple[str, str], ...] = ()
    """Labels that say what state it had where it was before."""


class TargetCluster(Struct, frozen=True, kw_only=True):
    """`replicas` is None for kinds without replicas and for Duplicated placement.

    `completions` is the share of a Job's completions, `ordinalsStart` the first number of a
    StatefulSet's pods there; None where the object is as its template has it.
    `since`, while something moves: when this share last grew. An older report says nothing of it.
    `required`: it is there for the sake of those in `requiredBy` alone. `preserved` are labels
    with the state that it had in the cluster it came from.
    `fence`, where fencing is required: the term of the member's lease under which it runs, 0 where
    the member holds none.
    """

    name: str
    replicas: int | None = None
    completions: int | None = None
    ordinals_start: int | None = None
    since: str = ""
    required: bool = False
    preserved: dict[str, str] = {}
    fence: int = 0

    @property
    def share(self) -> Share:
        preserved = tuple(sorted(self.preserved.items()))
        return Share(self.replicas, self.completions, self.ordinals_start, preserved)


class Eviction(Struct, frozen=True, kw_only=True):
    """A share that is leaving *cluster*: it stays there until its substitute is healthy.

    `preserved` is what its substitute is told of its state.
    Where fencing is required it stays at rest, without a replica; `fence` is that of the target
    that it was.
    """

    cluster: str
    replicas: int | None = None
    completions: int | None = None
    ordinals_start: int | None = None
    reason: str
    message: str = ""
    since: str
    preserved: dict[str, str] = {}
    fence: int = 0

    @property
    def share(self) -> Share:
        return Share(self.replicas, self.completions, self.ordinals_start)


class ApplicationFailure(Struct, frozen=True, kw_only=True):
    """A cluster that the object left because it was not healthy there, `times` so far.

    It may come back after `until`; times are RFC 3339.
    """

    cluster: str
    since: str
    until: str
    times: int = 1


class Preempting(Struct, frozen=True, kw_only=True):
    """So many replicas of another object, of a lower `priority`, are to give way in *cluster*.

    It stands until that one's binding says that they do; `since` is RFC 3339.
    """

    resource: ObjectReference
    cluster: str
    replicas: int
    priority: int = 0
    since: str


class BindingSnapshot(Struct, frozen=True, kw_only=True):
    """Another binding whose object needs this one, and where that was placed."""

    namespace: str = ""
    name: str
    clusters: tuple[str, ...] = ()


class BindingSpec(Struct, frozen=True, kw_only=True):
    """`requiredBy` are the users of the object; each cluster of theirs is among `clusters`.

    `propagateDeps` is what the policy says of what the object itself needs. `rescheduleTriggeredAt`
    is the WorkloadRebalancer's that it was last placed anew for, `rebalancing` where that leads to
    while it is not there yet. `ceilings` keep replicas out of clusters for a while. `preempting` is
    what gives way to it. `formerTemplate` is what becomes of what members hold of a deleted
    template of the same name, where it cannot be made what this one says.
    """

    resource: ObjectReference
    policy: PolicyReference = PolicyReference()
    placement: Placement = Placement()
    failover: Failover = Failover()
    conflict_resolution: ConflictResolution = "Abort"
    preserve_resources_on_deletion: bool = False
    replica_ownership: ReplicaOwnership = ReplicaOwnership()
    drift: DriftPolicy = DriftPolicy()
    adopted_resources_on_deletion: AdoptedDeletion = "GiveBack"
    replicas: int | None = None
    affinity_name: str = ""
    """Which of the placement's `clusterAffinities` was chosen."""
    clusters: tuple[TargetCluster, ...] = ()
    evictions: tuple[Eviction, ...] = ()
    application_failures: tuple[ApplicationFailure, ...] = ()
    rollout: RolloutStrategy | None = None
    suspension: Suspension = Suspension()
    activation_preference: ActivationPreference = ""
    propagate_deps: bool | None = None
    required_by: tuple[BindingSnapshot, ...] = ()
    auto_migration: AutoMigration | None = None
    ceilings: tuple[Ceiling, ...] = ()
    rebalancing: dict[str, int] = {}
    reschedule_triggered_at: str = ""
    schedule_priority: BindingPriority | None = None
    preempting: tuple[Preempting, ...] = ()
    former_template: Literal["", "Delete", "Keep"] = ""

    @property
    def priority(self) -> int:
        return self.schedule_priority.priority if self.schedule_priority is not None else 0

    @property
    def terms(self) -> OwnershipTerms:
        return OwnershipTerms(
            replica_ownership=self.replica_ownership,
            drift=self.drift,
            adopted_resources_on_deletion=self.adopted_resources_on_deletion,
        )


class ClusterReport(Struct, frozen=True, kw_only=True):
    """What one member holds of it, and as of when.

    `replicasOwner` is Member where somebody there decides how many run.
    `generation` is that of the order it speaks of: its sequence in WORK; `since` that of the
    eviction, where it is known to have stopped for that. `unhealthySince` is kept where the policy
    has application failover, and where it has auto migration how many pods have found no node, and
    since when the last of them.
    """

    cluster: str
    applied: bool = False
    message: str = ""
    health: Health = "Unknown"
    unhealthy_since: str = ""
    generation: int = 0
    template_generation: int = 0
    observed_time: str = ""
    replicas_owner: Literal["Hanse", "Member"] = "Hanse"
    drift: DriftReport | None = None
    since: str = ""
    unschedulable: int = 0
    unschedulable_since: str = ""
    status: dict[str, Any] = {}


class FailedOverride(Struct, frozen=True, kw_only=True):
    """Why `cluster` keeps what it has: a rule of the override policy `policy` does not fit."""

    cluster: str
    policy: PolicyReference = PolicyReference()
    message: str = ""


class BindingStatus(Struct, frozen=True, kw_only=True):
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()
    aggregated_status: tuple[ClusterReport, ...] = ()
    override_failures: tuple[FailedOverride, ...] = ()


class ResourceBinding(Kind, frozen=True, kw_only=True):
    kind: str = "ResourceBinding"
    spec: BindingSpec
    status: BindingStatus = BindingStatus()


def is_built_in(group: str) -> bool:
    """Whether Kubernetes itself brings the group: no dot in it, or of `k8s.io`."""
    return "." not in group or group.endswith(".k8s.io")


_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def binding_name(key: ObjectKey, kind: str, *, built_in: bool) -> str:
    """`web-deployment`; other groups, and names that are no subdomain, end in a digest.

    One-to-one: a kind holds no dash, so the last dash ends the name, and the digest tells
    apart what the plain form cannot.
    """
    plain = f"{key.name}-{kind.lower()}"
    if built_in and len(plain) <= 253 and _SUBDOMAIN.fullmatch(plain):
        return plain
    digest = hashlib.sha256(f"{key.group}/{key.resource}/{key.name}".encode()).hexdigest()[:10]
    slug = re.sub(r"[^-a-z0-9]+", "-", key.name.lower()).strip("-")[:180] or "x"
    return f"{slug}-{kind.lower()[:60]}-{digest}"


def binding_key(key: ObjectKey, kind: str, *, built_in: bool) -> ObjectKey:
    """Where the binding of the template at *key* is stored."""
    resource = "resourcebindings" if key.namespace else "clusterresourcebindings"
    return ObjectKey(GROUP, resource, key.namespace, binding_name(key, kind, built_in=built_in))
