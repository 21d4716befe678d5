"""The endpoint `plan` of the micro service `hanse`: what would move if, and what would not fit."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from services.scheduler.core.bindings import condition_of, refusal
from services.scheduler.core.costing import NOTHING, cost_of_shares
from services.scheduler.core.decision import Scheduled
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.planning import (
    Rehearsal,
    after_growth,
    counted,
    interrupted,
    moved,
    placed,
)
from services.scheduler.core.policies import is_template, reference_to, select_policy
from services.scheduler.core.signals.values import Signals
from services.scheduler.core.signals.weighing import heeds_signals
from services.scheduler.core.together.choosing import with_goal
from services.scheduler.core.together.problem import Placing
from services.scheduler.core.workload import Workload
from services.scheduler.reconcilers.deciding import Deciding
from services.scheduler.reconcilers.federation import Federation
from services.scheduler.reconcilers.members import CLUSTERS, GROUPS
from services.scheduler.reconcilers.plan_displacing import PlannedDisplacing
from services.scheduler.reconcilers.plan_together import Selected, goals_together
from services.scheduler.reconcilers.reading import Bound, holder_of
from services.scheduler.reconcilers.supposing import (
    Supposition,
    changed_policies,
    read_supposition,
    supposed_fleet,
    supposed_signals,
)
from shared.api.binding import PolicyReference
from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.meta import GROUP, read
from shared.apimachinery.manifest import (
    GroupResource,
    Manifest,
    ObjectKey,
    generation_of,
    namespace_of,
    uid_of,
)
from shared.apiserver.answers.requests import answering, read_request
from shared.apiserver.status_errors import not_found
from shared.bus.port import Bus
from shared.clock import Clock
from shared.errors import InvalidObject
from shared.events.planning import Plan, PlannedChange, PlanRequest
from shared.events.requests import API_PLAN, SERVICE, VERSION
from shared.store.port import Mirror, Scope

_encode = msgspec.json.Encoder().encode
_AT_ONCE = 20
"""Templates that are decided before others have their turn: planning is no reason to be late."""

_CHANGES_MAX = 5_000
_SECONDS_MAX = 10.0

Own = TypeVar("Own", Cluster, ClusterGroup)


class PlanDoor:
    """Decides by what decides, and writes nothing."""

    def __init__(
        self, bus: Bus, mirror: Mirror, federation: Federation, deciding: Deciding, clock: Clock
    ) -> None:
        self._bus = bus
        self._mirror = mirror
        self._federation = federation
        self._deciding = deciding
        self._clock = clock

    async def run(self) -> None:
        """Offer the endpoint until cancelled."""
        async with self._bus.serve(SERVICE, VERSION, {API_PLAN: answering(self._answer)}):
            await asyncio.Event().wait()

    async def _answer(self, body: bytes) -> bytes:
        return _encode(await self.plan(read_request(body, PlanRequest)))

    async def plan(self, asked: PlanRequest) -> Plan:
        """Raise `ApiFault` and `InvalidObject` for a supposition that makes no sense."""
        supposed = read_supposition(asked)
        fleet = self._fleet(supposed)
        costs = self._costs(supposed, fleet)
        templates = self._templates(supposed, asked.namespace)
        now = self._clock.now()
        goals, said = await goals_together(
            (self._choose(*one, supposed) for one in sorted(templates.items())),
            self._deciding,
            fleet,
            costs.supposed,
            now,
            everything=asked.optimise,
        )
        displacing = PlannedDisplacing(self._federation.priorities, now)
        run = _Run(supposed, costs, displacing, goals)
        changes: dict[ObjectKey, PlannedChange] = {}
        revision, began, examined = self._mirror.revision, self._clock.monotonic(), 0
        for key, template in sorted(templates.items()):
            if examined % _AT_ONCE == 0:
                await asyncio.sleep(0)
                if self._clock.monotonic() - began > min(asked.seconds_max, _SECONDS_MAX):
                    break
            examined += 1
            change, fleet = await self._examine(key, template, run, fleet)
            if change is not None:
                changes[key] = change
        for key in displacing.victims():
            # Whoever has to give way is decided again, as it will be.
            again = _Run(supposed, _Costs(costs.today, costs.supposed), displacing, goals)
            if key in templates:
                change, fleet = await self._examine(key, templates[key], again, fleet)
                changes |= {key: change} if change is not None else {}
        ordered = [changes[key] for key in sorted(changes)]
        plan = costs.within(_summed(ordered, len(templates), examined, revision))
        message = "; ".join(filter(None, (*said, plan.message)))
        return msgspec.structs.replace(plan, message=message)

    def _costs(self, supposed: Supposition, fleet: Fleet) -> "_Costs":
        today = self._federation.signals.now
        for name in sorted(supposed.prices.keys() - fleet.members.keys()):
            raise not_found(GroupResource(GROUP, CLUSTERS), name)
        return _Costs(today, supposed_signals(today, self._read(CLUSTERS, Cluster), supposed))

    def _fleet(self, supposed: Supposition) -> Fleet:
        clusters, groups = self._read(CLUSTERS, Cluster), self._read(GROUPS, ClusterGroup)
        today = self._federation.reservations.fleet(self._federation.fleet())
        for name in sorted(supposed.lost - today.members.keys()):
            raise not_found(GroupResource(GROUP, CLUSTERS), name)
        return supposed_fleet(today, clusters, groups, supposed, self._clock.now())

    def _read(self, resource: str, kind: type[Own]) -> Mapping[str, Own]:
        found = {}
        for stored in self._mirror.items(Scope(GROUP, resource)):
            with suppress(InvalidObject):
                found[stored.key.name] = read(stored.manifest, kind)
        return found

    def _templates(self, supposed: Supposition, namespace: str) -> dict[ObjectKey, Manifest]:
        found = {
            stored.key: template
            for stored in self._mirror.items(Scope(namespace=namespace or None))
            if is_template(stored.key, template := stored.glance())
        }
        for key, template in supposed.templates.items():
            known = found.get(key)
            metadata = {
                **template["metadata"],
                "uid": uid_of(known) if known is not None else "",
                "generation": generation_of(known) + 1 if known is not None else 1,
            }
            found[key] = {**template, "metadata": metadata}
        return found

    def _choose(self, key: ObjectKey, template: Manifest, supposed: Supposition) -> Selected:
        namespace = namespace_of(template)
        policies = changed_policies(
            self._federation.policies.within(namespace), supposed, namespace
        )
        bound = self._federation.bound(key)
        policy = select_policy(template, policies, holder_of(bound))
        policy = self._federation.policies.active(policy, bound, template)
        return Selected(key, template, policy, bound)

    async def _examine(
        self, key: ObjectKey, template: Manifest, run: "_Run", fleet: Fleet
    ) -> tuple[PlannedChange | None, Fleet]:
        """Decide one template; returns the fleet as it is left for those that come after it."""
        *_, policy, bound = self._choose(key, template, run.supposed)
        if policy is None:
            # What follows others goes where they go; what nobody selects any more is removed.
            named = bound is not None and bound.binding.spec.policy.name
            return (_removed(template, bound) if bound is not None and named else None), fleet
        opinions = await self._deciding.heard(key, template, policy, bound)
        workload, refused = self._deciding.workload(key, template, policy, bound, opinions)
        if heeds_signals(workload.placement):
            workload = replace(workload, signals=run.costs.supposed)
        if key in run.goals:
            workload = with_goal(workload, run.goals[key])
        rank = self._federation.priorities.rank(template, policy)
        if refused:
            refusing = refusal(workload, refused)
            rehearsal = Rehearsal(refusing, refusing)
        else:
            rehearsal = run.displacing.rehearse(workload, rank, fleet)
        demand = workload.demand.count if workload.demand is not None else None
        before = counted(workload.current, workload.previous_replicas)
        after = counted(rehearsal.last.clusters, demand)
        change = _change(template, workload, bound, rehearsal, fleet)
        held = {name: count for name, count in after.items() if fleet.holds(name)}
        paid, to_pay = run.costs.note(workload, before, held)
        change = msgspec.structs.replace(
            change, policy=_named(reference_to(policy)), cost_before=paid, cost_after=to_pay
        )
        change = run.displacing.told(key, rank, change)
        left = after_growth(fleet, workload, before, after)
        same = change.before == change.after and change.fits == change.fitted
        return (None if same and not change.interrupted else change), left


@dataclass(frozen=True, slots=True)
class _Run:
    """What one plan is made on, and what it keeps account of."""

    supposed: Supposition
    costs: "_Costs"
    displacing: PlannedDisplacing
    goals: Placing


class _Costs:
    """What everything costs, by the prices of *today* and those that are *supposed*."""

    def __init__(self, today: Signals, supposed: Signals) -> None:
        self.today = today
        self.supposed = supposed
        self._before = self._after = NOTHING

    def note(
        self, workload: Workload, before: Mapping[str, int], after: Mapping[str, int]
    ) -> tuple[float, float]:
        """Add the shares of one workload; returns what they cost, before and after."""
        paid = cost_of_shares(workload.demand, before, self.today)
        to_pay = cost_of_shares(workload.demand, after, self.supposed)
        self._before, self._after = self._before.beside(paid), self._after.beside(to_pay)
        return _rounded(paid.per_hour), _rounded(to_pay.per_hour)

    def within(self, plan: Plan) -> Plan:
        return msgspec.structs.replace(
            plan,
            cost_before=_rounded(self._before.per_hour),
            cost_after=_rounded(self._after.per_hour),
            unpriced=self._after.unpriced,
        )


def _rounded(cost: float) -> float:
    return round(cost, 6)


def _change(
    template: Manifest, workload: Workload, bound: Bound | None, found: Rehearsal, fleet: Fleet
) -> PlannedChange:
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
    )


def _is_scheduled(bound: Bound) -> bool:
    return any(
        one.type == "Scheduled" and one.status == "True" for one in bound.binding.status.conditions
    )


def _removed(template: Manifest, bound: Bound) -> PlannedChange:
    spec = bound.binding.spec
    targets = [one for one in spec.clusters if not one.required]
    return PlannedChange(
        kind=str(template.get("kind", "")),
        namespace=spec.resource.namespace,
        name=spec.resource.name,
        replicas=spec.replicas,
        before=placed(targets),
        reason="NotSelected",
        message="no policy selects it any more: it is removed, unless something needs it",
        interrupted=sum(counted(targets, spec.replicas).values()),
    )


def _named(policy: PolicyReference) -> str:
    return f"{policy.namespace}/{policy.name}" if policy.namespace else policy.name


def _summed(changes: Iterable[PlannedChange], templates: int, examined: int, revision: int) -> Plan:
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
        unplaced=sum(one.fitted and not one.fits for one in every),
        revision=revision,
        message="; ".join(parts),
    )
