"""The endpoint `plan` of the micro service `hanse`: what would move if, and what would not fit."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.members import CLUSTERS, GROUPS
from services.scheduler.cache.reading import Bound, holder_of
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.planning import Rehearsal, after_growth, counted
from services.scheduler.core.policies import (
    reference_to,
    select_policy,
)
from services.scheduler.core.signals.weighing import heeds_signals
from services.scheduler.core.telling.bindings import refusal
from services.scheduler.core.together.choosing import with_goal
from services.scheduler.core.together.problem import Placing
from services.scheduler.deciding.deciding import Deciding
from services.scheduler.doors.plan_changes import change_of, named, removal_of, summed
from services.scheduler.doors.plan_costs import Costs, pods_of
from services.scheduler.doors.plan_displacing import PlannedDisplacing
from services.scheduler.doors.plan_quotas import PlannedQuotas
from services.scheduler.doors.plan_templates import LookedAt
from services.scheduler.doors.plan_together import Selected, goals_together
from services.scheduler.doors.supposing import (
    Supposition,
    changed_policies,
    read_supposition,
    supposed_fleet,
    supposed_signals,
)
from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.meta import GROUP, read
from shared.apimachinery.manifest import (
    GroupResource,
    Manifest,
    ObjectKey,
    namespace_of,
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
        looked_at = LookedAt(self._federation, supposed)
        if not asked.only_templates:
            await looked_at.add_stored(self._mirror, asked.namespace)
        now = self._clock.now()
        goals, said = await goals_together(
            self._to_gather(looked_at, supposed, everything=asked.optimise),
            self._deciding,
            fleet,
            costs.supposed,
            now,
            everything=asked.optimise,
        )
        displacing = PlannedDisplacing(self._federation.priorities, now)
        quotas = PlannedQuotas(self._federation.quotas, supposed, fleet)
        run = _Run(supposed, costs, displacing, goals, quotas)
        changes = self._removals(run)
        revision, began, examined = self._mirror.revision, self._clock.monotonic(), 0
        for key in looked_at.keys:
            if examined % _AT_ONCE == 0:
                await asyncio.sleep(0)
                if self._clock.monotonic() - began > min(asked.seconds_max, _SECONDS_MAX):
                    break
            examined += 1
            template = looked_at.template(key)
            if template is None:
                # Deleted since.
                continue
            change, fleet = await self._examine(key, template, run, fleet)
            if change is not None:
                changes[key] = change
        for key in displacing.victims():
            # Whoever has to give way is decided again, as it will be.
            again = replace(run, costs=Costs(costs.today, costs.supposed))
            victim = looked_at.template(key)
            if victim is not None and key not in supposed.absent:
                change, fleet = await self._examine(key, victim, again, fleet)
                changes |= {key: change} if change is not None else {}
        ordered = [changes[key] for key in sorted(changes)]
        plan = costs.within(summed(ordered, len(looked_at.keys), examined, revision))
        message = "; ".join(filter(None, (*said, plan.message)))
        return msgspec.structs.replace(plan, message=message)

    def _costs(self, supposed: Supposition, fleet: Fleet) -> Costs:
        today = self._federation.signals.now
        for name in sorted(supposed.prices.keys() - fleet.members.keys()):
            raise not_found(GroupResource(GROUP, CLUSTERS), name)
        if not (supposed.clusters or supposed.lost or supposed.prices):
            return Costs(today, today)
        return Costs(today, supposed_signals(today, self._read(CLUSTERS, Cluster), supposed))

    def _fleet(self, supposed: Supposition) -> Fleet:
        today = self._federation.reservations.fleet(self._federation.fleet())
        if not supposed.changes_fleet:
            return today
        clusters, groups = self._read(CLUSTERS, Cluster), self._read(GROUPS, ClusterGroup)
        for name in sorted(supposed.lost - today.members.keys()):
            raise not_found(GroupResource(GROUP, CLUSTERS), name)
        return supposed_fleet(today, clusters, groups, supposed, self._clock.now())

    def _read(self, resource: str, kind: type[Own]) -> Mapping[str, Own]:
        found = {}
        for stored in self._mirror.items(Scope(GROUP, resource)):
            with suppress(InvalidObject):
                found[stored.key.name] = read(stored.manifest, kind)
        return found

    def _removals(self, run: "_Run") -> dict[ObjectKey, PlannedChange]:
        """Say what goes with deleted templates; raises `ApiFault` for what is not there."""
        changes = {}
        for key in sorted(run.supposed.absent, key=str):
            stored = self._mirror.get(key)
            if stored is None:
                raise not_found(key.group_resource, key.name)
            bound = self._federation.bound(key)
            if bound is not None:
                changes[key] = self._remove(stored.glance(), bound, run, deleted=True)
        return changes

    def _remove(
        self, template: Manifest, bound: Bound, run: "_Run", *, deleted: bool
    ) -> PlannedChange:
        spec = bound.binding.spec
        run.quotas.forget(bound.stored.key)
        demand, _ = self._deciding.demand(template)
        before = counted(spec.clusters, spec.replicas)
        paid, _ = run.costs.note(pods_of(template, demand, self._federation.fleet(), before, {}))
        change = removal_of(str(template.get("kind", "")), bound, deleted=deleted)
        return msgspec.structs.replace(change, cost_before=paid)

    def _to_gather(
        self, looked_at: LookedAt, supposed: Supposition, *, everything: bool
    ) -> Iterator[Selected]:
        """Yield what may be placed together: what is new, or *everything*."""
        policies = (*self._federation.policies.all(), *supposed.policies.values())
        if not any(one.spec.placement.optimise for one in policies):
            return
        for key in looked_at.keys:
            if not everything and self._federation.is_bound(key):
                continue
            template = looked_at.template(key)
            if template is not None:
                yield self._choose(key, template, supposed)

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
            if bound is None or not bound.binding.spec.policy.name:
                return None, fleet
            return self._remove(template, bound, run, deleted=False), fleet
        opinions = await self._deciding.heard(key, template, policy, bound)
        workload, refused = self._deciding.workload(
            key, template, policy, bound, opinions, quotas=run.quotas
        )
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
        change = change_of(template, workload, bound, rehearsal, fleet)
        held = {name: count for name, count in after.items() if fleet.holds(name)}
        paid, to_pay = run.costs.note(pods_of(template, workload.demand, fleet, before, held))
        run.quotas.note(bound.stored.key if bound is not None else key, workload, held)
        change = msgspec.structs.replace(
            change, policy=named(reference_to(policy)), cost_before=paid, cost_after=to_pay
        )
        change = run.displacing.told(key, rank, change)
        left = after_growth(fleet, workload, before, after)
        same = change.before == change.after and change.fits == change.fitted
        return (None if same and not (change.interrupted or change.notes) else change), left


@dataclass(frozen=True, slots=True)
class _Run:
    """What one plan is made on, and what it keeps account of."""

    supposed: Supposition
    costs: Costs
    displacing: PlannedDisplacing
    goals: Placing
    quotas: PlannedQuotas
