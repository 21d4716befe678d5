"""A server of DNS without sockets, and services to fill it with."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

import dns.flags
import dns.message
import dns.rdatatype

from services.traffic.core.catalogue import (
    Endpoint,
    EndpointPort,
    Exporter,
    ImportedService,
    ServiceName,
    ServicePort,
)
from services.traffic.core.dns.answering import Answering
from services.traffic.core.dns.clusterset import clusterset_zone, records_of, source_of
from services.traffic.core.dns.door import Door, Request, Served
from services.traffic.core.dns.zone import Zone

HTTP = ServicePort(name="http", port=80)
CLIENT = ipaddress.ip_address("127.0.0.1").packed


def service(
    name: str = "web",
    namespace: str = "shop",
    *,
    ports: Sequence[ServicePort] = (HTTP,),
    ips: Sequence[str] = (),
    own: Mapping[str, tuple[str, ...]] | None = None,
) -> ImportedService:
    """*own*: addresses by cluster."""
    return ImportedService(
        service=ServiceName(namespace, name),
        ports=tuple(ports),
        ips=tuple(ips),
        ips_by_cluster=own or {},
    )


def headless(
    name: str = "db",
    namespace: str = "shop",
    *,
    hosts: Mapping[str, Mapping[str, Iterable[str]]],
    ready: bool = True,
    ports: Sequence[ServicePort] = (HTTP,),
) -> ImportedService:
    """*hosts*: addresses by host name by cluster."""
    exporters = {
        cluster: Exporter(
            cluster=cluster,
            endpoints=tuple(
                Endpoint(
                    cluster=cluster,
                    addresses=(address,),
                    address_type="IPv6" if ":" in address else "IPv4",
                    hostname=host,
                    ports=(EndpointPort(name="http", port=8080),),
                    ready=ready,
                )
                for host, addresses in of_host.items()
                for address in addresses
            ),
        )
        for cluster, of_host in hosts.items()
    }
    return ImportedService(
        service=ServiceName(namespace, name),
        type="Headless",
        ports=tuple(ports),
        exporters=exporters,
    )


def clusterset(*services: ImportedService) -> Zone:
    zone = clusterset_zone(["192.0.2.53"], ttl=5, negative_ttl=5)
    said = {source_of(one.service): records_of(one, ttl=5) for one in services}
    zone.put(said, serial=2)
    return zone


def door_to(*zones: Zone | Served, draw: float = 0.0, size_max: int = 1232) -> Door:
    served = [zone if isinstance(zone, Served) else Served(zone) for zone in zones]
    return Door(
        {one.zone.origin: one for one in served},
        Answering(draw=lambda: draw, size_max=size_max, server_id=b"eu-1"),
        cluster_of=lambda _address: "",
        monotonic=lambda: 0.0,
    )


def ask(
    door: Door,
    name: str,
    kind: str = "A",
    *,
    stream: bool = False,
    address: bytes = CLIENT,
    **query: object,
) -> dns.message.Message:
    """What dnspython makes of the answer; it must belong to the question, and carry no rubbish."""
    asked = dns.message.make_query(name, kind, **query)
    found = door.answer(asked.to_wire(), address, stream=stream)
    assert isinstance(found, bytes)
    answer = dns.message.from_wire(found)
    assert asked.is_response(answer)
    return answer


def request(door: Door, packet: bytes) -> Request:
    found = door.answer(packet, CLIENT, stream=True)
    assert isinstance(found, Request)
    return found


def texts(answer: dns.message.Message) -> list[str]:
    return sorted(item.to_text() for found in answer.answer for item in found)


def is_authoritative(answer: dns.message.Message) -> bool:
    return bool(answer.flags & dns.flags.AA)
