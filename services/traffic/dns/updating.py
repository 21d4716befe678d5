"""Telling a server that people already run what a zone says: by its own look, then by updates.

What is there is read by a transfer, so a server that cannot be read is not written either.
"""

import asyncio
from collections.abc import Mapping

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update
import dns.xfr
import dns.zone

from services.traffic.core.dns.records import TXT
from services.traffic.core.dns.updates import NameUpdate, Observed, UpdatePlan, plan_updates
from services.traffic.core.dns.zone import Node
from services.traffic.dns.asking import asked
from services.traffic.dns.notifying import socket_of
from shared.errors import RetryableError

_SECONDS = 5.0
_TRANSFER_SECONDS = 60.0
_AT_ONCE = 8
# The mark is not there, or the name is: somebody else was there in between.
_OVERTAKEN = (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN)


class NotUpdated(RetryableError):
    """The server could not be read or written; the message says what it answered."""


class Updater:
    """One zone of one server."""

    def __init__(self, server: str, origin: bytes, key: dns.tsig.Key, owner: str) -> None:
        """*server* as `203.0.113.7:53`; *owner* marks what is this federation's there."""
        self._where, self._port = socket_of(server)
        self._origin, _ = dns.name.from_wire(origin, 0)
        self._key = key
        self._owner = owner

    async def follow(self, desired: Mapping[bytes, Node]) -> UpdatePlan:
        """Make it say *desired*; returns what was done. Raises `NotUpdated`."""
        plan = plan_updates(desired, await self._observe(), self._owner)
        turn = asyncio.Semaphore(_AT_ONCE)
        # No task group: where one of it fails while it is cancelled, it forgets that it was.
        found = await asyncio.gather(
            *(self._carry_out(one, turn) for one in plan.updates), return_exceptions=True
        )
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return plan

    async def _observe(self) -> Observed:
        zone = dns.zone.Zone(self._origin, relativize=False)
        query, _ = dns.xfr.make_query(zone, keyring={self._key.name: self._key})
        try:
            await asked(
                dns.asyncquery.inbound_xfr(
                    self._where, zone, query, self._port, _SECONDS, _TRANSFER_SECONDS
                )
            )
        except (dns.exception.DNSException, OSError) as err:
            raise NotUpdated(f"zone {self._origin} cannot be read there: {_words(err)}") from err
        found: dict[bytes, dict[int, tuple[int, frozenset[bytes]]]] = {}
        for name, sets in zone.iterate_rdatasets():
            data = frozenset(_wire(item) for item in sets)
            place = name.to_wire()
            assert place is not None
            found.setdefault(place.lower(), {})[int(sets.rdtype)] = (int(sets.ttl), data)
        return found

    async def _carry_out(self, one: NameUpdate, turn: asyncio.Semaphore) -> None:
        async with turn:
            update = self._message(one)
            try:
                answer, _ = await asked(
                    dns.asyncquery.udp_with_fallback(update, self._where, _SECONDS, self._port)
                )
            except (dns.exception.DNSException, OSError) as err:
                raise NotUpdated(f"no answer to an update: {_words(err)}") from err
        code = answer.rcode()
        if code in _OVERTAKEN:
            raise NotUpdated(f"{_name(one.name)} was changed there in between: {code.name}")
        if code != dns.rcode.NOERROR:
            raise NotUpdated(f"the server answers {code.name} to an update")

    def _message(self, one: NameUpdate) -> dns.update.UpdateMessage:
        update = dns.update.UpdateMessage(self._origin, keyring={self._key.name: self._key})
        name, mark_name = _name(one.name), _name(one.mark_name)
        own = one.before.types if one.before is not None else frozenset()
        for kind in one.node.keys() - own:
            update.absent(name, dns.rdatatype.RdataType(kind))
        if one.before is None:
            update.absent(mark_name)
        else:
            update.present(mark_name, *_records(TXT, one.before.record().data))
            update.delete(mark_name, dns.rdatatype.TXT)
        for kind in own:
            update.delete(name, dns.rdatatype.RdataType(kind))
        for kind, wanted in one.node.items():
            for item in _records(kind, wanted.data):
                update.add(name, wanted.ttl, item)
        if one.after is not None:
            mark = one.after.record()
            for item in _records(TXT, mark.data):
                update.add(mark_name, mark.ttl, item)
        return update


def _records(kind: int, data: tuple[bytes, ...]) -> list[dns.rdata.Rdata]:
    sort = dns.rdatatype.RdataType(kind)
    return [dns.rdata.from_wire(dns.rdataclass.IN, sort, one, 0, len(one)) for one in data]


def _wire(item: dns.rdata.Rdata) -> bytes:
    found = item.to_wire()
    assert found is not None
    return found


def _name(key: bytes) -> dns.name.Name:
    return dns.name.from_wire(key, 0)[0]


def _words(err: BaseException) -> str:
    return str(err) or type(err).__name__
