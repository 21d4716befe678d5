"""Routes of the Gateway API, one policy at a time: what members hold, and what weighs it.

Orders come first, the weights once members say that they hold what is weighed, and go before it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.orders import Held, Orders, diff
from services.traffic.core.plans import plan_of
from services.traffic.core.routes import (
    Amiss,
    RoutePlace,
    override_key,
    override_of,
    owner_of_routes,
    route_orders,
    route_places,
    service_keys,
    shortcomings,
)
from services.traffic.reconcilers.exports import confirmed_fleet
from services.traffic.reconcilers.fleet import FleetView
from services.traffic.reconcilers.hub_objects import HubObjects, is_kept
from services.traffic.reconcilers.knowledge import Knowledge
from services.traffic.reconcilers.measurements import PolicyName
from services.traffic.reconcilers.order_log import Place
from services.traffic.reconcilers.publishing import OrderPublisher
from shared.api.conditions import find_condition
from shared.api.meta import read
from shared.api.override import OVERRIDES_APPLIED, OverridePolicy
from shared.api.traffic_policy import TrafficPolicy
from shared.apimachinery.manifest import ObjectKey
from shared.controller.result import Again, Done, Result
from shared.errors import InvalidObject
from shared.events.traffic import TrafficPlan
from shared.store.port import ObjectStore

_CONFIRMATION = timedelta(seconds=2)
_PARTING = timedelta(seconds=5)
"""How long what was weighed outlives its weights: routes are rendered anew meanwhile."""
_LOOK = timedelta(seconds=30)
"""How often it looks whether the weights found their way into routes."""


class RouteStandings:
    """What is amiss with the routes of policies, for their status to tell; None: not looked yet."""

    def __init__(self) -> None:
        self._amiss: dict[PolicyName, tuple[Amiss, ...]] = {}
        self.wake: Callable[[PolicyName], None] = lambda _: None

    def of(self, policy: PolicyName) -> Sequence[Amiss] | None:
        return self._amiss.get(policy)

    def put(self, policy: PolicyName, amiss: Sequence[Amiss]) -> None:
        if self._amiss.get(policy) != tuple(amiss):
            self._amiss[policy] = tuple(amiss)
            self.wake(policy)

    def remove(self, policy: PolicyName) -> None:
        self._amiss.pop(policy, None)


class RouteReconciler:
    """Keyed by policy."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        known: Knowledge,
        fleet: FleetView,
        publisher: OrderPublisher,
        hub: HubObjects,
        standings: RouteStandings,
    ) -> None:
        self._store = store
        self._known = known
        self._fleet = fleet
        self._publisher = publisher
        self._hub = hub
        self._standings = standings

    async def reconcile(self, key: ObjectKey) -> Result:
        name = PolicyName(key.namespace, key.name)
        held = dict(self._known.orders.of(owner_of_routes(*name)))
        try:
            policy = self._read(key)
        except InvalidObject:
            # What stands is better than what cannot be read.
            return Done()
        if policy is None or not policy.spec.routes:
            self._standings.remove(name)
        if policy is None or not (policy.spec.routes and policy.status.splits):
            return await self._part_from(key, held) if held else Done()
        service = self._known.catalogue.get(ServiceName(key.namespace, policy.spec.service))
        plan = plan_of(policy, service)
        places = route_places(policy.spec, plan, self._fleet.now())
        holding = self._holding(plan, places)
        # 1. What there is to weigh.
        desired = route_orders(plan, places, holding)
        settled = await self._order(name, held, desired)
        # 2. The weights.
        refusals = self._refusals(name, desired)
        amiss = [
            *shortcomings(plan, places),
            *refusals,
            *await self._weigh(key, plan, places, holding),
        ]
        self._standings.put(name, amiss)
        return Again(_CONFIRMATION if not settled else _PARTING if refusals else _LOOK)

    def _read(self, key: ObjectKey) -> TrafficPolicy | None:
        stored = self._store.mirror.get(key)
        if stored is None or stored.manifest["metadata"].get("deletionTimestamp"):
            return None
        return read(stored.manifest, TrafficPolicy)

    def _holding(self, plan: TrafficPlan, places: Collection[str]) -> Mapping[str, Collection[str]]:
        """By member, the clusters whose Services it says to hold."""
        keys, log = service_keys(plan), self._known.orders
        own = log.of(owner_of_routes(plan.namespace, plan.policy))
        there = {place for place in own if place in log.held}
        return {
            member: {cluster for key, cluster in keys.items() if (member, key) in there}
            for member in places
        }

    async def _order(
        self, name: PolicyName, held: Mapping[Place, Held], desired: Mapping[str, Orders]
    ) -> bool:
        owner = owner_of_routes(*name)
        table = self._known.table
        fleet = await confirmed_fleet(self._store, table.fleet, {one for one, _ in held})
        plan = diff(desired, held, fleet=fleet, undecided=table.undecided())
        if not plan.is_empty:
            await self._publisher.carry_out(plan, owner)
        return await self._publisher.settle(owner)

    async def _part_from(self, key: ObjectKey, held: Mapping[Place, Held]) -> Result:
        """Take the weights away, and a while later what they weighed."""
        place = override_key(key.namespace, key.name)
        override = await self._hub.find(place)
        if override is not None and is_kept(override.manifest):
            await self._hub.take(override)
            return Again(_PARTING)
        settled = await self._order(PolicyName(key.namespace, key.name), held, {})
        return Done() if settled else Again(_CONFIRMATION)

    async def _weigh(
        self,
        key: ObjectKey,
        plan: TrafficPlan,
        places: Mapping[str, RoutePlace],
        holding: Mapping[str, Collection[str]],
    ) -> list[Amiss]:
        """Write the weights; return what hinders them."""
        place = override_key(key.namespace, key.name)
        stored = await self._hub.find(place)
        if stored is not None and not is_kept(stored.manifest):
            return [("NameTaken", f"somebody else has an overridepolicy {place.name}")]
        wanted = override_of(plan, places, holding)
        if wanted is None:
            if stored is not None:
                await self._hub.take(stored)
            return []
        # The status is dispatch's word.
        status = (stored.manifest.get("status") or {}) if stored is not None else {}
        await self._hub.put(place, wanted, status, stored)
        return list(_told_by(stored.manifest)) if stored is not None else []

    def _refusals(self, name: PolicyName, desired: Mapping[str, Orders]) -> list[Amiss]:
        """What members refuse, and where another policy ordered an object of that name."""
        log, owner = self._known.orders, owner_of_routes(*name)
        found = [
            ("Refused", f"{member}: {key.resource} {key.name}: {log.troubles[member, key]}")
            for member, key in sorted(log.of(owner))
            if (member, key) in log.troubles
        ]
        return found + [
            ("NameTaken", f"{member}: another policy has {key.resource} {key.name} there")
            for member, orders in sorted(desired.items())
            for key in sorted(orders)
            if log.is_anothers((member, key), owner)
        ]


def _told_by(override: Mapping[str, object]) -> Sequence[Amiss]:
    try:
        conditions = read(dict(override), OverridePolicy).status.conditions
    except InvalidObject:
        return ()
    found = find_condition(conditions, OVERRIDES_APPLIED)
    if found is None or found.status != "False":
        return ()
    return [("OverrideFailed", found.message)]
