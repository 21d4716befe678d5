"""What is exported in the fleet, by whom, and where it answers: the vocabulary of traffic.

A service is one by its namespace and name, whichever members export it (namespace sameness, SIG
Multicluster). Its properties are the outcome of all exports, conflicts settled; its endpoints stay
by member, as each member said last. What a member's endpoints are worth (`Exporter.reachable`) is
health's verdict, and no longer than that: a silent member keeps them until there is one.

Values never change; who holds one may keep it. What changed is told by `LiveCatalogue`
(`reconcilers/catalogue.py`), which every process of traffic has, wherever it runs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

AddressType = Literal["IPv4", "IPv6", "FQDN"]
ImportType = Literal["ClusterSetIP", "Headless"]
Protocol = Literal["TCP", "UDP", "SCTP"]


class ServiceName(NamedTuple):
    """The identity of a service in the fleet."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """A port clients ask for. `name` may be empty where there is one only."""

    name: str = ""
    protocol: Protocol = "TCP"
    port: int
    app_protocol: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPort:
    """Where an endpoint listens for the service's port of the same name."""

    name: str = ""
    protocol: Protocol = "TCP"
    port: int
    app_protocol: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One backend in one member, as an EndpointSlice there says.

    `zone` is that of its node, or else of its member. `serving` and `terminating` as Kubernetes
    means them: who terminates may still serve. `ready` is never true of who terminates, unless
    the service publishes not ready addresses. `for_zones` are topology hints of the source.
    """

    cluster: str
    region: str = ""
    zone: str = ""
    addresses: tuple[str, ...]
    address_type: AddressType = "IPv4"
    ports: tuple[EndpointPort, ...] = ()
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    hostname: str = ""
    node_name: str = ""
    for_zones: tuple[str, ...] = ()

    def port_of(self, service_port: ServicePort) -> int | None:
        """The number by which it serves that port; None where it does not."""
        for port in self.ports:
            if port.name == service_port.name and port.protocol == service_port.protocol:
                return port.port
        return None


def backends_of(endpoints: Iterable[Endpoint]) -> int:
    """How many backends *endpoints* are: one with addresses of two families is in slices of both.

    Those of the family with the most count, since which are the same nobody says.
    """
    return max(Counter(one.address_type for one in endpoints).values(), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """One member that exports a service, and its endpoints there."""

    cluster: str
    region: str = ""
    zone: str = ""
    reachable: bool = True
    """False by the verdict of health: nobody is to be sent to its endpoints."""
    ingress: tuple[str, ...] = ()
    """Addresses and host names by which its load balancer lets the world reach it."""
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def ready(self) -> tuple[Endpoint, ...]:
        """Those that take traffic now."""
        return tuple(one for one in self.endpoints if one.ready) if self.reachable else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedService:
    """A service as every member sees it. `exporters` by cluster, in order of their names.

    `ips_by_cluster`: those by which the clients of each member reach a service of type
    ClusterSetIP; they lead nowhere from elsewhere. `ips` are valid everywhere, and mostly empty.
    `session_affinity_seconds` counts where `session_affinity` is ClientIP.
    `traffic_distribution` is Kubernetes' own word (PreferClose ...), empty for none.
    """

    service: ServiceName
    type: ImportType = "ClusterSetIP"
    ports: tuple[ServicePort, ...] = ()
    ips: tuple[str, ...] = ()
    session_affinity: Literal["None", "ClientIP"] = "None"
    session_affinity_seconds: int | None = None
    ip_families: tuple[Literal["IPv4", "IPv6"], ...] = ()
    internal_traffic_policy: str = ""
    traffic_distribution: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    exporters: Mapping[str, Exporter] = field(default_factory=lambda: MappingProxyType({}))
    ips_by_cluster: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    @property
    def endpoints(self) -> Iterator[Endpoint]:
        """All of them, of unreachable members too."""
        for exporter in self.exporters.values():
            yield from exporter.endpoints

    @property
    def ready(self) -> Iterator[Endpoint]:
        """Those that take traffic now, in members that can be reached."""
        for exporter in self.exporters.values():
            yield from exporter.ready
