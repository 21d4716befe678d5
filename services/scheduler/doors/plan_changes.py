"""What a plan says of one template, and of all."""

from collections.abc import Iterable

from services.scheduler.cache.reading import Bound
from services.scheduler.core.decision import Decision, Scheduled
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.planning import Rehearsal, counted, interrupted, moved, placed
from services.scheduler.core.telling.bindings import condition_of
from services.scheduler.core.workload import Workload
from shared.api.binding import SCHEDULED, PolicyReference
from shared.api.conditions import find_condition
from shared.apimachinery.manifest import Manifest
from shared.events.planning import Plan, PlannedChange

_NOT_SELECTED = "NotSelected"
_CHANGES_MAX = 5_000


def change_of(
    template: Manifest, workload: Workload, bound: Bound | None, found: Rehearsal, fleet: Fleet
) -> PlannedChange:
    """Say where a template goes that has been decided."""
    demand = workload.demand.count if workload.demand is not None else None
    before = counted(workload.current, workload.previous_replicas)
    after = counted(found.last.clusters, demand)
    condition = condition_of(found.last, 0)
    return PlannedChange(
        kind=str(template.get("kind", "")),
        namespace=workload.key.namespace,
        name=workload.key.name,
        replicas=demand,
        before=placed(workload.current),
        after=placed([one for one in found.last.clusters if fleet.holds(one.name)]),
        fits=isinstance(found.last, Scheduled),
        fitted=bound is None or _is_scheduled(bound),
        reason=condition.reason,
        message=condition.message,
        moved=moved(before, after),
        interrupted=interrupted(workload, before, found.first, fleet),
        notes=_news(found.last, bound),
    )


def _is_scheduled(bound: Bound) -> bool:
    found = find_condition(bound.binding.status.conditions, SCHEDULED)
    return found is not None and found.status == "True"


def _news(decision: Decision, bound: Bound | None) -> tuple[str, ...]:
    """Return what is to be said of it that its condition does not say today."""
    conditions = bound.binding.status.conditions if bound is not None else ()
    found = find_condition(conditions, SCHEDULED)
    return tuple(one for one in decision.notes if found is None or one not in found.message)


def removal_of(kind: str, bound: Bound, *, deleted: bool) -> PlannedChange:
    """Say that it goes from the members: its template is *deleted*, or no policy selects it."""
    spec = bound.binding.spec
    targets = [one for one in spec.clusters if not one.required]
    why = "it is deleted" if deleted else "no policy selects it any more"
    return PlannedChange(
        kind=kind,
        namespace=spec.resource.namespace,
        name=spec.resource.name,
        replicas=spec.replicas,
        before=placed(targets),
        fitted=_is_scheduled(bound),
        reason="Deleted" if deleted else _NOT_SELECTED,
        message=f"{why}: it is removed, unless something needs it",
        interrupted=sum(counted(targets, spec.replicas).values()),
    )


def named(policy: PolicyReference) -> str:
    return f"{policy.namespace}/{policy.name}" if policy.namespace else policy.name


def summed(changes: Iterable[PlannedChange], templates: int, examined: int, revision: int) -> Plan:
    """Put a plan together of the changes that *examined* of so many *templates* gave."""
    every = tuple(changes)
    parts = []
    if examined < templates:
        parts.append(f"time ran out after {examined} of {templates} templates")
    if len(every) > _CHANGES_MAX:
        parts.append(f"of {len(every)} changes the first {_CHANGES_MAX} are listed")
    return Plan(
        templates=templates,
        examined=examined,
        changes=every[:_CHANGES_MAX],
        moved=sum(one.moved for one in every),
        interrupted=sum(one.interrupted for one in every),
        unplaced=sum(one.fitted and (not one.fits or one.reason == _NOT_SELECTED) for one in every),
        revision=revision,
        message="; ".join(parts),
    )
