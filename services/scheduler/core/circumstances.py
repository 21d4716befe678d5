"""What bears on a decision beside policy and fleet, for the few workloads that any of it does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from services.scheduler.core.caps import NO_CAPS, Caps
from services.scheduler.core.quota.allowed import Allowance
from shared.api.binding import (
    SCHEDULED,
    BindingSpec,
    ObjectReference,
    Preempting,
    ResourceBinding,
)
from shared.api.ceilings import Ceiling
from shared.api.conditions import find_condition
from shared.api.policy import PropagationPolicy
from shared.api.rescheduling import AutoMigration, RescheduleWhen
from shared.apimachinery.durations import parse_duration
from shared.apimachinery.manifest import Manifest, generation_of, uid_of
from shared.clock import span_of

_EVERY_CHANGE = RescheduleWhen()

_NEVER_PLACED = BindingSpec(resource=ObjectReference(api_version="", kind="", resource="", name=""))


@dataclass(frozen=True, slots=True)
class Together:
    """Where a workload goes that is placed together with others, and what is to be said of it."""

    goal: Mapping[str, int]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demotion:
    """So many replicas are to give way in a cluster, since *since*, to the binding *preemptor*."""

    cluster: str
    replicas: int
    preemptor: str
    since: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedence:
    """Of a workload among others: its priority, who waits for it, and for whom it waits."""

    priority: int = 0
    demotions: tuple[Demotion, ...] = ()
    preempting: tuple[Preempting, ...] = ()
    note: str = ""


COMMON = Precedence()


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """`ceilings` and `goal` are what the last decision said: see `BindingSpec`.

    Of these follow, while it is decided, `caps`; `own` is what it takes and counts as free.

    `migrate_after`: how long its pods may find no node; None: for ever. `afresh`: it is to be
    placed as if it were new, once, since somebody asked for it at `triggered_at`.
    """

    ceilings: tuple[Ceiling, ...] = ()
    goal: Mapping[str, int] = field(default_factory=dict)
    migrate_after: timedelta | None = None
    afresh: bool = False
    together: Together | None = None
    """Where to, when it is new or placed anew; None: as is found for it alone."""
    triggered_at: str = ""
    moves_when: RescheduleWhen | None = None
    """What may move it; None: anything, as where it, or its policy, has just changed."""
    score_gain: int | None = None
    """By how much it must score more elsewhere to be placed anew; None: it follows no scores."""
    unplaced: bool = False
    """It found no place the last time."""
    allowances: tuple[Allowance, ...] = ()
    priority: int = 0
    demotions: tuple[Demotion, ...] = ()
    """Where it is to give way, as others say: also what it has taken note of."""
    preempting: tuple[Preempting, ...] = ()
    """What is to give way to it and has not taken note of that."""
    notes: tuple[str, ...] = ()
    caps: Caps = field(default_factory=lambda: NO_CAPS)
    own: Mapping[str, int] = field(default_factory=dict)


def circumstances_of(
    policy: PropagationPolicy,
    binding: ResourceBinding | None,
    template: Manifest,
    *,
    asked_at: str = "",
    allowances: tuple[Allowance, ...] = (),
    precedence: Precedence = COMMON,
    together: Together | None = None,
) -> Circumstances | None:
    """Gather what bears on it beside its placement and the fleet; None where nothing does.

    *asked_at*: somebody asks to have it placed anew, who has not been heard yet. *allowances*: what
    quotas leave to it. *precedence*: where it stands among others.
    """
    before = binding.spec if binding is not None else _NEVER_PLACED
    rules = policy.spec
    when = rules.reschedule_policy.reschedule_when
    settled = when != _EVERY_CHANGE and _is_settled(before, policy, template)
    moves_when = when if settled else None
    if not (
        moves_when is not None
        or rules.auto_migration is not None
        or asked_at
        or allowances
        or precedence != COMMON
        or together is not None
        or before.ceilings
        or before.rebalancing
        or before.reschedule_triggered_at
    ):
        return None
    migration = rules.auto_migration
    return Circumstances(
        ceilings=before.ceilings,
        goal=before.rebalancing if before.placement == rules.placement else {},
        migrate_after=threshold_of(migration) if migration is not None else None,
        afresh=bool(asked_at),
        together=together,
        triggered_at=asked_at or before.reschedule_triggered_at,
        moves_when=moves_when if not asked_at else None,
        allowances=allowances,
        score_gain=when.score_gain if settled and not asked_at else None,
        priority=precedence.priority,
        demotions=precedence.demotions,
        preempting=precedence.preempting,
        notes=(precedence.note,) if precedence.note else (),
        unplaced=binding is not None and _is_unplaced(binding),
    )


def _is_settled(before: BindingSpec, policy: PropagationPolicy, template: Manifest) -> bool:
    """Whether neither the object nor its policy have changed since it was placed."""
    resource, reference = before.resource, before.policy
    if (resource.uid, resource.generation) != (uid_of(template), generation_of(template)):
        return False
    metadata = policy.metadata
    if (reference.namespace, reference.name) != (metadata.namespace, metadata.name):
        return False
    follows = policy.spec.reschedule_policy.reschedule_when.policy_content_changed
    return not follows or reference.generation == metadata.generation


def _is_unplaced(binding: ResourceBinding) -> bool:
    found = find_condition(binding.status.conditions, SCHEDULED)
    return found is not None and found.status != "True"


def threshold_of(migration: AutoMigration) -> timedelta:
    """Return how long pods may find no node; what cannot be read is as if it were left out."""
    try:
        return span_of(parse_duration(migration.when.pod_unschedulable_for))
    except (ValueError, OverflowError):
        return threshold_of(AutoMigration())
