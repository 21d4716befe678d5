"""Keeps the zone `clusterset.local` to what the catalogue of services says."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.dns.clusterset import clusterset_zone, records_of, source_of
from services.traffic.core.dns.zone import NOTHING, Said, Zone
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.guarding import Guard
from shared.clock import Clock

_GATHER_SECONDS = 0.01


class ClustersetZone:
    """The zone, and what of it is due."""

    def __init__(
        self,
        catalogue: LiveCatalogue,
        clock: Clock,
        *,
        addresses: tuple[str, ...],
        ttl: timedelta,
        changed: Callable[[Zone], None],
        guard: Guard,
    ) -> None:
        """*addresses*: where the zone is served."""
        seconds = max(1, round(ttl.total_seconds()))
        self.zone = clusterset_zone(addresses, seconds, seconds)
        self._ttl = seconds
        self._catalogue = catalogue
        self._clock = clock
        self._changed = changed
        self._guard = guard
        self._due: set[ServiceName] = set()
        self._wake = asyncio.Event()

    async def run(self, known: Callable[[], None]) -> None:
        """Follow the catalogue; *known* is called once the zone holds all there is."""
        stop = self._catalogue.listen(self._note)
        try:
            await self._catalogue.synced.wait()
            self._due.update(one.service for one in self._catalogue)
            self._take_in()
            known()
            while True:
                await self._wake.wait()
                # What changes together is one step of the zone.
                await asyncio.sleep(_GATHER_SECONDS)
                self._take_in()
        finally:
            stop()

    def _note(self, service: ServiceName) -> None:
        self._due.add(service)
        self._wake.set()

    def _take_in(self) -> None:
        self._wake.clear()
        due, self._due = self._due, set()
        said: dict[str, Said] = {}
        for one in due:
            # What it said before it goes on saying, where this cannot be put into records.
            with self._guard.taking("dns services", one):
                said[source_of(one)] = self._said(one)
        if self.zone.put(said, self._serial()):
            self._changed(self.zone)

    def _said(self, name: ServiceName) -> Said:
        service = self._catalogue.get(name)
        return records_of(service, self._ttl) if service is not None else NOTHING

    def _serial(self) -> int:
        """Seconds, as is the custom: it rises over restarts, and when all else is lost."""
        return int(self._clock.now().timestamp())
