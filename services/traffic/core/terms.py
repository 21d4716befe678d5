"""What a policy says of the fleet there is: its clusters found, and how each of them stands."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.traffic.core.catalogue import ImportedService, backends_of
from services.traffic.core.places import Nearness, Place, Terms, Weight
from services.traffic.core.plans import serving
from shared.api.cluster import DRAINING_TAINT, UNREACHABLE_TAINT, Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.maintenance import maintenance_at
from shared.api.matching import covers, groups_of
from shared.api.selection import GroupAffinity
from shared.api.traffic_policy import TrafficSpec
from shared.apimachinery.taints import NO_EXECUTE
from shared.errors import InvalidObject


@dataclass(frozen=True, slots=True)
class Fleet:
    """The members that can be read, each with the groups it is in, and the groups there are."""

    clusters: Mapping[str, Cluster]
    memberships: Mapping[str, frozenset[str]]
    groups: frozenset[str]
    latencies: Mapping[tuple[str, str], int]
    """Milliseconds by region of who observes, and cluster."""

    @classmethod
    def of(cls, clusters: Iterable[Cluster], groups: Sequence[ClusterGroup]) -> "Fleet":
        members = {one.metadata.name: one for one in clusters}
        return cls(
            members,
            {name: _groups_of(cluster, groups) for name, cluster in members.items()},
            frozenset(one.metadata.name for one in groups),
            {
                (one.region, name): one.milliseconds
                for name, cluster in members.items()
                for one in cluster.status.latencies
            },
        )

    def covered(self, affinity: GroupAffinity) -> frozenset[str]:
        """Name the members that *affinity* covers."""
        asked = frozenset(affinity.cluster_groups)
        return frozenset(
            name
            for name, cluster in self.clusters.items()
            if covers(affinity, cluster) and (not asked or asked & self.memberships[name])
        )


def _groups_of(cluster: Cluster, groups: Iterable[ClusterGroup]) -> frozenset[str]:
    found: set[str] = set()
    for group in groups:
        try:
            found |= groups_of(cluster, [group])
        except InvalidObject:
            continue
    return frozenset(found)


def terms_of(spec: TrafficSpec, fleet: Fleet, demand: Mapping[str, int]) -> Terms:
    """Find the clusters of a policy. *demand*: requests per second by region, where known.

    Whose turn it is and how much is shifted is for who remembers it to say.
    """
    weights, left = [], frozenset(fleet.clusters)
    for one in spec.weights:
        named = fleet.covered(one.target_cluster)
        weights.append(Weight(clusters=named & left, weight=one.weight))
        left -= named
    groups: list[frozenset[str]] = []
    if spec.failover is not None:
        rest = frozenset(fleet.clusters)
        for affinity in spec.failover.order:
            named = fleet.covered(affinity)
            groups.append(named & rest)
            rest -= named
        groups.append(rest)
    locality = spec.locality
    return Terms(
        weights=tuple(weights),
        nearness=None
        if locality is None
        else Nearness(
            min_ready_percent=locality.min_ready_percent,
            rate=locality.max_rate_per_endpoint or 0,
            latency=fleet.latencies,
            demand=demand,
        ),
        groups=tuple(groups),
        shift_to=fleet.covered(spec.shift.to) if spec.shift is not None else None,
    )


def unknown_of(spec: TrafficSpec, fleet: Fleet) -> tuple[str, ...]:
    """Name the clusters and groups that *spec* speaks of and that there are not."""
    affinities = [one.target_cluster for one in spec.weights]
    affinities += spec.failover.order if spec.failover is not None else ()
    affinities += [spec.shift.to] if spec.shift is not None else []
    affinities += [one.target_cluster for one in spec.routes]
    clusters = {name for one in affinities for name in (*one.cluster_names, *one.exclude)}
    clusters |= {one.cluster for one in spec.gateways}
    groups = {name for one in affinities for name in one.cluster_groups}
    return (
        *sorted(f"cluster {name}" for name in clusters - fleet.clusters.keys()),
        *sorted(f"group {name}" for name in groups - fleet.groups),
    )


def places_of(
    spec: TrafficSpec,
    service: ImportedService,
    wanted: Mapping[str, int],
    fleet: Fleet,
    now: datetime,
) -> tuple[Place, ...]:
    """Return a place for each cluster that exports the service; *wanted*: replicas, where known."""
    gateways = {one.cluster for one in spec.gateways}
    found = []
    for name, exporter in sorted(service.exporters.items()):
        # What stands before the pods knows their ports; without it they are asked for this one.
        taking = exporter.ready if name in gateways else serving(spec, service, exporter)
        cluster = fleet.clusters.get(name)
        draining = _draining(cluster, now) if cluster is not None else "it has left the federation"
        there = backends_of(one for one in exporter.endpoints if not one.terminating)
        found.append(
            Place(
                cluster=name,
                region=exporter.region,
                ready=backends_of(taking),
                wanted=max(there, wanted.get(name, 0)),
                reachable=exporter.reachable,
                drained=bool(draining),
                why=draining if exporter.reachable else "it is not reachable, by health's verdict",
                idle=_idle(spec) if exporter.ready else "",
            )
        )
    return tuple(found)


def next_window(service: ImportedService, fleet: Fleet, now: datetime) -> timedelta | None:
    """How long until a maintenance window of a cluster that exports it begins or ends."""
    moments = (
        maintenance_at(cluster.spec.maintenance_windows, now).changes_at
        for name in service.exporters
        if (cluster := fleet.clusters.get(name)) is not None
    )
    found = min((one for one in moments if one is not None), default=None)
    return found - now if found is not None else None


def _idle(spec: TrafficSpec) -> str:
    which = f"port {spec.port}" if spec.port is not None else "the service's first port"
    return f"no endpoint there serves {which}"


def _draining(cluster: Cluster, now: datetime) -> str:
    """Return why no traffic is to go there; empty where it may."""
    if cluster.metadata.deletion_timestamp is not None or cluster.spec.leaving:
        return "it is leaving the federation"
    windows = maintenance_at(cluster.spec.maintenance_windows, now).taints
    for taint in (*cluster.taints, *windows):
        if taint.key == DRAINING_TAINT:
            return "it is being drained"
        if taint.effect == NO_EXECUTE and taint.key != UNREACHABLE_TAINT:
            return f"its taint {taint.key}:{taint.effect} has everything leave"
    return ""
