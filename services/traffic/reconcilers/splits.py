"""Deciding how traffic is shared: one policy at a time, written where it matters.

The status of a policy is all that is remembered. What moves only a little, and what load balancers
counted, waits a while before it is written; who gets nothing any more is written at once.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from services.traffic.core.catalogue import ImportedService, ServiceName
from services.traffic.core.damping import wait_for
from services.traffic.core.deciding import Decision, Situation, decide
from services.traffic.core.plans import port_asked
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.fleet import FleetView, matters
from services.traffic.reconcilers.measurements import MeasurementTable, PolicyName
from services.traffic.reconcilers.routes import RouteStandings
from services.traffic.reconcilers.split_facts import announce
from services.traffic.settings import Settings
from shared.api.binding import ResourceBinding, binding_key
from shared.api.meta import GROUP, read, section
from shared.api.traffic_policy import (
    TRAFFIC_POLICIES,
    TrafficPolicy,
    TrafficSpec,
    TrafficStatus,
    TrafficWorkload,
)
from shared.apimachinery.manifest import GroupResource, ObjectKey, part_of
from shared.bus.port import Bus
from shared.clock import Clock, parse_time
from shared.controller.result import Again, Done, Result
from shared.errors import InvalidObject
from shared.store.port import Change, Mirror, ObjectStore, Scope, Stored

POLICIES = Scope.of(GroupResource(GROUP, TRAFFIC_POLICIES))
_RESYNC = timedelta(seconds=30)
"""How often it looks though nothing was heard: for replicas that are wanted."""


def policy_key(name: PolicyName) -> ObjectKey:
    return ObjectKey(GROUP, TRAFFIC_POLICIES, name.namespace, name.name)


class SplitReconciler:
    """Decides the policy at one key; of one term of the lease, which began when it was made."""

    def __init__(
        self,
        store: ObjectStore,
        bus: Bus,
        catalogue: LiveCatalogue,
        fleet: FleetView,
        *,
        measurements: MeasurementTable,
        standings: RouteStandings,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._standings = standings
        self._store = store
        self._bus = bus
        self._catalogue = catalogue
        self._measurements = measurements
        self._clock = clock
        self._settings = settings
        self._fleet = fleet
        self._since = clock.now()

    async def reconcile(self, key: ObjectKey) -> Result:
        stored = self._store.mirror.get(key)
        if stored is None:
            return Done()
        policy = read(stored.manifest, TrafficPolicy)
        name = PolicyName(key.namespace, key.name)
        told = self._measurements.told(name)
        now = self._clock.now()
        unheard, amiss = self._amiss(name, policy.spec)
        service = self._catalogue.get(ServiceName(key.namespace, policy.spec.service))
        decision = decide(
            Situation(
                policy=policy,
                service=service,
                fleet=self._fleet.now(),
                wanted=await self._wanted(key.namespace, policy.spec),
                demand=self._measurements.demand(name),
                told=told,
                now=now,
                watched_since=self._since,
                rival=self._rival(policy, service),
                amiss=amiss,
                unheard=unheard,
            )
        )
        if _same(policy.status, decision.status):
            return _later(decision)
        wait = self._wait(policy.status, decision.status) - (now - _written(policy.status))
        if wait > timedelta(0):
            return Again(min(wait, decision.wake_after or wait))
        manifest = {**stored.manifest, "status": section(decision.status)}
        await self._store.update(key, manifest, expected=stored.revision)
        self._measurements.settle(name, told)
        await announce(self._bus, policy, decision.status, now)
        return _later(decision)

    def _amiss(
        self, name: PolicyName, spec: TrafficSpec
    ) -> tuple[bool, list[tuple[str, str]] | None]:
        """Whether somebody has yet to say how it is carried, and what they say is amiss."""
        fronts = self._measurements.amiss(name)
        routes = self._standings.of(name)
        if not spec.routes:
            return False, fronts
        if routes is None:
            return True, None
        return False, [*(fronts or ()), *routes]

    def _wait(self, standing: TrafficStatus, found: TrafficStatus) -> timedelta:
        """How long after the last write this one is due."""
        if _urgent(standing) != _urgent(found):
            return timedelta(0)
        soon, late = self._settings.split_soon, self._settings.split_late
        return wait_for(standing.splits, found.splits, soon=soon, late=late)

    async def _wanted(self, namespace: str, spec: TrafficSpec) -> dict[str, int]:
        """Replicas that each cluster is asked to run; nothing of what no binding tells."""
        workload = spec.workload or TrafficWorkload(name=spec.service)
        template = ObjectKey("apps", f"{workload.kind.lower()}s", namespace, workload.name)
        stored = await self._store.get(binding_key(template, workload.kind, built_in=True))
        if stored is None:
            return {}
        try:
            targets = read(stored.manifest, ResourceBinding).spec.clusters
        except InvalidObject:
            return {}
        return {one.name: one.replicas or 0 for one in targets}

    def _rival(self, policy: TrafficPolicy, service: ImportedService | None) -> str:
        """The oldest policy speaks for a port of a service; of the same age the first by name."""
        metadata, spec = policy.metadata, policy.spec
        first = policy
        for key in self._keys_of(metadata.namespace, spec.service):
            stored = self._store.mirror.get(key)
            try:
                other = read(stored.manifest, TrafficPolicy) if stored is not None else policy
            except InvalidObject:
                continue
            if port_asked(other.spec, service) == port_asked(spec, service):
                first = min(first, other, key=_age)
        return "" if first.metadata.name == metadata.name else first.metadata.name

    # Who is woken by what.

    def of_service(self, name: ServiceName) -> list[ObjectKey]:
        return self._keys_of(name.namespace, name.name)

    def of_change(self, change: Change) -> list[ObjectKey]:
        """Wake the policy itself, and those that it had kept from their service."""
        spec = part_of(change.stored.manifest, "spec")
        others = self._keys_of(change.stored.key.namespace, str(spec.get("service", "")))
        # What changed in the status was written here.
        return [change.stored.key] if change.only_status else [change.stored.key, *others]

    def all_if_it_matters(self, change: Change) -> list[ObjectKey]:
        return self.all_of(change) if matters(change) else []

    def all_of(self, _change: Change) -> list[ObjectKey]:
        return [stored.key for stored in self._store.mirror.items(POLICIES)]

    def _keys_of(self, namespace: str, service: str) -> list[ObjectKey]:
        name = ServiceName(namespace, service)
        return [stored.key for stored in policies_of(self._store.mirror, name)]


def policies_of(mirror: Mirror, service: ServiceName) -> Iterator[Stored]:
    """Those that are for *service*, whether they can be read or not."""
    for stored in mirror.items(Scope(GROUP, TRAFFIC_POLICIES, service.namespace)):
        if part_of(stored.manifest, "spec").get("service") == service.name:
            yield stored


def _age(policy: TrafficPolicy) -> tuple[str, str]:
    return (policy.metadata.creation_timestamp or "", policy.metadata.name)


def _later(decision: Decision) -> Again:
    return Again(min(_RESYNC, decision.wake_after or _RESYNC))


def _written(status: TrafficStatus) -> datetime:
    """When the status was written; long ago, where it does not say."""
    try:
        return parse_time(status.observed_time)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _same(standing: TrafficStatus, found: TrafficStatus) -> bool:
    return standing == msgspec.structs.replace(found, observed_time=standing.observed_time)


def _urgent(status: TrafficStatus) -> tuple[object, ...]:
    """What is written at once, beside who gets nothing any more."""
    shift = status.shift
    conditions = tuple((one.type, one.status, one.reason) for one in status.conditions)
    steps = (shift.phase, shift.step, shift.percentage, shift.digest) if shift else ()
    active = status.failover.active if status.failover else None
    return (status.observed_generation, conditions, steps, active)
