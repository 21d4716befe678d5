"""What a GlobalZone says by itself: whose domain it is, its servers, and what is fixed."""

from collections import defaultdict
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Literal

from services.traffic.core.dns.hosts import node_of
from services.traffic.core.dns.names import parse_name, prefixed
from services.traffic.core.dns.records import NS, TXT, Authority, RecordSet, addresses, text
from services.traffic.core.dns.zone import Zone
from shared.api.global_zone import FixedRecord, GlobalZone, GlobalZoneSpec

_FAMILIES: tuple[tuple[Literal["A", "AAAA"], int], ...] = (("A", 4), ("AAAA", 6))


def records_by_host(spec: GlobalZoneSpec) -> dict[str, tuple[FixedRecord, ...]]:
    """What is fixed, with the addresses of its own servers."""
    found: dict[str, list[FixedRecord]] = defaultdict(list)
    for one in spec.records:
        host = spec.domain if one.name == "@" else f"{one.name}.{spec.domain}"
        found[host].append(one)
    for server in spec.name_servers:
        if f".{server.name}".endswith(f".{spec.domain}"):
            for kind, version in _FAMILIES:
                values = [ip for ip in server.addresses if ip_address(ip).version == version]
                if values:
                    own = FixedRecord(name=server.name, type=kind, values=tuple(values))
                    found[server.name].append(own)
    return {host: tuple(records) for host, records in found.items()}


def fixed_sets(records: Iterable[FixedRecord], ttl: int) -> dict[int, RecordSet]:
    found: dict[int, RecordSet] = {}
    for one in records:
        lasting = one.ttl_seconds or ttl
        if one.type == "CNAME":
            sets = node_of(one.values, lasting, 1).values()
            found.update({made.type: made for made in sets})
        elif one.type == "TXT":
            data = tuple(text(value, lasting).data[0] for value in one.values)
            found[TXT] = RecordSet(TXT, lasting, data)
        else:
            found.update({made.type: made for made in addresses(one.values, lasting)})
    return found


def accept(zones: Iterable[GlobalZone]) -> tuple[dict[str, GlobalZone], dict[str, str]]:
    """The zones to answer for, by domain; and why not for the others, by their names.

    The oldest has a domain.
    """
    taken: dict[str, GlobalZone] = {}
    refused: dict[str, str] = {}
    for zone in sorted(zones, key=_zone_age):
        other = taken.setdefault(zone.spec.domain, zone)
        if other is not zone:
            why = f"{zone.spec.domain} is the domain of GlobalZone {other.metadata.name}"
            refused[zone.metadata.name] = why
    return taken, refused


def _zone_age(zone: GlobalZone) -> tuple[str, str]:
    return zone.metadata.creation_timestamp or "", zone.metadata.name


def new_zone(spec: GlobalZoneSpec) -> Zone:
    """The zone of *spec* without any name."""
    servers = tuple(parse_name(one.name) for one in spec.name_servers)
    person, _, domain = spec.contact.partition("@")
    contact = parse_name(domain or spec.domain)
    authority = Authority(
        primary=servers[0],
        contact=prefixed(person or "hostmaster", contact),
        ttl=spec.ttl_seconds,
        negative_ttl=spec.negative_ttl_seconds,
    )
    apex = {NS: RecordSet(NS, spec.ttl_seconds, servers)}
    return Zone(parse_name(spec.domain), authority, apex)
