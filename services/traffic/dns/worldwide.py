"""Keeps the global zones to what GlobalZones, traffic policies and the state of clusters say."""

import asyncio
from collections.abc import Callable, Iterable, MutableMapping
from functools import partial
from typing import TypeVar

import structlog

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.dns.door import Served
from services.traffic.core.dns.global_names import Amiss, GlobalNames, PolicyName
from services.traffic.core.dns.global_zone import accept, new_zone
from services.traffic.core.dns.networks import Networks
from services.traffic.core.dns.pacing import Pacing
from services.traffic.core.dns.zone import Zone
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.guarding import Guard
from shared.api.cluster import UNREACHABLE_TAINT, Cluster
from shared.api.global_zone import GLOBAL_ZONES, GlobalZone, GlobalZoneSpec
from shared.api.meta import GROUP, Kind, read
from shared.api.traffic_policy import TRAFFIC_POLICIES, TrafficPolicy
from shared.apimachinery.manifest import GroupResource, ObjectKey
from shared.clock import Clock
from shared.errors import InvalidObject
from shared.store.port import Change, Mirror, Scope, Stored

Own = TypeVar("Own", bound=Kind)

log = structlog.get_logger("hanse.dns")

ZONES = Scope.of(GroupResource(GROUP, GLOBAL_ZONES))
POLICIES = Scope.of(GroupResource(GROUP, TRAFFIC_POLICIES))
CLUSTERS = Scope.of(GroupResource(GROUP, "clusters"))
_GATHER_SECONDS = 0.01
_TASK = "dns zones"


class GlobalZones:
    """The zones by their objects, and what of them is due. Every process of traffic has them."""

    def __init__(
        self,
        mirror: Mirror,
        catalogue: LiveCatalogue,
        served: MutableMapping[bytes, Served],
        *,
        clock: Clock,
        changed: Callable[[GlobalZone, Zone], None],
        looked_at: Callable[[str], None],
        guard: Guard,
    ) -> None:
        """*changed*: a zone says something else; *looked_at*: it, or what is amiss in it, may."""
        self._mirror = mirror
        self._catalogue = catalogue
        self._served = served
        self._clock = clock
        self._changed = changed
        self._looked_at = looked_at
        self._guard = guard
        self._names = GlobalNames()
        self._policies_due: set[PolicyName] = set()
        self._services_due: set[ServiceName] = set()
        self._zones_due = True
        self._clusters_due = True
        self._wake = asyncio.Event()
        self.objects: dict[str, GlobalZone] = {}
        """Accepted, by domain."""
        self.zones: dict[str, Zone] = {}
        """What is said of each, by domain."""
        self.refused: dict[str, tuple[str, str]] = {}
        """Why nobody answers for the others, by their names: in a word and in a clause."""

    def amiss(self, domain: str) -> list[Amiss]:
        return self._names.amiss(domain)

    def count(self, domain: str) -> int:
        return self._names.count(domain)

    def policies_in(self, domain: str) -> list[tuple[PolicyName, str]]:
        return self._names.policies_in(domain)

    def take_in_everything(self) -> None:
        """Before anything is answered."""
        self._zones_due = self._clusters_due = True
        self._policies_due.update(_policy_of(one) for one in self._mirror.items(POLICIES))
        self._services_due.update(one.service for one in self._catalogue)
        self._take_in()

    async def run(self) -> None:
        stops = [self._mirror.on_change(self._note), self._catalogue.listen(self._note_service)]
        try:
            self.take_in_everything()
            while True:
                await self._wake.wait()
                # What changes together is one step of a zone.
                await asyncio.sleep(_GATHER_SECONDS)
                self._take_in()
        finally:
            for stop in stops:
                stop()

    def _note_service(self, service: ServiceName) -> None:
        self._services_due.add(service)
        self._wake.set()

    def _note(self, change: Change) -> None:
        key = change.stored.key
        if key.group != GROUP:
            return
        if key.resource == TRAFFIC_POLICIES:
            self._policies_due.add(_policy_of(change.stored))
        elif key.resource == GLOBAL_ZONES:
            if change.only_status:
                return
            self._zones_due = True
        elif key.resource == "clusters":
            self._clusters_due = True
        else:
            return
        self._wake.set()

    def _take_in(self) -> None:
        self._wake.clear()
        if self._clusters_due:
            self._clusters_due = False
            self._names.set_lost(_lost(self._mirror.items(CLUSTERS)))
        services, self._services_due = self._services_due, set()
        for service in services:
            with self._guard.taking(_TASK, service):
                found = self._catalogue.get(service)
                exporters = found.exporters.values() if found is not None else ()
                ingress = {one.cluster: one.ingress for one in exporters if one.ingress}
                self._names.put_ingress(service, ingress)
        due, self._policies_due = self._policies_due, set()
        for name in due:
            with self._guard.taking(_TASK, name):
                self._take_policy(name)
        if self._zones_due:
            self._zones_due = False
            self._take_zones()
        with self._guard.taking(_TASK, "names"):
            self._say()

    def _say(self) -> None:
        """Have the zones say what the names say now."""
        serial = self._serial()
        for domain, said in self._names.collect().items():
            if self.zones[domain].put(said, serial):
                self._changed(self.objects[domain], self.zones[domain])
            self._looked_at(self.objects[domain].metadata.name)

    def _take_policy(self, name: PolicyName) -> None:
        stored = self._mirror.get(ObjectKey(GROUP, TRAFFIC_POLICIES, *name))
        policy = _read(stored, TrafficPolicy) if stored is not None else None
        if policy is None:
            self._names.remove_policy(name)
        else:
            self._names.put_policy(policy)

    def _take_zones(self) -> None:
        found = [_read(one, GlobalZone) for one in self._mirror.items(ZONES)]
        accepted, taken = accept(one for one in found if one is not None)
        self.refused = {name: ("DomainTaken", why) for name, why in taken.items()}
        before, self.objects = self.objects, accepted
        for domain in before.keys() - accepted.keys():
            self._end(domain)
        for domain, zone in tuple(accepted.items()):
            if domain in before and before[domain].spec == zone.spec:
                continue
            # Admission takes no zone that is none, but what is stored may be older than its rules.
            with self._guard.taking(_TASK, zone.metadata.name, partial(self._refuse, domain, zone)):
                self._begin(zone, self.zones.get(domain))

    def _refuse(self, domain: str, zone: GlobalZone, why: str) -> None:
        self._end(domain)
        del self.objects[domain]
        self.refused[zone.metadata.name] = ("IllegalName", why)

    def _end(self, domain: str) -> None:
        self._names.remove_zone(domain)
        if (zone := self.zones.pop(domain, None)) is not None:
            self._served.pop(zone.origin, None)

    def _begin(self, zone: GlobalZone, before: Zone | None) -> None:
        fresh = new_zone(zone.spec)
        fresh.start_at(max(self._serial(), before.serial + 1 if before is not None else 0))
        self.zones[zone.spec.domain] = fresh
        self._served[fresh.origin] = served_of(zone.spec, fresh)
        self._names.put_zone(zone)

    def _serial(self) -> int:
        """Seconds, as is the custom: it rises over restarts, and when all else is lost."""
        return int(self._clock.now().timestamp())


def served_of(spec: GlobalZoneSpec, zone: Zone) -> Served:
    transfer = spec.transfer
    return Served(
        zone,
        clients=_networks(spec.clients),
        secondaries=_networks(transfer.allow) if transfer is not None else None,
        transfer_key=transfer.key if transfer is not None else "",
        pacing=Pacing(spec.responses_per_second),
    )


def _networks(texts: Iterable[str]) -> Networks[bool] | None:
    found = Networks((text, True) for text in texts)
    return found or None


def _policy_of(stored: Stored) -> PolicyName:
    return stored.key.namespace, stored.key.name


def _lost(clusters: Iterable[Stored]) -> Iterable[str]:
    """Members that are unreachable by the verdict of health."""
    for stored in clusters:
        cluster = _read(stored, Cluster)
        if cluster is not None and any(
            taint.key == UNREACHABLE_TAINT for taint in cluster.status.taints
        ):
            yield stored.key.name


def _read(stored: Stored, struct: type[Own]) -> Own | None:
    """None for what an older or a newer version wrote, and this one cannot read."""
    try:
        return read(stored.glance(), struct)
    except InvalidObject as err:
        log.warning("dns.unreadable", key=str(stored.key), error=str(err))
        return None
