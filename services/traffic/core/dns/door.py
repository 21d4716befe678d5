"""Who is answered at all, by zone; and which requests are more than a question."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from services.traffic.core.dns.answering import Answering
from services.traffic.core.dns.names import parents_of
from services.traffic.core.dns.networks import Networks
from services.traffic.core.dns.pacing import Pacing, Verdict
from services.traffic.core.dns.packets import (
    HEADER,
    REFUSED,
    Malformed,
    Query,
    Unanswerable,
    error_answer,
    read_query,
)
from services.traffic.core.dns.records import AXFR, IXFR
from services.traffic.core.dns.zone import Asker, Zone


@dataclass(frozen=True, slots=True)
class Served:
    """A zone and who may ask for what of it."""

    zone: Zone
    clients: Networks[bool] | None = None
    """None: everybody."""
    secondaries: Networks[bool] | None = None
    """Who may have the whole zone; None: nobody."""
    transfer_key: str = ""
    """The TSIG key without which nobody has it; empty: the address alone decides."""
    pacing: Pacing = field(default_factory=lambda: Pacing(0))

    def admits(self, address: bytes) -> bool:
        return self.clients is None or bool(self.clients.at(address))

    def hands_over_to(self, address: bytes) -> bool:
        return self.secondaries is not None and bool(self.secondaries.at(address))


@dataclass(frozen=True, slots=True)
class Request:
    """More than a question: it is signed, or asks for a whole zone."""

    packet: bytes
    query: Query
    served: Served | None
    address: bytes

    @property
    def is_transfer(self) -> bool:
        return self.query.type in (AXFR, IXFR)


class Door:
    """What becomes of a packet: an answer, silence, or a `Request` for somebody else."""

    def __init__(
        self,
        served: Mapping[bytes, Served],
        answering: Answering,
        *,
        cluster_of: Callable[[bytes], str],
        monotonic: Callable[[], float],
    ) -> None:
        """*served*: by origin; its owner keeps it up to date.

        *cluster_of*: the member an address belongs to, for who does not say; empty: none.
        """
        self._served = served
        self._answering = answering
        self._cluster_of = cluster_of
        self._monotonic = monotonic

    def answer(self, packet: bytes, address: bytes, *, stream: bool) -> bytes | Request | None:
        """*address* packed. Never raises, whatever the packet holds."""
        try:
            query = read_query(packet)
        except Unanswerable:
            return None
        except Malformed as err:
            return error_answer(packet, err.code) if len(packet) >= HEADER else None
        served = self._served_of(query.name.lower())
        if query.signed or (stream and query.type in (AXFR, IXFR)):
            return Request(packet, query, served, address)
        return self.reply(packet, query, served, address, stream=stream)

    def _served_of(self, name: bytes) -> Served | None:
        """The zone a key lies in, the longest origin first."""
        for parent in parents_of(name):
            served = self._served.get(parent)
            if served is not None:
                return served
        return None

    def reply(
        self, packet: bytes, query: Query, served: Served | None, address: bytes, *, stream: bool
    ) -> bytes | None:
        """The answer to a question, signed or not."""
        if served is None or not served.admits(address):
            return self._answering.refusal(packet, query, REFUSED)
        zone = served.zone
        if not stream:
            name = query.name.lower()
            what = name if name in zone else zone.origin
            verdict = served.pacing.judge(address, what, self._monotonic())
            if verdict is Verdict.DROP:
                return None
            if verdict is Verdict.CUT:
                return self._answering.cut(packet, query)
        extension = query.extension
        cluster = (extension.cluster if extension is not None else "") or self._cluster_of(address)
        subnet = extension.subnet if extension is not None else None
        asker = Asker(address, subnet, cluster)
        return self._answering.answer(packet, query, zone, asker, stream=stream)
