"""Telling secondaries that a zone has changed, so that they hear of it at once (RFC 1996).

It is advice: whoever does not hear of it asks by the times in the SOA.
"""

import asyncio

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdatatype
import dns.tsig
import structlog

from services.traffic.core.dns.zone import Zone
from services.traffic.dns.asking import asked
from services.traffic.dns.requests import Keys

log = structlog.get_logger("hanse.dns")

_TRIES = 3
_WAIT_SECONDS = 2.0
# What changes all the time is told this often.
_CALM_SECONDS = 0.5


class Notifier:
    """Tells each secondary of each zone, the newest news alone."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._due: dict[tuple[bytes, str], str] = {}
        self._wake = asyncio.Event()

    def tell(self, zone: Zone, servers: tuple[str, ...], key: str) -> None:
        """*servers* as `203.0.113.7:53`; *key* by name, empty for none."""
        for server in servers:
            self._due[zone.origin, server] = key
            self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            due, self._due = self._due, {}
            await asyncio.gather(*(self._tell(*where, key) for where, key in due.items()))
            await asyncio.sleep(_CALM_SECONDS)

    async def _tell(self, origin: bytes, server: str, key: str) -> None:
        name, _ = dns.name.from_wire(origin, 0)
        notice = dns.message.make_query(name, dns.rdatatype.SOA)
        notice.set_opcode(dns.opcode.NOTIFY)
        notice.flags = dns.flags.Flag(notice.flags & ~dns.flags.RD | dns.flags.AA)
        if key:
            found = self._keys.get(dns.name.from_text(key))
            if found is None:
                return
            notice.use_tsig(found)
        host, port = socket_of(server)
        for attempt in range(_TRIES):
            try:
                await asked(dns.asyncquery.udp(notice, host, _WAIT_SECONDS * (attempt + 1), port))
            except (dns.exception.DNSException, OSError) as err:
                last = str(err)
            else:
                return
        log.warning("dns.not-notified", zone=name.to_text(), server=server, error=last)


def socket_of(server: str) -> tuple[str, int]:
    """Address and port of `203.0.113.7:53` or `[2001:db8::7]:53`."""
    host, _, port = server.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)
