"""Reading a question, whoever sent it; and the head of an answer (RFC 1035, 6891, 7871).

Nothing in a packet is believed: every length is checked, and what is wrong is told by a code, or
by silence where an answer would only help who forged it.
"""

import struct
from dataclasses import dataclass

from services.traffic.core.dns.names import LABEL_MAX, NAME_MAX
from services.traffic.core.dns.records import IXFR, OPT, TSIG
from shared.api.multicluster import CLUSTER_OPTION

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS = 0, 1, 2, 3, 4, 5, 9, 16
HEADER = 12
PLAIN_SIZE = 512
RESPONSE, AUTHORITATIVE, TRUNCATED, RECURSION_DESIRED = 0x8000, 0x0400, 0x0200, 0x0100
_OPCODE = 0x7800
_CLIENT_SUBNET = 8
_NAME_SERVER_ID = 3
_ADDITIONAL_MAX = 4
_OPTIONS_MAX = 16
_CLUSTER_NAME_MAX = 63
_DNSSEC_OK = 0x8000

_read_header = struct.Struct("!HHHHHH").unpack_from
_read_fixed = struct.Struct("!HHIH").unpack_from
_read_pair = struct.Struct("!HH").unpack_from


class Unanswerable(Exception):
    """No answer at all: it is no question, or too short to be answered."""


class Malformed(Exception):
    """Not to be answered as asked; `code` is the RCODE to say so with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class ClientSubnet:
    """Where the asker of a resolver is, as far as the resolver tells (RFC 7871)."""

    family: int
    source: int
    """Bits of the address that are told."""
    address: bytes

    @property
    def packed(self) -> bytes:
        """The address filled with zeros; empty where it tells nothing."""
        size = {1: 4, 2: 16}.get(self.family, 0) if self.source else 0
        return self.address.ljust(size, b"\x00") if size else b""

    def option(self, scope: int) -> bytes:
        body = struct.pack("!HBB", self.family, self.source, scope) + self.address
        return struct.pack("!HH", _CLIENT_SUBNET, len(body)) + body


@dataclass(frozen=True, slots=True)
class Extension:
    """EDNS(0) of a question."""

    size: int
    dnssec_ok: bool = False
    subnet: ClientSubnet | None = None
    cluster: str = ""
    wants_server_id: bool = False


@dataclass(slots=True)
class Query:
    id: int
    flags: int
    name: bytes
    """As it was asked, in its own letters, which an answer repeats (the 0x20 of resolvers)."""
    type: int
    klass: int
    end: int
    """Where the question ends in the packet."""
    extension: Extension | None = None
    signed: bool = False


def read_query(packet: bytes) -> Query:
    """Raise `Unanswerable` or `Malformed`."""
    length = len(packet)
    if length < HEADER:
        raise Unanswerable
    number, flags, questions, answers, authorities, additional = _read_header(packet)
    if flags & RESPONSE:
        # Two servers that answer each other's answers would never end.
        raise Unanswerable
    if flags & _OPCODE:
        raise Malformed(NOTIMP)
    if questions != 1 or answers or additional > _ADDITIONAL_MAX:
        raise Malformed(FORMERR)
    at = _end_of_question_name(packet, length)
    if at + 4 > length or at - HEADER > NAME_MAX:
        raise Malformed(FORMERR)
    kind, klass = _read_pair(packet, at)
    query = Query(number, flags, packet[HEADER:at], kind, klass, at + 4)
    end = query.end
    if authorities or additional:
        end = _read_rest(packet, query, authorities, additional)
    if end != length:
        raise Malformed(FORMERR)
    return query


def _end_of_question_name(packet: bytes, length: int) -> int:
    at = HEADER
    while at < length:
        size = packet[at]
        if not size:
            return at + 1
        if size > LABEL_MAX:
            break
        at += 1 + size
    raise Malformed(FORMERR)


def _read_rest(packet: bytes, query: Query, authorities: int, additional: int) -> int:
    """Read what stands behind the question; returns where it ends."""
    # A question for what is new since a serial carries the SOA of that (RFC 1995).
    if authorities and (authorities > 1 or query.type != IXFR):
        raise Malformed(FORMERR)
    at = query.end
    for place in range(authorities + additional):
        if query.signed:
            # A signature is the last record (RFC 8945, 5.1).
            raise Malformed(FORMERR)
        at = _read_record(packet, at, query, extends=place >= authorities)
    return at


def _read_record(packet: bytes, at: int, query: Query, *, extends: bool) -> int:
    """Read one record behind the question; returns where the next one begins."""
    owner = at
    at = _skip_name(packet, at)
    if at + 10 > len(packet):
        raise Malformed(FORMERR)
    kind, klass, ttl, size = _read_fixed(packet, at)
    at += 10
    if at + size > len(packet):
        raise Malformed(FORMERR)
    if kind == OPT:
        if not extends or query.extension is not None or packet[owner]:
            raise Malformed(FORMERR)
        query.extension = _read_extension(packet, at, at + size, klass, ttl)
        if ttl >> 16 & 0xFF:
            raise Malformed(BADVERS)
    elif kind == TSIG:
        if not extends:
            raise Malformed(FORMERR)
        query.signed = True
    return at + int(size)


def _skip_name(packet: bytes, at: int) -> int:
    length = len(packet)
    while at < length:
        size = packet[at]
        if not size:
            return at + 1
        if size >= 0xC0:
            return at + 2
        if size > LABEL_MAX:
            break
        at += 1 + size
    raise Malformed(FORMERR)


def _read_extension(packet: bytes, at: int, end: int, size: int, ttl: int) -> Extension:
    subnet: ClientSubnet | None = None
    cluster = ""
    wants_id = False
    options = 0
    while at < end:
        options += 1
        if at + 4 > end or options > _OPTIONS_MAX:
            raise Malformed(FORMERR)
        code, length = _read_pair(packet, at)
        at += 4
        if at + length > end:
            raise Malformed(FORMERR)
        if code == _CLIENT_SUBNET:
            subnet = _read_subnet(packet[at : at + length])
        elif code == CLUSTER_OPTION:
            cluster = packet[at : at + min(length, _CLUSTER_NAME_MAX)].decode("ascii", "replace")
        elif code == _NAME_SERVER_ID:
            wants_id = True
        at += length
    return Extension(size, bool(ttl & _DNSSEC_OK), subnet, cluster, wants_id)


def _read_subnet(body: bytes) -> ClientSubnet:
    if len(body) < 4:
        raise Malformed(FORMERR)
    family, source, scope = struct.unpack_from("!HBB", body)
    address = body[4:]
    bits = {0: 0, 1: 32, 2: 128}.get(family)
    if bits is None or source > bits or scope or len(address) != (source + 7) // 8:
        raise Malformed(FORMERR)
    if source % 8 and address[-1] & (0xFF >> source % 8):
        raise Malformed(FORMERR)
    return ClientSubnet(family, source, address)


def error_answer(packet: bytes, code: int) -> bytes:
    """The shortest answer that says *code*; of a packet of a header at least."""
    number, flags = _read_pair(packet)
    said = RESPONSE | flags & (_OPCODE | RECURSION_DESIRED) | code & 0xF
    if code < 16:
        return struct.pack("!HHHHHH", number, said, 0, 0, 0, 0)
    extension = b"\x00" + struct.pack("!HHIH", OPT, 1232, code >> 4 << 24, 0)
    return struct.pack("!HHHHHH", number, said, 0, 0, 0, 1) + extension


def extension_record(size: int, extension: Extension, scope: int, server_id: bytes) -> bytes:
    """The OPT record of an answer to a question that had one."""
    options = extension.subnet.option(scope) if extension.subnet is not None else b""
    if extension.wants_server_id and server_id:
        options += struct.pack("!HH", _NAME_SERVER_ID, len(server_id)) + server_id
    flags = _DNSSEC_OK if extension.dnssec_ok else 0
    return b"\x00" + struct.pack("!HHIH", OPT, size, flags, len(options)) + options
