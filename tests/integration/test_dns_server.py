"""The server of DNS over real sockets, asked by dnspython and by dig."""

import asyncio
import socket
import struct

import dns.asyncquery
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.zone
import pytest

from services.traffic.core.dns.door import Served
from services.traffic.core.dns.networks import Networks
from services.traffic.core.dns.transfers import RECORDS_MAX
from tests.integration.dns_ground import KEY, dig, needs, server
from tests.unit.traffic.dns_server import clusterset, headless, service

WEB = "web.shop.svc.clusterset.local"
DB = "db.shop.svc.clusterset.local"
LOOPBACK = Networks([("127.0.0.0/8", True)])
ELSEWHERE = Networks([("192.0.2.0/24", True)])
MANY = {f"pod-{n}": [f"10.1.{n >> 8}.{n & 255}"] for n in range(300)}
WHOLE = f"XFR size: {len(MANY) + 3 * RECORDS_MAX + 9} records"
"""A name for each host, of the service itself the addresses and two names with the port, each as
many as are handed over, and nine beside: SOA twice, NS, TXT, its address, and those of the other.
"""


def served(*, key: str = "", secondaries: Networks[bool] | None = None) -> dict[bytes, Served]:
    zone = clusterset(service(ips=["10.42.42.42", "fd00::42"]), headless(hosts={"eu-1": MANY}))
    return {zone.origin: Served(zone, secondaries=secondaries, transfer_key=key)}


async def test_answers_are_the_same_over_udp_and_tcp_and_a_cut_one_is_asked_again() -> None:
    async with server(served()) as port:
        for name, kind in [
            (WEB, "A"),
            (WEB, "AAAA"),
            (f"_http._tcp.{WEB}", "SRV"),
            ("x.local", "A"),
        ]:
            query = dns.message.make_query(name, kind)
            over_udp = await dns.asyncquery.udp(query, "127.0.0.1", 5, port)
            over_tcp = await dns.asyncquery.tcp(query, "127.0.0.1", 5, port)
            assert over_udp == over_tcp
        query = dns.message.make_query(DB, "A")
        answer, used_tcp = await dns.asyncquery.udp_with_fallback(query, "127.0.0.1", 5, port)
        assert used_tcp
        assert len(answer.answer[0]) == 300


@needs("dig")
async def test_dig_sees_what_is_there_and_warns_of_nothing() -> None:
    async with server(served()) as port:
        whole = await dig(port, WEB, "A", "+subnet=10.1.2.0/24", "+nsid")
        assert "status: NOERROR" in whole
        assert "flags: qr aa rd;" in whole
        assert "CLIENT-SUBNET: 10.1.2.0/24/0" in whole
        assert "malformed" not in whole.lower()
        assert "extra bytes" not in whole.lower()
        assert (await dig(port, "+short", WEB, "AAAA")).split() == ["fd00::42"]
        assert len((await dig(port, "+short", DB)).split()) == 300
        assert len((await dig(port, "+short", "+tcp", DB)).split()) == 300
        gone = await dig(port, f"gone.{WEB}")
        assert "status: NXDOMAIN" in gone
        assert "SOA" in gone
        assert "status: REFUSED" in await dig(port, "example.com")
        assert "status: BADVERS" in await dig(port, "+edns=1", "+noednsneg", WEB)
        assert '"1.0.0"' in await dig(port, "+short", "dns-version.clusterset.local", "TXT")


@needs("dig")
async def test_a_zone_is_handed_to_those_who_are_named_and_to_nobody_else() -> None:
    async with server(served(secondaries=LOOPBACK)) as port:
        whole = await dig(port, "clusterset.local", "AXFR", "+onesoa")
        assert WEB in whole
        assert WHOLE in whole
    for secondaries in (None, ELSEWHERE):
        async with server(served(secondaries=secondaries)) as port:
            assert "Transfer failed" in await dig(port, "clusterset.local", "AXFR")
            assert "status: REFUSED" not in await dig(port, WEB)


@needs("dig")
async def test_where_a_key_is_asked_for_only_who_has_it_gets_the_zone() -> None:
    good = f"hmac-sha256:{KEY.name}:c2VjcmV0IG9mIHRoZSB0ZXN0"
    bad = f"hmac-sha256:{KEY.name}:b3RoZXIgc2VjcmV0"
    unknown = "hmac-sha256:nobody:c2VjcmV0IG9mIHRoZSB0ZXN0"
    async with server(served(key="hanse-transfer", secondaries=LOOPBACK)) as port:
        ask = ("clusterset.local", "AXFR", "+onesoa")
        assert WHOLE in await dig(port, *ask, "-y", good)
        assert "Transfer failed" in await dig(port, *ask)
        assert "BADSIG" in await dig(port, WEB, "-y", bad)
        assert "BADKEY" in await dig(port, WEB, "-y", unknown)
        signed = await dig(port, WEB, "-y", good)
        assert "10.42.42.42" in signed
        assert "could not be validated" not in signed


async def test_broken_packets_stop_neither_socket() -> None:
    async with server(served()) as port:
        loop = asyncio.get_running_loop()
        rubbish = [b"", b"\x00" * 5, b"\xff" * 40, b"\x00" * 12, bytes(range(256)) * 2]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for packet in rubbish:
                sender.sendto(packet, ("127.0.0.1", port))
        for packet in rubbish:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(struct.pack("!H", len(packet)) + packet)
            writer.close()
        # One that says it is longer than it is, and goes.
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\xff\xff\x00")
        writer.close()
        query = dns.message.make_query(WEB, "A")
        for ask in (dns.asyncquery.udp, dns.asyncquery.tcp):
            answer = await ask(query, "127.0.0.1", 5, port)
            assert answer.rcode() == dns.rcode.NOERROR
        assert loop.is_running()


async def test_several_questions_of_one_stream_are_answered_in_their_order() -> None:
    async with server(served()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        queries = [dns.message.make_query(WEB, kind) for kind in ("A", "AAAA", "TXT")]
        wires = [query.to_wire() for query in queries]
        writer.write(b"".join(struct.pack("!H", len(wire)) + wire for wire in wires))
        for query in queries:
            size = int.from_bytes(await reader.readexactly(2))
            assert query.is_response(dns.message.from_wire(await reader.readexactly(size)))
        writer.close()


def has_six() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_six(), reason="there is no IPv6 here")
async def test_every_address_of_either_family_is_answered_at() -> None:
    async with server(served(), ("0.0.0.0", "::")) as port:  # noqa: S104 - for a moment.
        for host in ("127.0.0.1", "::1"):
            for ask in (dns.asyncquery.udp, dns.asyncquery.tcp):
                answer = await ask(dns.message.make_query(WEB, "A"), host, 5, port)
                assert answer.rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
async def test_over_udp_no_zone_is_handed_over(kind: str) -> None:
    async with server(served(secondaries=LOOPBACK)) as port:
        query = dns.message.make_query("clusterset.local", kind)
        answer = await dns.asyncquery.udp(query, "127.0.0.1", 5, port)
        records = [found.rdtype for found in answer.answer]
        assert records == ([dns.rdatatype.SOA] if kind == "IXFR" else [])
