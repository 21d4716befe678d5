"""Records as bytes: what a name says of one type, and how each type is written (RFC 1035, 2782)."""

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.traffic.core.dns.names import NAME_MAX

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV = 1, 2, 5, 6, 12, 16, 28, 33
OPT, TSIG, IXFR, AXFR, ANY = 41, 250, 251, 252, 255
IN, CHAOS, ANY_CLASS = 1, 3, 255
TTL_MAX = 2**31 - 1
_POINTER_TO_QUESTION = b"\xc0\x0c"
_RECORD_HEAD = 12
_SET_MAX = 64_000


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All records of one name and type; *data* are their contents as they are sent.

    `answer` is the whole set as it stands in an answer to a question for this very name. Records
    that would not fit into one message over TCP are left out.
    """

    type: int
    ttl: int
    data: tuple[bytes, ...]
    answer: bytes = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False)
    """Of one record in `answer` where all are equally long; else 0."""

    def __post_init__(self) -> None:
        data = self.data
        while sum(map(len, data)) + _RECORD_HEAD * len(data) > _SET_MAX:
            data = data[: len(data) * 9 // 10]
        object.__setattr__(self, "data", data)
        parts = [record(_POINTER_TO_QUESTION, self.type, self.ttl, one) for one in data]
        object.__setattr__(self, "answer", b"".join(parts))
        sizes = {len(part) for part in parts}
        object.__setattr__(self, "size", sizes.pop() if len(sizes) == 1 else 0)

    def turned(self, by: int) -> bytes:
        """`answer` beginning with another record each time, for those who take the first."""
        count = len(self.data)
        if count < 2 or not self.size:
            return self.answer
        cut = by % count * self.size
        return self.answer[cut:] + self.answer[:cut]

    def named(self, owner: bytes) -> bytes:
        """The set under *owner*, a whole name."""
        return b"".join(record(owner, self.type, self.ttl, one) for one in self.data)


def record(owner: bytes, kind: int, ttl: int, data: bytes) -> bytes:
    return owner + struct.pack("!HHIH", kind, IN, ttl, len(data)) + data


def addresses(texts: Iterable[str], ttl: int) -> list[RecordSet]:
    """Sets of A and AAAA, those that are not empty; in a fixed order, each address once."""
    found = sorted({ipaddress.ip_address(text) for text in texts}, key=lambda one: one.packed)
    four = tuple(one.packed for one in found if one.version == 4)
    six = tuple(one.packed for one in found if one.version == 6)
    sets = [(A, four), (AAAA, six)]
    return [RecordSet(kind, ttl, data) for kind, data in sets if data]


def text(words: str, ttl: int) -> RecordSet:
    coded = words.encode()
    assert len(coded) < 256, "one string of TXT has 255 bytes at most"
    return RecordSet(TXT, ttl, (bytes([len(coded)]) + coded,))


def server(port: int, target: bytes, *, priority: int = 0, weight: int = 100) -> bytes:
    """The contents of one SRV record. *target* stays uncompressed (RFC 2782)."""
    return struct.pack("!HHH", priority, weight, port) + target


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What the SOA of a zone says (RFC 1035, 3.3.13); names are keys, times seconds."""

    primary: bytes
    contact: bytes
    ttl: int = 60
    refresh: int = 300
    retry: int = 60
    expire: int = 604_800
    negative_ttl: int = 5
    """How long it may be remembered that there is nothing (RFC 2308)."""

    def set_at(self, serial: int) -> RecordSet:
        return RecordSet(SOA, self.ttl, (self._data(serial),))

    def negative_at(self, serial: int) -> bytes:
        """What follows the owner's name of the SOA in a negative answer."""
        ttl = min(self.ttl, self.negative_ttl)
        return record(b"", SOA, ttl, self._data(serial))

    def _data(self, serial: int) -> bytes:
        assert len(self.primary) <= NAME_MAX
        times = (serial % 2**32, self.refresh, self.retry, self.expire, self.negative_ttl)
        return self.primary + self.contact + struct.pack("!IIIII", *times)
