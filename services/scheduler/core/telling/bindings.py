"""The binding that says a decision: its spec, its condition, and the fact for others."""

from collections.abc import Sequence

import msgspec

from services.scheduler.core.circumstances import (
    COMMON,
    Precedence,
    Together,
    circumstances_of,
)
from services.scheduler.core.decision import (
    Decision,
    Scheduled,
    Unschedulable,
    explain,
)
from services.scheduler.core.dependencies.dependents import (
    Use,
    most_careful,
    snapshots,
    with_required,
)
from services.scheduler.core.opinions import NOBODY_ASKED, Opinions
from services.scheduler.core.policies import reference_to
from services.scheduler.core.quota.allowed import Allowance
from services.scheduler.core.signals.values import NO_SIGNALS, Signals
from services.scheduler.core.telling.reasons import REJECTED_MAX, Basis, rejected_groups
from services.scheduler.core.workload import NOBODY, Company, Grace, Workload, default_tolerations
from shared.api.binding import (
    SCHEDULED,
    BindingSpec,
    ObjectReference,
    ResourceBinding,
    TargetCluster,
)
from shared.api.meta import Condition, OwnerReference
from shared.api.placement import Placement
from shared.api.policy import PropagationPolicy
from shared.api.priority import BindingPriority
from shared.api.staging import NEVER_STAGED
from shared.api.suspension import Suspension
from shared.api.template_words import own_conflict_resolution
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    ObjectKey,
    generation_of,
    uid_of,
)
from shared.events.placement import ClusterRejected, PlacedShare, PlacementDecided
from shared.interpreter.replicas import ReplicaDemand

DECIDED_AT = "hanse.dev/decided-at"
"""Annotation: when the spec was last decided, RFC 3339."""


def is_built_in(group: str) -> bool:
    """Whether Kubernetes itself brings the group: no dot in it, or of `k8s.io`."""
    return "." not in group or group.endswith(".k8s.io")


KEPT_FOR = "hanse.dev/kept-for"
"""Annotation of a binding: whose object, left in the members as their own, may need this one."""


def is_kept(binding: ResourceBinding) -> bool:
    """Whether what runs of it in the members is to stay there, whoever asks for it last."""
    return KEPT_FOR in binding.metadata.annotations


def is_dismantled(template: Manifest) -> bool:
    """Whether a template only waits for what depends on it to go (a foreground deletion)."""
    metadata = template.get("metadata") or {}
    finalizers = metadata.get("finalizers") or ()
    return bool(metadata.get("deletionTimestamp")) and "foregroundDeletion" in finalizers


def is_orphaning(template: Manifest) -> bool:
    """Whether a template is about to go without what depends on it (`--cascade=orphan`)."""
    metadata = template.get("metadata") or {}
    return bool(metadata.get("deletionTimestamp")) and "orphan" in (
        metadata.get("finalizers") or ()
    )


def is_orphan(binding: ResourceBinding) -> bool:
    """Whether the template was taken from its owners: then what runs in the members stays."""
    uid = binding.spec.resource.uid
    return all(owner.uid != uid for owner in binding.metadata.owner_references)


def farewell_to(binding: ResourceBinding, *, preserve: bool) -> BindingSpec:
    """The spec of a binding that asks for nothing any more."""
    return msgspec.structs.replace(
        binding.spec,
        clusters=(),
        evictions=(),
        preempting=(),
        preserve_resources_on_deletion=preserve or binding.spec.preserve_resources_on_deletion,
    )


def workload_of(
    key: ObjectKey,
    template: Manifest,
    demand: ReplicaDemand | None,
    policy: PropagationPolicy,
    binding: ResourceBinding | None,
    *,
    grace: Grace,
    company: Company = NOBODY,
    signals: Signals = NO_SIGNALS,
    opinions: Opinions = NOBODY_ASKED,
    asked_at: str = "",
    allowances: tuple[Allowance, ...] = (),
    precedence: Precedence = COMMON,
    together: Together | None = None,
) -> Workload:
    """Put together what a decision needs; *grace* is Hanse's own toleration of its taints.

    *asked_at*: when somebody asked to have it placed anew, where that is still to be done.
    *allowances*: what quotas leave to it. *precedence*: where it stands among others.
    *together*: where to, with others.
    """
    placement = policy.spec.placement
    return Workload(
        key=key,
        gvk=GroupVersionKind.of(template),
        demand=demand,
        placement=placement,
        tolerations=default_tolerations(placement, grace),
        failover=policy.spec.failover,
        current=tuple(one for one in binding.spec.clusters if not one.required) if binding else (),
        evictions=binding.spec.evictions if binding else (),
        failures=binding.spec.application_failures if binding else (),
        reports=binding.status.aggregated_status if binding else (),
        previous_replicas=binding.spec.replicas if binding else None,
        affinity_name=_affinity_name(binding, placement),
        company=company,
        signals=signals,
        opinions=opinions,
        suspended=policy.spec.suspension.scheduling,
        circumstances=circumstances_of(
            policy,
            binding,
            template,
            asked_at=asked_at,
            allowances=allowances,
            precedence=precedence,
            together=together,
        ),
    )


def _affinity_name(binding: ResourceBinding | None, placement: Placement) -> str:
    """Name the group of clusters it keeps to; a change of the groups has it begin anew."""
    if binding is None:
        return ""
    before = binding.spec.placement.cluster_affinities
    return binding.spec.affinity_name if before == placement.cluster_affinities else ""


def spec_of(
    workload: Workload,
    template: Manifest,
    policy: PropagationPolicy,
    decision: Decision,
    uses: Sequence[Use] = (),
) -> BindingSpec:
    """*uses*: those others that need the object beside them, and have a say."""
    rules, required_by = policy.spec, snapshots(uses)
    about = workload.circumstances
    return BindingSpec(
        resource=_resource(workload.key, template),
        policy=reference_to(policy),
        placement=rules.placement,
        failover=rules.failover,
        conflict_resolution=own_conflict_resolution(template) or rules.conflict_resolution,
        preserve_resources_on_deletion=rules.preserve_resources_on_deletion,
        replica_ownership=rules.replica_ownership,
        drift=rules.drift,
        adopted_resources_on_deletion=rules.adopted_resources_on_deletion,
        replicas=workload.demand.count if workload.demand else None,
        affinity_name=decision.affinity_name,
        clusters=with_required(decision.clusters, required_by),
        evictions=decision.evictions,
        application_failures=decision.failures,
        suspension=rules.suspension,
        activation_preference=rules.activation_preference,
        rollout=rules.rollout if _is_staged(workload.key) else None,
        propagate_deps=rules.propagate_deps,
        required_by=required_by,
        auto_migration=rules.auto_migration,
        ceilings=decision.ceilings,
        rebalancing=dict(decision.goal),
        schedule_priority=(
            BindingPriority(priority=about.priority) if about and about.priority else None
        ),
        preempting=decision.preempting,
        reschedule_triggered_at=about.triggered_at if about is not None else "",
    )


def _is_staged(key: ObjectKey) -> bool:
    return (key.group, key.resource) not in NEVER_STAGED


def following_spec(
    key: ObjectKey,
    template: Manifest,
    uses: Sequence[Use],
    staying: Sequence[TargetCluster] = (),
    *,
    kept: bool = False,
) -> BindingSpec:
    """Place what no policy selects where *uses* need it, as careful as the most careful of them.

    *staying*: where it remains though nobody needs it there. *kept*: see `is_kept`.
    """
    required_by = snapshots(uses)
    return BindingSpec(
        resource=_resource(key, template),
        conflict_resolution=own_conflict_resolution(template) or most_careful(uses),
        preserve_resources_on_deletion=kept or any(use.preserves for use in uses),
        adopted_resources_on_deletion=(
            "Delete" if uses and all(use.deletes_adopted for use in uses) else "GiveBack"
        ),
        clusters=with_required((), required_by, staying),
        required_by=required_by,
    )


def _resource(key: ObjectKey, template: Manifest) -> ObjectReference:
    gvk = GroupVersionKind.of(template)
    return ObjectReference(
        api_version=gvk.api_version,
        kind=gvk.kind,
        resource=key.resource,
        namespace=key.namespace,
        name=key.name,
        uid=uid_of(template),
        generation=generation_of(template),
    )


def owner_of(spec: BindingSpec) -> OwnerReference:
    """The template owns its binding."""
    resource = spec.resource
    return OwnerReference(
        api_version=resource.api_version,
        kind=resource.kind,
        name=resource.name,
        uid=resource.uid,
        controller=True,
        block_owner_deletion=True,
    )


def _held_back(suspension: Suspension) -> str:
    names = suspension.dispatching_on_clusters.cluster_names
    if suspension.dispatching:
        return "; nothing is sent to any cluster: its policy suspends dispatching"
    return f"; nothing is sent to {', '.join(names)}: its policy suspends it" if names else ""


_NOTHING = Suspension()


def condition_of(
    decision: Decision, generation: int, suspension: Suspension = _NOTHING
) -> Condition:
    """Condition Scheduled; *generation* is that of the binding which carries it."""
    done = isinstance(decision, Scheduled)
    return Condition(
        type=SCHEDULED,
        status="True" if done else "False",
        reason="Success" if isinstance(decision, Scheduled) else decision.reason,
        message=explain(decision) + _held_back(suspension),
        observed_generation=generation,
    )


def refusal(workload: Workload, message: str) -> Unschedulable:
    """Answer a template that cannot be read; what runs of it stays."""
    return Unschedulable(
        reason="InvalidTemplate",
        message=message,
        affinity_name=workload.affinity_name,
        clusters=workload.current,
        evictions=workload.evictions,
    )


def fact_of(
    binding: ResourceBinding, decision: Decision, condition: Condition, basis: Basis, at: str
) -> PlacementDecided:
    """Tell others of the decision that *binding* carries since *at* (RFC 3339)."""
    spec, resource = binding.spec, binding.spec.resource
    policy = spec.policy
    return PlacementDecided(
        api_version=resource.api_version,
        kind=resource.kind,
        namespace=resource.namespace,
        name=resource.name,
        uid=resource.uid,
        template_generation=resource.generation,
        binding_uid=binding.metadata.uid,
        binding_generation=binding.metadata.generation,
        binding=binding.metadata.name,
        policy=f"{policy.namespace}/{policy.name}" if policy.namespace else policy.name,
        scheduled=condition.status == "True",
        reason=condition.reason,
        message=condition.message,
        replicas=spec.replicas,
        clusters=_shares(spec.clusters),
        leaving=tuple(PlacedShare(cluster=e.cluster, replicas=e.replicas) for e in spec.evictions),
        rejected=tuple(
            ClusterRejected(cluster=name, code=why.code, message=why.message)
            for name, why in sorted(decision.rejections.items())[:REJECTED_MAX]
        ),
        occurred_at=at,
        policy_generation=policy.generation,
        trigger=basis.trigger.code,
        trigger_message=basis.trigger.message,
        affinity=decision.affinity_name,
        passed_over=dict(decision.passed_over) if isinstance(decision, Scheduled) else {},
        reasons=tuple(rejected_groups(decision)),
        scores=dict(basis.scores),
        score_parts=dict(basis.parts),
        unheard=dict(basis.unheard),
        notes=decision.notes,
        revision=basis.revision,
    )


def _shares(clusters: tuple[TargetCluster, ...]) -> tuple[PlacedShare, ...]:
    return tuple(PlacedShare(cluster=one.name, replicas=one.replicas) for one in clusters)
