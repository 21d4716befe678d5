"""The endpoint `health` of the micro service `hanse`: each member as each observer sees it."""

import asyncio

import msgspec

from services.health.core.overview import overview_of
from services.health.reconcilers.standings import CLUSTERS
from services.health.reconcilers.verdicts import ObservationTable, cluster_key
from shared.api.cluster import Cluster
from shared.api.meta import GROUP, read
from shared.apimachinery.manifest import GroupResource
from shared.apiserver.answers.requests import answering, read_request
from shared.apiserver.status_errors import not_found
from shared.bus.port import Bus
from shared.clock import Clock
from shared.errors import InvalidObject
from shared.events.fleet_health import ClusterHealth, FleetHealth, HealthRequest
from shared.events.requests import API_HEALTH, SERVICE, VERSION
from shared.store.port import Mirror

_encode = msgspec.json.Encoder().encode


class HealthDoor:
    """Answers from the words that verdicts are passed by."""

    def __init__(self, bus: Bus, clusters: Mirror, table: ObservationTable, clock: Clock) -> None:
        self._bus = bus
        self._clusters = clusters
        self._table = table
        self._clock = clock

    async def run(self) -> None:
        """Offer the endpoint until cancelled."""
        async with self._bus.serve(SERVICE, VERSION, {API_HEALTH: answering(self._answer)}):
            await asyncio.Event().wait()

    async def _answer(self, body: bytes) -> bytes:
        asked = read_request(body, HealthRequest).clusters
        for name in asked:
            if self._clusters.get(cluster_key(name)) is None:
                raise not_found(GroupResource(GROUP, "clusters"), name)
        names = asked or sorted(one.key.name for one in self._clusters.items(CLUSTERS))
        panel = self._table.panel
        found = [self._of(name) for name in names]
        return _encode(
            FleetHealth(
                clusters=tuple(one for one in found if one is not None),
                observers=tuple(sorted(panel.observers)),
                quorum=panel.quorum,
            )
        )

    def _of(self, name: str) -> ClusterHealth | None:
        stored = self._clusters.get(cluster_key(name))
        if stored is None:
            return None
        try:
            cluster = read(stored.manifest, Cluster)
        except InvalidObject:
            return None
        return overview_of(cluster, self._table.of(name), self._table.panel, self._clock.now())
