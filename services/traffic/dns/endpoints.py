"""Keeping the DNSEndpoints of a global zone, where their kind is served."""

from services.traffic.core.dns.endpoints import DEFINITION, GROUP, RESOURCE, ZONE_LABEL
from services.traffic.reconcilers.hub_objects import HubObjects
from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey, labels_of
from shared.store.port import ObjectStore, Scope

ENDPOINTS = Scope.of(GroupResource(GROUP, RESOURCE))


class EndpointKeeper:
    """Writes what differs, and takes away what is no more; what others made stays as it is."""

    def __init__(self, store: ObjectStore, hub: HubObjects) -> None:
        self._store = store
        self._hub = hub

    async def is_served(self) -> bool:
        """Whether the definition of the kind was applied here."""
        return await self._store.get(DEFINITION) is not None

    async def keep(self, zone: str, desired: dict[ObjectKey, Manifest]) -> None:
        """Make those of *zone*, by its name, what *desired* says."""
        for key, manifest in desired.items():
            stored = self._hub.get(key)
            # Its status is external-dns' own.
            status = (stored.manifest.get("status") or {}) if stored is not None else {}
            await self._hub.put(key, manifest, status, stored)
        for one in list(self._store.mirror.items(ENDPOINTS)):
            if labels_of(one.manifest).get(ZONE_LABEL) == zone and one.key not in desired:
                await self._hub.remove(one.key)
