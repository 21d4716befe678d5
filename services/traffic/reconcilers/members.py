"""One member at a time: what is published of it, what it needs for imports, what it leaves."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from services.traffic.core.definitions import IN_MEMBERS
from services.traffic.core.orders import FLEET, Orders, diff, make_order
from services.traffic.core.preflight import Shared, network_conditions, shared_addresses
from services.traffic.core.profiles import cluster_profile, cluster_properties, profile_status
from services.traffic.core.telling import conditions_in
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.export_table import ExportTable
from services.traffic.reconcilers.hub_objects import HubObjects
from services.traffic.reconcilers.knowledge import Knowledge
from services.traffic.reconcilers.publishing import OrderPublisher
from shared.api.cluster import Cluster
from shared.api.meta import GROUP, Condition, read
from shared.api.multicluster import ABOUT_API, MULTICLUSTER_GROUP, PROFILES
from shared.api.ownership import DriftPath, DriftPolicy, OwnershipTerms
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, Message
from shared.bus.topology import ENDS_KEPT
from shared.clock import Clock, format_time
from shared.controller.result import Again, Done, Result
from shared.store.port import ObjectStore

_COMPARED_SECONDS = 5.0
_CONFIRMATION = timedelta(seconds=2)
_TERMS = OwnershipTerms(drift=DriftPolicy(paths=(DriftPath(path="/spec"),)))
"""Who installs another version of the standard's definitions in a member keeps that."""
NETWORKS_LOOK = timedelta(seconds=6)
"""How long news of services are gathered before networks are judged anew."""

NAMESPACE = "hanse-system"
"""Of the ClusterProfiles at the hub."""


def owner_of_member(cluster: str) -> str:
    return f"{FLEET}/{cluster}"


def member_of(owner: str) -> str | None:
    """Read the member back; None for the owner of something else."""
    found = owner.removeprefix(f"{FLEET}/")
    return found if found != owner else None


class NetworkView:
    """What is known of the networks between members; endpoints are compared now and then."""

    def __init__(self, table: ExportTable, catalogue: LiveCatalogue, clock: Clock) -> None:
        self._table = table
        self._catalogue = catalogue
        self._clock = clock
        self._shared: dict[str, tuple[Shared, ...]] = {}
        self._of = (-1, 0.0)

    def conditions(self, cluster: str) -> tuple[Condition, ...]:
        version, at = self._of
        now = self._clock.monotonic()
        if version != self._catalogue.version and (version < 0 or now - at > _COMPARED_SECONDS):
            self._shared = shared_addresses(self._table.reports.values())
            self._of = (self._catalogue.version, now)
        networks = {name: place.network for name, place in self._table.fleet.items()}
        names = self._table.names.get(cluster, "")
        tried = {
            prober: found[cluster]
            for prober, found in self._table.reach.items()
            if cluster in found and prober in networks
        }
        shared = self._shared.get(cluster, ())
        return network_conditions(cluster, networks, shared, names, tried)


class MemberReconciler:
    """Keyed by the name of the cluster."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        bus: Bus,
        known: Knowledge,
        publisher: OrderPublisher,
        hub: HubObjects,
        clock: Clock,
        clusterset: str,
        in_use: Callable[[], bool],
    ) -> None:
        self._store = store
        self._bus = bus
        self._table = known.table
        self._log = known.orders
        self._publisher = publisher
        self._hub = hub
        self._clock = clock
        self._clusterset = clusterset
        self._in_use = in_use
        self._networks = NetworkView(known.table, known.catalogue, clock)

    async def reconcile(self, key: str) -> Result:
        place = ObjectKey(GROUP, "clusters", "", key)
        stored = self._store.mirror.get(place) or await self._store.get(place)
        if stored is None:
            await self._part_from(key)
            return Done()
        cluster = read(stored.manifest, Cluster)
        await self._publish_profile(key, cluster)
        orders, leaving = self._orders(key, cluster), bool(cluster.spec.leaving)
        if not orders and not leaving:
            # What it has been given once it keeps: others may rely on it.
            return Done()
        owner = owner_of_member(key)
        plan = diff({} if leaving else {key: orders}, self._log.of(owner), fleet={key})
        await self._publisher.carry_out(plan, owner)
        return Done() if await self._publisher.settle(owner) else Again(_CONFIRMATION)

    def _orders(self, name: str, cluster: Cluster) -> Orders:
        served = {one.group_version for one in cluster.status.api_enablements}
        owner = owner_of_member(name)
        found = []
        if self._in_use():
            # With a definition all exports would go that users of the member have written.
            found += [make_order(one, owner, preserve=True, terms=_TERMS) for one in IN_MEMBERS]
        if found or ABOUT_API in served:
            # They are true of a member, and of nobody else (KEP-2149).
            properties = cluster_properties(name, self._clusterset)
            found += [make_order(one, owner) for one in properties]
        return dict(found)

    async def _publish_profile(self, name: str, cluster: Cluster) -> None:
        key = ObjectKey(MULTICLUSTER_GROUP, PROFILES, NAMESPACE, name)
        stored = self._hub.get(key)
        before = (stored.manifest.get("status") or {}) if stored is not None else {}
        status = profile_status(
            name,
            cluster,
            self._clusterset,
            before,
            conditions=self._networks.conditions(name) if self._in_use() else (),
            told=conditions_in(before),
            now=format_time(self._clock.now()),
        )
        await self._hub.put(key, cluster_profile(name, NAMESPACE, self._clusterset), status, stored)

    async def _part_from(self, name: str) -> None:
        """It has left: what it reported, and what it was to hold, is over."""
        await self._hub.remove(ObjectKey(MULTICLUSTER_GROUP, PROFILES, NAMESPACE, name))
        owner = owner_of_member(name)
        await self._publisher.carry_out(diff({}, self._log.of(owner), fleet=()), owner)
        reported = self._table.subjects_of(name)
        await asyncio.gather(
            *(self._bus.publish(Message(one, b""), ttl=ENDS_KEPT) for one in reported)
        )
