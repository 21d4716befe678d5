"""From a packet to its answer, for the zones this process holds (RFC 1034, 2308, 6891, 8482).

An answer begins with the question as it was asked, in its own letters, and says each owner's name
by a pointer to it. What does not fit is left out in this order: additional records, then
everything, with the sign to ask again over TCP.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from services.traffic.core.dns.packets import (
    AUTHORITATIVE,
    FORMERR,
    HEADER,
    NOERROR,
    NOTIMP,
    NXDOMAIN,
    PLAIN_SIZE,
    RECURSION_DESIRED,
    REFUSED,
    RESPONSE,
    TRUNCATED,
    Extension,
    Query,
    extension_record,
)
from services.traffic.core.dns.records import (
    AAAA,
    ANY,
    AXFR,
    CNAME,
    IN,
    IXFR,
    OPT,
    SOA,
    SRV,
    A,
    record,
)
from services.traffic.core.dns.zone import EMPTY, Asker, Node, Zone

STREAM_SIZE = 65_535
_SRV_FIXED = 6
_EXTRAS_MAX = 16
_ADDRESSED = (A, AAAA, CNAME, ANY)
_pack_header = struct.Struct("!HHHHHH").pack
# RFC 8482: whoever asks for everything is told something, and little.
_HINFO = 13
_ANY_DATA = b"\x07RFC8482\x00"


@dataclass(frozen=True, slots=True)
class Section:
    """What goes between the question and the OPT record."""

    code: int
    answers: int = 0
    answer: bytes = b""
    authorities: int = 0
    authority: bytes = b""
    extras: int = 0
    extra: bytes = b""
    scope: int = 0
    authoritative: bool = True


_REFUSED = Section(REFUSED, authoritative=False)
_NOT_DONE = Section(NOTIMP, authoritative=False)


class Answering:
    """Makes answers; knows no zone of its own."""

    def __init__(
        self,
        *,
        draw: Callable[[], float],
        size_max: int = 1232,
        server_id: bytes = b"",
    ) -> None:
        """*size_max* bounds what is sent over UDP, whatever an asker offers to take."""
        self._draw = draw
        self._size_max = size_max
        self._server_id = server_id
        self._turn = 0

    def answer(
        self, packet: bytes, query: Query, zone: Zone | None, asker: Asker, *, stream: bool
    ) -> bytes:
        """The answer to *query*, which *packet* holds. No *zone*: it is nobody's here."""
        section = self._section(query, zone, asker) if zone is not None else _REFUSED
        return self._assemble(packet, query, section, stream=stream)

    def refusal(self, packet: bytes, query: Query, code: int = REFUSED) -> bytes:
        """Nothing but *code*."""
        section = Section(code, authoritative=False)
        return self._assemble(packet, query, section, stream=True)

    def cut(self, packet: bytes, query: Query) -> bytes:
        """Nothing but the request to come back over TCP: only who really asked can."""
        flags = RESPONSE | TRUNCATED | query.flags & RECURSION_DESIRED
        head = _pack_header(query.id, flags, 1, 0, 0, 0)
        return head + packet[HEADER : query.end]

    def _section(self, query: Query, zone: Zone, asker: Asker) -> Section:
        kind = query.type
        if query.klass != IN:
            return _REFUSED
        if kind >= IXFR and kind != ANY:
            # Who asks for what is new over UDP is told the serial, and comes back over TCP.
            return self._found(query, zone, asker, SOA) if kind == IXFR else _other(kind)
        if kind == OPT:
            return Section(FORMERR, authoritative=False)
        return self._found(query, zone, asker, kind)

    def _found(self, query: Query, zone: Zone, asker: Asker, kind: int) -> Section:
        name = query.name.lower()
        known = name if name in zone else zone.wildcard_of(name)
        node: Node | None = zone.find(known, asker) if known is not None else None
        scope = 0
        chooser = zone.chosen.get(known) if known is not None and zone.chosen else None
        if chooser is not None and (kind in _ADDRESSED or kind not in (node or EMPTY)):
            choice = chooser.choose(kind, asker, self._draw())
            node = choice.node
            scope = choice.scope
        if node:
            found = node.get(kind) or node.get(CNAME)
            if found is not None:
                self._turn += 1
                extras, extra = self._extras(found.data, zone, asker) if kind == SRV else (0, b"")
                return Section(
                    NOERROR,
                    len(found.data),
                    found.turned(self._turn),
                    extras=extras,
                    extra=extra,
                    scope=scope,
                )
            if kind == ANY:
                said = record(b"\xc0\x0c", _HINFO, zone.authority.negative_ttl, _ANY_DATA)
                return Section(NOERROR, 1, said)
        code = NOERROR if known is not None else NXDOMAIN
        # The owner of the SOA is the end of the name that was asked for.
        above = HEADER + len(name) - len(zone.origin)
        return Section(
            code,
            authorities=1,
            authority=struct.pack("!H", 0xC000 | above) + zone.negative,
            scope=scope,
        )

    def _extras(self, targets: Iterable[bytes], zone: Zone, asker: Asker) -> tuple[int, bytes]:
        """Addresses of the targets of SRV records, of a few."""
        count = 0
        parts = []
        names = dict.fromkeys(data[_SRV_FIXED:] for data in targets)
        for name in list(names)[:_EXTRAS_MAX]:
            node = zone.find(name, asker)
            for kind in (A, AAAA):
                if node and (found := node.get(kind)):
                    count += len(found.data)
                    parts.append(found.named(name))
        return count, b"".join(parts)

    def _assemble(self, packet: bytes, query: Query, section: Section, *, stream: bool) -> bytes:
        extension = query.extension
        limit = STREAM_SIZE if stream else self._limit(extension)
        question = packet[HEADER : query.end]
        tail = (
            extension_record(self._size_max, extension, section.scope, self._server_id)
            if extension is not None
            else b""
        )
        flags = RESPONSE | query.flags & RECURSION_DESIRED | section.code
        if section.authoritative:
            flags |= AUTHORITATIVE
        counts = (section.answers, section.authorities, section.extras)
        body = section.answer + section.authority + section.extra
        fixed = HEADER + len(question) + len(tail)
        if fixed + len(body) > limit:
            body = section.answer + section.authority
            counts = (section.answers, section.authorities, 0)
            if fixed + len(body) > limit:
                body = b""
                counts = (0, 0, 0)
                flags |= TRUNCATED
        head = _pack_header(
            query.id, flags, 1, counts[0], counts[1], counts[2] + (extension is not None)
        )
        return head + question + body + tail

    def _limit(self, extension: Extension | None) -> int:
        if extension is None:
            return PLAIN_SIZE
        return max(PLAIN_SIZE, min(extension.size, self._size_max))


def _other(kind: int) -> Section:
    """Transfers are not answered here, nor are types that only mean something in a request."""
    return _REFUSED if kind == AXFR else _NOT_DONE
