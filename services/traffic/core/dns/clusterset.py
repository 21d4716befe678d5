"""The records of `clusterset.local`: Multicluster DNS 1.0.0 (KEP-1645, specification.md).

A service has one name for the whole set of clusters. Of type ClusterSetIP it says the address that
the service has in the member that asks; headless, it says every ready endpoint, and each of these
has a name of its own beside it, with its cluster in it.

Asked for SRV, the name of a service says all of its ports at once, as that of a Service in a member
does. The specification has only the names of single ports; its conformance suite asks for both.
"""

from collections import defaultdict
from collections.abc import Iterable

from services.traffic.core.catalogue import Endpoint, ImportedService, ServiceName, ServicePort
from services.traffic.core.dns.names import IllegalName, is_host_label, key_of, prefixed
from services.traffic.core.dns.records import (
    NS,
    SRV,
    Authority,
    RecordSet,
    addresses,
    server,
    text,
)
from services.traffic.core.dns.zone import NOTHING, Node, Said, Zone
from shared.api.multicluster import CLUSTERSET_DOMAIN

ORIGIN = tuple(CLUSTERSET_DOMAIN.split("."))
SCHEMA_VERSION = "1.0.0"
_VERSION_TTL = 28_800
_SERVER = ("ns", "dns", *ORIGIN)


def clusterset_zone(server_addresses: Iterable[str], ttl: int, negative_ttl: int) -> Zone:
    """The zone without services. *server_addresses*: where it is served, as far as is known."""
    origin = key_of(ORIGIN)
    server_name = key_of(_SERVER)
    authority = Authority(
        primary=server_name,
        contact=key_of(("hostmaster", *ORIGIN)),
        ttl=ttl,
        negative_ttl=negative_ttl,
    )
    zone = Zone(origin, authority, {NS: RecordSet(NS, ttl, (server_name,))})
    names: dict[bytes, Node] = {
        key_of(("dns-version", *ORIGIN)): _node([text(SCHEMA_VERSION, _VERSION_TTL)])
    }
    if own := addresses(server_addresses, ttl):
        names[server_name] = _node(own)
    zone.put({"zone": Said(names)}, serial=1)
    return zone


def source_of(service: ServiceName) -> str:
    return str(service)


def records_of(service: ImportedService, ttl: int) -> Said:
    """What the zone says of *service*; nothing of one that a name of DNS cannot hold."""
    try:
        base = key_of((service.service.name, service.service.namespace, "svc", *ORIGIN))
        if service.type == "Headless":
            return _headless(service, base, ttl)
        return _with_address(service, base, ttl)
    except ValueError:
        return NOTHING


def _with_address(service: ImportedService, base: bytes, ttl: int) -> Said:
    names: dict[bytes, Node] = {}
    # Without an address to lead to, a port is no answer (RFC 2782).
    ports = _servers(((port.port, base) for port in service.ports), ttl)
    views = {
        cluster: {base: _node([*addresses(ips, ttl), *ports])}
        for cluster, ips in service.ips_by_cluster.items()
        if ips
    }
    shared = addresses(service.ips, ttl)
    if shared:
        names[base] = _node([*shared, *ports])
    if shared or views:
        for port in service.ports:
            if name := _port_name(port, base):
                names[name] = _node([RecordSet(SRV, ttl, (server(port.port, base),))])
    return Said(names, views)


def _headless(service: ImportedService, base: bytes, ttl: int) -> Said:
    every: list[str] = []
    hosts: dict[bytes, list[str]] = defaultdict(list)
    listening: dict[tuple[bytes, ServicePort], int] = {}
    for endpoint in service.ready:
        if endpoint.address_type == "FQDN" or not endpoint.addresses:
            continue
        every += endpoint.addresses
        host = _host_name(endpoint, base)
        if host is None:
            continue
        hosts[host] += endpoint.addresses
        for port in service.ports:
            # After a conflict of ports who lost does not serve this one.
            if (number := endpoint.port_of(port)) is not None:
                listening[host, port] = number
    names: dict[bytes, Node] = {host: _node(addresses(ips, ttl)) for host, ips in hosts.items()}
    if not every:
        # Nobody is ready: such a name does not exist (2.4.1).
        return NOTHING
    numbers = sorted({(number, host) for (host, _), number in listening.items()})
    names[base] = _node([*addresses(every, ttl), *_servers(numbers, ttl)])
    for port in service.ports:
        if name := _port_name(port, base):
            data = [
                server(number, host)
                for (host, where), number in sorted(listening.items(), key=lambda one: one[0][0])
                if where == port
            ]
            if data:
                names[name] = _node([RecordSet(SRV, ttl, tuple(data))])
    return Said(names)


def _servers(ports: Iterable[tuple[int, bytes]], ttl: int) -> list[RecordSet]:
    """One set, each number and host in it once; none where there is no port."""
    data = tuple(dict.fromkeys(server(number, host) for number, host in ports))
    return [RecordSet(SRV, ttl, data)] if data else []


def _port_name(port: ServicePort, base: bytes) -> bytes | None:
    """`_http._tcp` before the service's name; a port without a name has none.

    Nor has one whose name fills a label by itself, as Kubernetes lets it.
    """
    if not port.name:
        return None
    try:
        return prefixed(f"_{port.name}", prefixed(f"_{port.protocol}", base))
    except IllegalName:
        return None


def _host_name(endpoint: Endpoint, base: bytes) -> bytes | None:
    """None where the whole would be too long: the service's own name leads there all the same."""
    try:
        return prefixed(_host_label(endpoint), prefixed(endpoint.cluster, base))
    except IllegalName:
        return None


def _host_label(endpoint: Endpoint) -> str:
    """The host name of an endpoint, or else its first address with dashes, which nobody shares."""
    if is_host_label(endpoint.hostname):
        return endpoint.hostname
    return endpoint.addresses[0].replace(".", "-").replace(":", "-").strip("-")


def _node(sets: Iterable[RecordSet]) -> Node:
    return {found.type: found for found in sets}
