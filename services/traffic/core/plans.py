"""From a policy and its service to the plan that everything which carries traffic goes by."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Literal

from services.traffic.core.catalogue import Endpoint, Exporter, ImportedService, ServicePort
from shared.api.traffic_policy import TrafficPolicy, TrafficSpec, TrafficStatus
from shared.apimachinery.durations import parse_duration
from shared.events.traffic import (
    PlanBackend,
    PlanProtocol,
    PlanShare,
    PlanSplit,
    SessionAffinity,
    TrafficPlan,
)

_HTTP = frozenset({"http", "kubernetes.io/h2c", "kubernetes.io/ws"})


def plan_of(policy: TrafficPolicy, service: ImportedService | None) -> TrafficPlan:
    """Without *service*, or its port, there are no backends but the clusters' gateways."""
    spec = policy.spec
    port = port_of(spec, service)
    return TrafficPlan(
        namespace=policy.metadata.namespace,
        policy=policy.metadata.name,
        service=spec.service,
        port=port_asked(spec, service),
        port_name=port.name if port is not None else "",
        protocol=_protocol(spec, port),
        hosts=spec.hosts,
        session_affinity=_affinity(spec, service),
        session_seconds=_session_seconds(spec, service),
        splits=splits_of(policy.status),
        backends=tuple(_backends(spec, service, port)),
        since=policy.metadata.creation_timestamp or "",
    )


def splits_of(status: TrafficStatus) -> tuple[PlanSplit, ...]:
    return tuple(
        PlanSplit(
            region=split.region,
            shares=tuple(PlanShare(cluster=one.name, share=one.share) for one in split.clusters),
        )
        for split in status.splits
    )


def port_of(spec: TrafficSpec, service: ImportedService | None) -> ServicePort | None:
    """Return the service's port that is meant; None where it has no such port."""
    ports = service.ports if service is not None else ()
    return next((one for one in ports if spec.port in (None, one.port)), None)


def port_asked(spec: TrafficSpec, service: ImportedService | None) -> int:
    """Return its number, whether the service has it or not; 0 where that is not known."""
    port = port_of(spec, service)
    return port.port if port is not None else spec.port or 0


def serving(
    spec: TrafficSpec, service: ImportedService, exporter: Exporter
) -> tuple[Endpoint, ...]:
    """Those of *exporter* that take traffic now by the port that is meant.

    All, where the service has no ports at all, and none is meant.
    """
    port = port_of(spec, service)
    if port is None:
        return exporter.ready if spec.port is None else ()
    return tuple(one for one in exporter.ready if one.port_of(port) is not None)


def _protocol(spec: TrafficSpec, port: ServicePort | None) -> PlanProtocol:
    """Read HTTP where the policy or the port says so: what is something else would be broken."""
    if port is not None and port.protocol != "TCP":
        return port.protocol
    named = port is not None and (port.app_protocol or port.name.partition("-")[0])
    return "HTTP" if spec.hosts or named in _HTTP else "TCP"


def _affinity(spec: TrafficSpec, service: ImportedService | None) -> SessionAffinity:
    if spec.session_affinity != "None" or service is None:
        return spec.session_affinity
    return service.session_affinity


def _session_seconds(spec: TrafficSpec, service: ImportedService | None) -> int:
    if spec.session_affinity == "None" and service is not None:
        seconds = service.session_affinity_seconds
        if seconds is not None:
            return seconds
    return max(1, int(parse_duration(spec.session_timeout or "3h")))


def _backends(
    spec: TrafficSpec, service: ImportedService | None, port: ServicePort | None
) -> Iterable[PlanBackend]:
    gateways = {one.cluster: one.addresses for one in spec.gateways}
    exporters = service.exporters if service is not None else {}
    for name in sorted({*gateways, *exporters}):
        exporter = exporters.get(name)
        region = exporter.region if exporter is not None else ""
        for address in gateways.get(name, ()):
            host, _, number = address.rpartition(":")
            bare = host.removeprefix("[").removesuffix("]")
            yield PlanBackend(
                cluster=name, host=bare, port=int(number), region=region, gateway=True
            )
        if name in gateways or exporter is None or port is None:
            continue
        found = [
            PlanBackend(
                cluster=name, host=one.addresses[0], port=target, region=region, zone=one.zone
            )
            for one in exporter.ready
            if one.addresses and (target := one.port_of(port)) is not None
        ]
        yield from sorted(found, key=lambda one: (one.host, one.port))


def authority(host: str, port: int) -> str:
    """`10.0.0.1:80`, and `[2001:db8::1]:80`."""
    return f"[{host}]:{port}" if address_type(host) == "IPv6" else f"{host}:{port}"


def address_type(host: str) -> Literal["IPv4", "IPv6", "FQDN"]:
    """In the words of EndpointSlices."""
    try:
        return "IPv4" if ip_address(host).version == 4 else "IPv6"
    except ValueError:
        return "FQDN"
