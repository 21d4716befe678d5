"""Handing a zone over to another server: all of it, or what is new (RFC 5936, 1995)."""

import struct
from collections.abc import Iterable, Iterator

import dns.exception
import dns.message
import dns.rdatatype

from services.traffic.core.dns.packets import AUTHORITATIVE, HEADER, RESPONSE, Query
from services.traffic.core.dns.records import AXFR, RecordSet, record
from services.traffic.core.dns.zone import Zone

_MESSAGE_MAX = 16 * 1024
RECORDS_MAX = 100
"""Of one name and type: as many as BIND takes (`max-records-per-type`); with one more it would
refuse the whole zone."""


def messages(packet: bytes, query: Query, zone: Zone) -> Iterator[bytes]:
    """The messages that hand *zone* over, as *query* in *packet* asks for it.

    All of it, or what is new since a serial (IXFR), or all of it where that is not known.
    """
    whole = query.type == AXFR
    found = _whole(zone) if whole else _news(zone, _serial_of(packet))
    question = packet[HEADER : query.end]
    # A list: the zone may change while it is sent.
    for records, count in _batches(list(found)):
        flags = RESPONSE | AUTHORITATIVE
        head = struct.pack("!HHHHHH", query.id, flags, 1 if question else 0, count, 0, 0)
        yield head + question + records
        question = b""


def _whole(zone: Zone) -> Iterator[bytes]:
    start = zone.soa_at(zone.serial)
    for name, found in zone.sets():
        yield from _records(name, found)
    yield start.named(zone.origin)


def _news(zone: Zone, serial: int | None) -> Iterator[bytes]:
    now = zone.soa_at(zone.serial).named(zone.origin)
    steps = zone.since(serial) if serial is not None else None
    if steps is None:
        yield from _whole(zone)
        return
    yield now
    for step in steps:
        yield zone.soa_at(step.before).named(zone.origin)
        for name, found in step.gone:
            yield from _records(name, found)
        yield zone.soa_at(step.after).named(zone.origin)
        for name, found in step.come:
            yield from _records(name, found)
    if steps:
        yield now


def _records(name: bytes, found: RecordSet) -> Iterable[bytes]:
    data = found.data[:RECORDS_MAX]
    return (record(name, found.type, found.ttl, one) for one in data)


def _batches(records: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    batch: list[bytes] = []
    size = 0
    for one in records:
        if batch and size + len(one) > _MESSAGE_MAX:
            yield b"".join(batch), len(batch)
            batch, size = [], 0
        batch.append(one)
        size += len(one)
    yield b"".join(batch), len(batch)


def _serial_of(packet: bytes) -> int | None:
    """Of the SOA in a question for what is new; None where there is none."""
    try:
        asked = dns.message.from_wire(packet, ignore_trailing=True, continue_on_error=True)
    except dns.exception.DNSException:
        return None
    for found in asked.authority:
        if found.rdtype == dns.rdatatype.SOA and found:
            return int(found[0].serial)
    return None
