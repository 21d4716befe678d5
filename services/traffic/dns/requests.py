"""More than questions: signed ones, and those for a whole zone (RFC 8945, 5936, 1995)."""

import struct
from collections.abc import Mapping
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.tsig
import structlog

from services.traffic.core.dns.door import Door, Request
from services.traffic.core.dns.packets import (
    HEADER,
    NOTAUTH,
    REFUSED,
    error_answer,
)
from services.traffic.core.dns.records import ANY_CLASS, TSIG
from services.traffic.core.dns.transfers import messages
from services.traffic.dns.listening import Send
from shared.clock import Clock
from shared.telemetry import metrics

log = structlog.get_logger("hanse.dns")

Keys = Mapping[dns.name.Name, dns.tsig.Key]

_FUDGE_SECONDS = 300
# Of these two dnspython tells no types.
_sign: Any = dns.tsig.sign
_signature: Any = dns.rdtypes.ANY.TSIG.TSIG


class Requests:
    """Checks who signed, refuses strangers, hands over zones."""

    def __init__(self, door: Door, keys: Keys, clock: Clock) -> None:
        self._door = door
        self._keys = keys
        self._clock = clock

    async def handle(self, request: Request, send: Send) -> None:
        """Answer *request*, whatever it holds."""
        seal: Seal | None = None
        if request.query.signed:
            try:
                seal = self._verify(request.packet)
            except dns.exception.DNSException as err:
                log.info("dns.signature-refused", error=str(err))
                await send(self._not_authentic(request, err))
                return
        if not request.is_transfer:
            query = request.query
            found = self._door.reply(
                request.packet, query, request.served, request.address, stream=True
            )
            if found is not None:
                await send(seal.sign(found) if seal is not None else found)
            return
        if not _may_have(request, seal):
            metrics.DNS_TRANSFERS.labels("refused").inc()
            refusal = error_answer(request.packet, REFUSED)
            await send(seal.sign(refusal) if seal is not None else refusal)
            return
        assert request.served is not None
        metrics.DNS_TRANSFERS.labels("sent").inc()
        for message in messages(request.packet, request.query, request.served.zone):
            await send(seal.sign(message, part=True) if seal is not None else message)

    def _verify(self, packet: bytes) -> "Seal":
        """Raise what dnspython raises of a signature that is not good."""
        asked = dns.message.from_wire(packet, keyring=dict(self._keys))
        if asked.keyname is None:
            raise dns.tsig.BadKey
        return Seal(self._keys[asked.keyname], asked.mac or b"", asked.id, self._clock)

    def _not_authentic(self, request: Request, err: dns.exception.DNSException) -> bytes:
        """Without a signature, for there is nothing both sides know (RFC 8945, 5.2)."""
        code = dns.rcode.BADKEY
        if isinstance(err, dns.tsig.BadSignature):
            code = dns.rcode.BADSIG
        elif isinstance(err, dns.tsig.BadTime):
            code = dns.rcode.BADTIME
        elif not isinstance(err, dns.message.UnknownTSIGKey | dns.tsig.BadKey):
            return error_answer(request.packet, dns.rcode.FORMERR)
        now = int(self._clock.now().timestamp())
        blank = _blank(dns.tsig.HMAC_SHA256, now, request.query.id, code)
        message = error_answer(request.packet, NOTAUTH)
        return _with_signature(message, dns.name.root, blank)


class Seal:
    """Signs answers with the key of the question: one, or the parts of one in their order."""

    def __init__(self, key: dns.tsig.Key, request_mac: bytes, number: int, clock: Clock) -> None:
        self.key = key
        self._request_mac = request_mac
        self._number = number
        self._clock = clock
        self._context: object | None = None

    def sign(self, message: bytes, *, part: bool = False) -> bytes:
        now = int(self._clock.now().timestamp())
        blank = _blank(self.key.algorithm, now, self._number)
        first = self._context is None
        mac = self._request_mac if first else None
        signed, context = _sign(message, self.key, blank, now, mac, self._context, part)
        self._context = context
        return _with_signature(message, self.key.name, signed)


def _blank(algorithm: dns.name.Name, now: int, number: int, error: int = 0) -> Any:
    return _signature(
        dns.rdataclass.ANY,
        dns.rdatatype.TSIG,
        algorithm,
        now,
        _FUDGE_SECONDS,
        b"",
        number,
        error,
        b"",
    )


def _with_signature(message: bytes, name: dns.name.Name, signature: Any) -> bytes:
    body: bytes = signature.to_wire()
    owner = name.to_wire()
    assert owner is not None
    extras = int.from_bytes(message[10:12]) + 1
    head = message[:10] + struct.pack("!H", extras) + message[HEADER:]
    return head + owner + struct.pack("!HHIH", TSIG, ANY_CLASS, 0, len(body)) + body


def _may_have(request: Request, seal: Seal | None) -> bool:
    served = request.served
    if served is None or not served.hands_over_to(request.address):
        return False
    if request.query.name.lower() != served.zone.origin:
        return False
    if not served.transfer_key:
        return True
    return seal is not None and seal.key.name == dns.name.from_text(served.transfer_key)
