"""Signed requests, good and broken: an answer that says so, and never a crash."""

import random
from datetime import datetime, timedelta

import dns.exception
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import pytest

from services.traffic.core.dns.door import Request, Served
from services.traffic.core.dns.networks import Networks
from services.traffic.core.dns.packets import read_query
from services.traffic.dns.requests import Requests, Seal
from shared.clock import SystemClock
from tests.unit.traffic.dns_server import CLIENT, clusterset, door_to, service

WEB = "web.shop.svc.clusterset.local"
KEY = dns.tsig.Key("transfer", "c2VjcmV0IG9mIHRoZSB0ZXN0", "hmac-sha256")
LOOPBACK = Networks([("127.0.0.0/8", True)])
SERVED = Served(
    clusterset(service(ips=["10.42.42.42"])), secondaries=LOOPBACK, transfer_key="transfer"
)
DOOR = door_to(SERVED)


def signed(name: str, kind: str, key: dns.tsig.Key = KEY) -> bytes:
    query = dns.message.make_query(name, kind)
    query.use_tsig(key)
    return query.to_wire()


async def answers(packet: bytes, *, stream: bool = True) -> list[bytes]:
    found = DOOR.answer(packet, CLIENT, stream=stream)
    if not isinstance(found, Request):
        return [found] if found is not None else []
    sent: list[bytes] = []

    async def send(answer: bytes) -> None:
        sent.append(answer)

    await Requests(DOOR, {KEY.name: KEY}, SystemClock()).handle(found, send)
    return sent


async def test_a_signed_question_has_a_signed_answer() -> None:
    query = dns.message.make_query(WEB, "A")
    query.use_tsig(KEY)
    packet = query.to_wire()
    for stream in (True, False):
        [found] = await answers(packet, stream=stream)
        answer = dns.message.from_wire(found, keyring=KEY, request_mac=query.mac or b"")
        assert answer.had_tsig
        assert answer.answer[0][0].to_text() == "10.42.42.42"


@pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
async def test_a_zone_is_for_the_key_alone(kind: str) -> None:
    zone = "clusterset.local"
    assert len((await answers(signed(zone, kind)))[0]) > 300
    plain = dns.message.make_query(zone, kind).to_wire()
    other = dns.tsig.Key("other", "c2VjcmV0", "hmac-sha256")
    codes = [
        dns.message.from_wire((await answers(packet))[0], ignore_trailing=True, keyring=False)
        for packet in (plain, signed(zone, kind, other), signed(WEB, kind))
    ]
    assert [one.rcode() for one in codes] == [
        dns.rcode.REFUSED,
        dns.rcode.NOTAUTH,
        dns.rcode.REFUSED,
    ]


def verifies(packet: bytes) -> bool:
    try:
        return dns.message.from_wire(packet, keyring={KEY.name: KEY}).had_tsig
    except dns.exception.DNSException:
        return False


def is_signed(packet: bytes) -> bool:
    return read_query(packet).signed


async def test_broken_signatures_are_refused_and_stop_nobody() -> None:
    dice = random.Random(3)  # noqa: S311 - dice.
    seeds = [
        signed(WEB, "A"),
        signed("clusterset.local", "AXFR"),
        signed("clusterset.local", "IXFR"),
    ]
    refused = 0
    for number in range(800):
        packet = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 4)):
            # Behind the question, mostly: that is where the signature is.
            at = dice.randrange(12 if number % 4 else 40, len(packet))
            match dice.randrange(3):
                case 0:
                    packet[at] = dice.randrange(256)
                case 1:
                    del packet[at : at + dice.randint(1, 4)]
                case _:
                    packet[at:at] = dice.randbytes(dice.randint(1, 4))
        for found in await answers(bytes(packet)):
            answer = dns.message.from_wire(found, keyring=False)
            assert answer.id == int.from_bytes(packet[:2])
            # A signature that was broken into something else is none.
            assert not answer.answer or verifies(bytes(packet)) or not is_signed(bytes(packet))
            refused += answer.rcode() != dns.rcode.NOERROR
    assert refused > 400


class EarlyClock(SystemClock):
    def now(self) -> datetime:
        return super().now() - timedelta(hours=1)


async def test_an_old_signature_is_too_late() -> None:
    query = dns.message.make_query(WEB, "A")
    old = Seal(KEY, b"", query.id, EarlyClock()).sign(query.to_wire())
    [found] = await answers(old)
    answer = dns.message.from_wire(found, keyring=False)
    assert (answer.rcode(), answer.tsig_error) == (dns.rcode.NOTAUTH, dns.rcode.BADTIME)
