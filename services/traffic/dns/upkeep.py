"""What one process at a time does for global zones: it tells others, and says how they are."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import dns.name
import dns.tsig

from services.traffic.core.dns.endpoints import DEFINITION, dns_endpoints
from services.traffic.core.dns.names import parse_name, text_of
from services.traffic.core.dns.zone import Node, Zone
from services.traffic.dns.endpoints import EndpointKeeper
from services.traffic.dns.serving import Dns
from services.traffic.dns.updating import NotUpdated, Updater
from services.traffic.dns.worldwide import ZONES
from services.traffic.reconcilers.hub_objects import HubObjects
from shared.api.conditions import with_condition
from shared.api.global_zone import (
    ACCEPTED,
    ENDPOINTS_WRITTEN,
    GLOBAL_ZONES,
    NAMES_RESOLVE,
    TRANSFERABLE,
    UPDATED,
    GlobalZone,
    GlobalZoneStatus,
)
from shared.api.meta import GROUP, Condition, read
from shared.apimachinery.manifest import ObjectKey, generation_of
from shared.bus.port import Bus, Message
from shared.clock import Clock, format_micro_time, format_time
from shared.controller.loop import Controller, LoopSettings
from shared.controller.result import Again, Done, Result
from shared.controller.standing import write_status
from shared.events.envelope import fact_envelope
from shared.events.subjects import fact as fact_subject
from shared.events.zones import (
    NOUN,
    PAST_TENSE,
    TYPE,
    ZoneChanged,
    ZoneWord,
    encode_zone_changed,
)
from shared.store.port import ObjectStore

_SHOWN_MAX = 5
_RETRY = timedelta(seconds=10)
_LOOP = LoopSettings(workers=4, resync=timedelta(minutes=1), deadline=timedelta(minutes=5))


class ZoneUpkeep:
    """Keyed by the name of a GlobalZone; of one term of the lease."""

    def __init__(self, store: ObjectStore, bus: Bus, dns: Dns, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._dns = dns
        self._clock = clock
        self._endpoints = EndpointKeeper(store, HubObjects(store, clock))
        self._controller: Controller[str] = Controller("zone", self, _LOOP)

    async def run(self) -> None:
        self._dns.looked_at = self._controller.wake
        try:
            self._controller.watch(
                self._store.mirror, ZONES, lambda change: [change.stored.key.name]
            )
            await self._controller.run()
        finally:
            self._dns.looked_at = None

    async def reconcile(self, name: str) -> Result:
        key = ObjectKey(GROUP, GLOBAL_ZONES, "", name)
        stored = self._store.mirror.get(key)
        if stored is None:
            if await self._store.get(key) is None:
                await self._endpoints.keep(name, {})
            return Done()
        zone = read(stored.manifest, GlobalZone)
        found: list[Condition] = []
        domain = zone.spec.domain
        current = self._dns.zones.objects.get(domain)
        if refused := self._dns.zones.refused.get(name):
            found.append(_condition(ACCEPTED, *refused))
        elif current is None or current.metadata.name != name or current.spec != zone.spec:
            # What it says now is not what is answered yet: in a moment.
            return Again(timedelta(milliseconds=50))
        else:
            found.append(_condition(ACCEPTED, "Accepted", f"names of {domain} are answered for"))
            found.append(self._names(domain))
            if zone.spec.transfer is not None:
                found.append(self._transferable(zone.spec.transfer.key))
            if zone.spec.update is not None:
                found.append(await self._update(zone))
            if zone.spec.dns_endpoints is not None:
                found.append(await self._write_endpoints(zone))
            else:
                await self._endpoints.keep(name, {})
        generation, now = generation_of(stored.manifest), format_time(self._clock.now())
        conditions: tuple[Condition, ...] = ()
        before = {one.type: one for one in zone.status.conditions}
        for one in found:
            kept = (before[one.type],) if one.type in before else ()
            conditions += with_condition(kept, _of(one, generation), now=now)
        accepted = len(found) > 1
        status = GlobalZoneStatus(
            observed_generation=generation,
            names=self._dns.zones.count(domain) if accepted else 0,
            conditions=conditions,
        )
        await write_status(self._store, stored, status)
        await self._announce(zone, status)
        elsewhere = (UPDATED, ENDPOINTS_WRITTEN)
        failed = any(one.type in elsewhere and one.status == "False" for one in found)
        return Again(_RETRY) if failed else Done()

    async def _announce(self, zone: GlobalZone, status: GlobalZoneStatus) -> None:
        """Publish the fact, after the status that says so; none where nothing is different."""
        words = tuple(
            ZoneWord(type=one.type, status=one.status, reason=one.reason, message=one.message)
            for one in status.conditions
        )
        if _told(status.conditions) == _told(zone.status.conditions):
            return
        now, metadata = self._clock.now(), zone.metadata
        fact = ZoneChanged(
            zone=metadata.name,
            domain=zone.spec.domain,
            uid=metadata.uid,
            names=status.names,
            conditions=words,
            occurred_at=format_micro_time(now),
        )
        identity = f"{metadata.uid}/{metadata.resource_version}"
        envelope = fact_envelope(TYPE, service="traffic", identity=identity, at=now)
        subject = fact_subject(NOUN, PAST_TENSE, metadata.name)
        await self._bus.publish(Message(subject, encode_zone_changed(fact), envelope.headers()))

    def _names(self, domain: str) -> Condition:
        amiss = self._dns.zones.amiss(domain)
        if not amiss:
            return _condition(NAMES_RESOLVE, "Resolved", "every host has an address")
        words = "; ".join(f"{one.host}: {one.why}" for one in amiss[:_SHOWN_MAX])
        more = f"; and {len(amiss) - _SHOWN_MAX} more" if len(amiss) > _SHOWN_MAX else ""
        return _condition(NAMES_RESOLVE, "HostsAmiss", words + more)

    def _transferable(self, key: str) -> Condition:
        if key and self._key(key) is None:
            return _condition(TRANSFERABLE, "KeyUnknown", _unknown(key))
        return _condition(TRANSFERABLE, "Transferable", "those who may take it over can")

    async def _update(self, zone: GlobalZone) -> Condition:
        update, domain = zone.spec.update, zone.spec.domain
        assert update is not None
        key = self._key(update.key)
        if key is None:
            return _condition(UPDATED, "KeyUnknown", _unknown(update.key))
        said = self._dns.zones.zones[domain]
        updater = Updater(update.server, said.origin, key, zone.metadata.uid)
        try:
            plan = await updater.follow(_desired(zone, said))
        except NotUpdated as err:
            return _condition(UPDATED, "NotUpdated", f"{update.server}: {err}")
        if plan.taken:
            names = ", ".join(text_of(one) for one in plan.taken[:_SHOWN_MAX])
            why = f"somebody else's at {update.server}, and left as they are: {names}"
            return _condition(UPDATED, "NamesTaken", why)
        return _condition(UPDATED, "Updated", f"{update.server} says the same")

    async def _write_endpoints(self, zone: GlobalZone) -> Condition:
        if not await self._endpoints.is_served():
            why = f"apply the CustomResourceDefinition {DEFINITION.name} of external-dns first"
            return _condition(ENDPOINTS_WRITTEN, "KindNotServed", why)
        domain = zone.spec.domain
        hosts = self._dns.zones.policies_in(domain)
        desired = dns_endpoints(zone, hosts, self._dns.zones.zones[domain].nodes)
        await self._endpoints.keep(zone.metadata.name, desired)
        return _condition(ENDPOINTS_WRITTEN, "Written", f"in {len(desired)} DNSEndpoints")

    def _key(self, name: str) -> dns.tsig.Key | None:
        return self._dns.keys.get(dns.name.from_text(name))


def _told(conditions: Iterable[Condition]) -> set[tuple[str, str, str]]:
    return {(one.type, one.status, one.reason) for one in conditions}


def _desired(zone: GlobalZone, said: Zone) -> Mapping[bytes, Node]:
    """All but the servers of this zone: those of the other are its own."""
    servers = {parse_name(one.name) for one in zone.spec.name_servers}
    return {name: node for name, node in said.nodes.items() if name not in servers}


_GOOD = {"Accepted", "Resolved", "Transferable", "Updated", "Written"}


def _condition(kind: str, reason: str, message: str) -> Condition:
    status = "True" if reason in _GOOD else "False"
    return Condition(type=kind, status=status, reason=reason, message=message)


def _of(condition: Condition, generation: int) -> Condition:
    return Condition(
        type=condition.type,
        status=condition.status,
        reason=condition.reason,
        message=condition.message,
        observed_generation=generation,
    )


def _unknown(key: str) -> str:
    return f"traffic has no TSIG key {key} in its file of keys (HANSE_DNS_KEYS_FILE)"
