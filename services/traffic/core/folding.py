"""From what members report of a service to what the whole fleet has of it (pure).

What a member reported stands until it reports otherwise, or leaves: neither silence nor a restart
takes an endpoint away. Whether anybody is sent there is the verdict of health (`Place.reachable`).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from services.traffic.core.catalogue import (
    Endpoint,
    EndpointPort,
    Exporter,
    ImportedService,
    ServiceName,
)
from services.traffic.core.exports import (
    HubExport,
    Settled,
    Validity,
    affinity_seconds,
    exports_of,
    judge_export,
    settle,
)
from shared.api.cluster import UNREACHABLE_TAINT, Cluster, ClusterNetwork
from shared.api.multicluster import OLD_SERVICES_API, SERVICES_API
from shared.events.exports import (
    EndpointReport,
    PortReport,
    ServiceReport,
    SliceReport,
    family_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A member as traffic sees it."""

    region: str = ""
    zone: str = ""
    reachable: bool = True
    network: ClusterNetwork | None = None
    services_api: str = SERVICES_API
    """In which version imports and exports are written there."""
    leaving: bool = False
    """It is to import nothing any more: nobody would renew what it has of others."""


def place_of(cluster: Cluster) -> Place:
    """A member counts as lost once health gave it up, and not while observers disagree."""
    lost = any(taint.key == UNREACHABLE_TAINT for taint in cluster.status.taints)
    served = {one.group_version for one in cluster.status.api_enablements}
    is_old = OLD_SERVICES_API in served and SERVICES_API not in served
    return Place(
        region=cluster.spec.region,
        zone=cluster.spec.zone,
        reachable=not lost,
        network=cluster.spec.network,
        services_api=OLD_SERVICES_API if is_old else SERVICES_API,
        leaving=bool(cluster.spec.leaving),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """`service` is None where nothing that could be imported is exported.

    `validity`: of each member's export, valid or not. `slices`: by cluster, what its endpoints
    are imported from, with only the ports that count. `endpoints`: of each slice, by cluster and
    name, those made of it.
    """

    name: ServiceName
    service: ImportedService | None = None
    settled: Settled | None = None
    validity: Mapping[str, Validity] = field(default_factory=dict)
    slices: Mapping[str, tuple[SliceReport, ...]] = field(default_factory=dict)
    endpoints: Mapping[tuple[str, str], tuple[Endpoint, ...]] = field(default_factory=dict)


def fold(
    name: ServiceName,
    reports: Mapping[str, ServiceReport],
    hub: HubExport | None,
    fleet: Mapping[str, Place],
    before: Folded | None = None,
) -> Folded:
    """*reports* are those of members in the *fleet*, by cluster; others are passed over.

    *before* is what came of it last: endpoints of slices that are the same are those of then.
    """
    known = {cluster: one for cluster, one in reports.items() if cluster in fleet}
    validity = {
        cluster: judge_export(report, hub)
        for cluster, report in known.items()
        if report.export is not None or (hub is not None and report.service is not None)
    }
    settled = settle(exports_of(known, hub))
    if settled is None:
        return Folded(name=name, validity=validity)
    slices = {
        cluster: tuple(_accepted_slices(known[cluster], settled, cluster))
        for cluster in sorted(settled.accepted)
    }
    endpoints = {
        (cluster, one.name): _endpoints(cluster, fleet[cluster], one, before)
        for cluster, own in slices.items()
        for one in own
    }
    exporters = {
        cluster: Exporter(
            cluster=cluster,
            region=fleet[cluster].region,
            zone=fleet[cluster].zone,
            reachable=fleet[cluster].reachable,
            ingress=_ingress(known[cluster]),
            endpoints=tuple(chain.from_iterable(endpoints[cluster, one.name] for one in own)),
        )
        for cluster, own in slices.items()
    }
    return Folded(
        name=name,
        service=_service(name, known, settled, exporters),
        settled=settled,
        validity=validity,
        slices=slices,
        endpoints=endpoints,
    )


def _service(
    name: ServiceName,
    known: Mapping[str, ServiceReport],
    settled: Settled,
    exporters: Mapping[str, Exporter],
) -> ImportedService:
    face, winner = settled.winner.face, settled.winner
    return ImportedService(
        service=name,
        type=winner.type,
        ports=settled.ports,
        session_affinity=face.session_affinity,
        session_affinity_seconds=affinity_seconds(face),
        ip_families=face.ip_families,
        internal_traffic_policy=face.internal_traffic_policy,
        traffic_distribution=face.traffic_distribution,
        labels=dict(winner.labels),
        annotations=dict(winner.annotations),
        exporters=exporters,
        ips_by_cluster=dict(_ips_by_cluster(known, face.ip_families)),
    )


def _ips_by_cluster(
    reports: Mapping[str, ServiceReport], families: Collection[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Addresses in a family of the service: behind the others is no endpoint.

    All of a member's where none is, so that it can be said that none is.
    """
    for cluster, report in sorted(reports.items()):
        if report.ips:
            yield (
                cluster,
                tuple(ip for ip in report.ips if family_of(ip) in families) or report.ips,
            )


def _ingress(report: ServiceReport) -> tuple[str, ...]:
    return report.service.ingress if report.service is not None else ()


def _accepted_slices(report: ServiceReport, settled: Settled, cluster: str) -> list[SliceReport]:
    accepted = settled.accepted[cluster]
    face = report.service
    assert face is not None
    if len(accepted) == len(face.ports):
        return [one for one in report.slices if one.endpoints]
    names = {(port.name, port.protocol) for port in accepted}
    found = []
    for one in report.slices:
        ports = tuple(port for port in one.ports if (port.name, port.protocol) in names)
        # Without a port that counts nothing there answers anybody.
        if ports and one.endpoints:
            found.append(
                SliceReport(
                    name=one.name,
                    address_type=one.address_type,
                    ports=ports,
                    endpoints=one.endpoints,
                )
            )
    return found


def _endpoints(
    cluster: str, place: Place, slice_: SliceReport, before: Folded | None
) -> tuple[Endpoint, ...]:
    """Those of one slice; no object is made anew where nothing they rest on is another."""
    if before is not None and before.service is not None:
        old = before.service.exporters.get(cluster)
        if old is not None and (old.region, old.zone) == (place.region, place.zone):
            for one in before.slices[cluster]:
                if one is slice_:
                    return before.endpoints[cluster, one.name]
    ports = tuple(_port(port) for port in slice_.ports)
    return tuple(_endpoint(cluster, place, slice_, ports, each) for each in slice_.endpoints)


def _endpoint(
    cluster: str,
    place: Place,
    slice_: SliceReport,
    ports: tuple[EndpointPort, ...],
    endpoint: EndpointReport,
) -> Endpoint:
    return Endpoint(
        cluster=cluster,
        region=place.region,
        zone=endpoint.zone or place.zone,
        addresses=endpoint.addresses,
        address_type=slice_.address_type,
        ports=ports,
        ready=endpoint.ready,
        serving=endpoint.serving,
        terminating=endpoint.terminating,
        hostname=endpoint.hostname,
        node_name=endpoint.node_name,
        for_zones=endpoint.for_zones,
    )


def _port(port: PortReport) -> EndpointPort:
    return EndpointPort(
        name=port.name, protocol=port.protocol, port=port.port, app_protocol=port.app_protocol
    )
