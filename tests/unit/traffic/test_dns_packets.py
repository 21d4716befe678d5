"""What a packet gets, whoever made it: the right code and size, or silence; never a crash."""

import random
import struct

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.traffic.core.dns.door import Request, Served
from services.traffic.core.dns.networks import Networks, packed
from services.traffic.core.dns.pacing import Pacing
from shared.api.multicluster import CLUSTER_OPTION
from tests.unit.traffic.dns_server import CLIENT, ask, clusterset, door_to, headless, service, texts

WEB = "web.shop.svc.clusterset.local"
DB = "db.shop.svc.clusterset.local"
MANY = headless(hosts={"eu-1": {f"pod-{n}": [f"10.1.{n >> 8}.{n & 255}"] for n in range(100)}})
DOOR = door_to(clusterset(service(ips=["10.42.42.42"]), MANY))
# A fixed id: the packet is part of the names of tests, which every process must find the same.
QUESTION = dns.message.make_query(WEB, "A", use_edns=False, id=4711).to_wire()


def code(packet: bytes) -> dns.rcode.Rcode:
    found = DOOR.answer(packet, CLIENT, stream=False)
    assert isinstance(found, bytes)
    answer = dns.message.from_wire(found)
    assert answer.flags & dns.flags.QR
    return answer.rcode()


def header(number: int = 7, flags: int = 0, *counts: int) -> bytes:
    return struct.pack("!HHHHHH", number, flags, *(counts or (1, 0, 0, 0)))


NAME = QUESTION[12:-4]
ASKED = NAME + b"\x00\x01\x00\x01"
OPTION_CUT = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x09"
OPT = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"


@pytest.mark.parametrize(
    "packet",
    {
        "no question": header(7, 0, 0, 0, 0, 0),
        "two questions": header(7, 0, 2, 0, 0, 0) + ASKED + ASKED,
        "an answer in it": header(7, 0, 1, 1, 0, 0) + ASKED,
        "an authority in it": header(7, 0, 1, 0, 1, 0) + ASKED + OPT,
        "a name without end": header() + b"\x3fabc",
        "a name that points": header() + b"\xc0\x0c\x00\x01\x00\x01",
        "a label of the old sort": header() + b"\x41" + ASKED,
        "a name too long": header() + b"\x3f" + b"a" * 63 + (b"\x3f" + b"a" * 63) * 3 + ASKED[-5:],
        "no type": header() + NAME,
        "rubbish behind it": QUESTION + b"\x00",
        "a record that is cut": header(7, 0, 1, 0, 0, 1) + ASKED + OPT[:-3],
        "a record longer than told": header(7, 0, 1, 0, 0, 1) + ASKED + OPT[:-1] + b"\x09",
        "an option that is cut": header(7, 0, 1, 0, 0, 1) + ASKED + OPTION_CUT,
        "two extensions": header(7, 0, 1, 0, 0, 2) + ASKED + OPT + OPT,
        "an extension with a name": header(7, 0, 1, 0, 0, 1) + ASKED + b"\x01a" + OPT,
        "far too many records": header(7, 0, 1, 0, 0, 9) + ASKED + OPT * 9,
    }.items(),
    ids=lambda item: item[0].replace(" ", "-"),
)
def test_what_is_no_question_is_a_format_error(packet: tuple[str, bytes]) -> None:
    assert code(packet[1]) == dns.rcode.FORMERR


@pytest.mark.parametrize("packet", [b"", b"\x00", QUESTION[:11], header(7, 0x8000) + ASKED])
def test_what_cannot_be_answered_and_answers_are_met_with_silence(packet: bytes) -> None:
    assert DOOR.answer(packet, CLIENT, stream=False) is None


@pytest.mark.parametrize("opcode", [1, 2, 4, 5, 15])
def test_other_requests_than_questions_are_not_done_here(opcode: int) -> None:
    assert code(header(7, opcode << 11) + ASKED) == dns.rcode.NOTIMP


def test_a_newer_extension_is_told_which_there_is() -> None:
    newer = b"\x00\x00\x29\x04\xd0\x00\x01\x00\x00\x00\x00"
    assert code(header(7, 0, 1, 0, 0, 1) + ASKED + newer) == dns.rcode.BADVERS


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x01\x18",
        b"\x00\x09\x18\x00\x0a\x01\x02",
        b"\x00\x01\x18\x00\x0a\x01",
        b"\x00\x01\x18\x00\x0a\x01\x02\x03",
        b"\x00\x01\x21\x00\x0a\x01\x02\x03\x04",
        b"\x00\x01\x18\x18\x0a\x01\x02",
        b"\x00\x01\x14\x00\x0a\x01\x02",
    ],
    ids=["short", "family", "less", "more", "bits", "scope", "rest"],
)
def test_a_client_subnet_that_is_none_is_a_format_error(body: bytes) -> None:
    option = dns.edns.GenericOption(8, body)
    packet = dns.message.make_query(WEB, "A", options=[option]).to_wire()
    assert code(packet) == dns.rcode.FORMERR


def test_a_client_subnet_is_repeated_for_everyone_where_it_plays_no_part() -> None:
    option = dns.edns.ECSOption("10.1.2.0", 24)
    answer = ask(DOOR, WEB, options=[option])
    assert [(one.srclen, one.scopelen) for one in answer.options] == [(24, 0)]


def test_the_server_says_which_it_is() -> None:
    answer = ask(DOOR, WEB, options=[dns.edns.GenericOption(3, b"")])
    assert [one.nsid for one in answer.options] == [b"eu-1"]


@pytest.mark.parametrize("name", ["example.com", "local", "xclusterset.local", "."])
def test_names_outside_are_refused(name: str) -> None:
    answer = ask(DOOR, name)
    assert (answer.rcode(), answer.answer, answer.authority) == (dns.rcode.REFUSED, [], [])
    assert not answer.flags & dns.flags.AA


def test_a_label_that_holds_the_end_of_a_name_is_not_within_it() -> None:
    tricky = b"\x12" + b"a" + b"\x0aclusterset\x05local" + b"\x00"
    packet = header() + tricky + b"\x00\x01\x00\x01"
    assert code(packet) == dns.rcode.REFUSED


def test_other_classes_are_refused_and_everything_is_told_little() -> None:
    packet = dns.message.make_query("version.bind", "TXT", rdclass=dns.rdataclass.CH).to_wire()
    assert code(packet) == dns.rcode.REFUSED
    answer = ask(DOOR, WEB, "ANY")
    assert [found.rdtype.name for found in answer.answer] == ["HINFO"]


@given(st.lists(st.booleans(), min_size=len(WEB), max_size=len(WEB)))
def test_letters_are_repeated_as_they_were_asked(upper: list[bool]) -> None:
    name = "".join(c.upper() if up else c for c, up in zip(WEB, upper, strict=True))
    answer = ask(DOOR, name)
    assert answer.question[0].name.to_text() == f"{name}."
    assert answer.answer[0].name.to_text() == f"{name}."
    assert texts(answer) == ["10.42.42.42"]


@given(st.integers(0, 65_535), st.sampled_from(["A", "AAAA", "SRV", "ANY", "TXT"]))
def test_nothing_longer_than_the_asker_takes_is_sent(size: int, kind: str) -> None:
    asked = dns.message.make_query(f"_http._tcp.{DB}" if kind == "SRV" else DB, kind, payload=size)
    found = DOOR.answer(asked.to_wire(), CLIENT, stream=False)
    assert isinstance(found, bytes)
    assert len(found) <= max(512, min(size, 1232))
    answer = dns.message.from_wire(found)
    whole = ask(DOOR, asked.question[0].name.to_text(), kind, stream=True)
    if answer.flags & dns.flags.TC:
        assert answer.answer == []
    else:
        assert texts(answer) == texts(whole)


def test_without_extension_512_bytes_are_the_limit() -> None:
    answer = ask(DOOR, DB, use_edns=False)
    assert answer.flags & dns.flags.TC
    assert len(texts(ask(DOOR, DB, use_edns=False, stream=True))) == 100


def test_records_take_turns() -> None:
    first = {ask(DOOR, DB, stream=True).answer[0][0].to_text() for _ in range(100)}
    assert len(first) == 100


def seeds() -> list[bytes]:
    options = [dns.edns.ECSOption("10.1.2.0", 24), dns.edns.GenericOption(CLUSTER_OPTION, b"eu-1")]
    return [
        QUESTION,
        dns.message.make_query(DB, "SRV", options=options).to_wire(),
        dns.message.make_query(f"_http._tcp.{DB}", "SRV", want_dnssec=True).to_wire(),
        dns.message.make_query("clusterset.local", "IXFR").to_wire(),
        dns.message.make_response(dns.message.make_query(WEB, "A")).to_wire(),
    ]


def mutated(seed: int) -> bytes:
    dice = random.Random(seed)  # noqa: S311 - dice.
    packet = bytearray(dice.choice(seeds()))
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(packet) + 1)
        match dice.randrange(4):
            case 0:
                packet[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                del packet[at : at + dice.randint(1, 8)]
            case 2:
                packet[at:at] = dice.randbytes(dice.randint(1, 8))
            case _:
                packet[at : at + 2] = dice.choice(
                    [b"\xff\xff", b"\x00\x00", b"\xc0\x0c", b"\x80\x00"]
                )
    return bytes(packet)


def check(packet: bytes, *, stream: bool) -> None:
    found = DOOR.answer(packet, CLIENT, stream=stream)
    if found is None:
        assert len(packet) < 12 or packet[2] & 0x80
    elif isinstance(found, Request):
        assert stream or found.query.signed
    else:
        answer = dns.message.from_wire(found)
        assert answer.id == int.from_bytes(packet[:2])
        assert stream or len(found) <= 1232


@given(st.binary(max_size=600))
def test_any_bytes_are_answered_or_not(packet: bytes) -> None:
    check(packet, stream=False)
    check(packet, stream=True)


def test_questions_with_broken_parts_are_answered_or_not() -> None:
    for seed in range(1_000):
        check(mutated(seed), stream=seed % 2 == 0)


def test_strangers_are_refused() -> None:
    zone = clusterset(service(ips=["10.42.42.42"]))
    door = door_to(Served(zone, clients=Networks([("10.0.0.0/8", True)])))
    assert texts(ask(door, WEB, address=packed("::ffff:10.1.1.1"))) == ["10.42.42.42"]
    for stranger in ("192.0.2.1", "2001:db8::1", "fe80::1%eth0"):
        answer = ask(door, WEB, address=packed(stranger))
        assert (answer.rcode(), answer.answer) == (dns.rcode.REFUSED, [])


def test_who_asks_too_often_over_udp_has_to_come_back_over_tcp() -> None:
    zone = clusterset(service(ips=["10.42.42.42"]))
    door = door_to(Served(zone, pacing=Pacing(10)))
    packets = [dns.message.make_query(WEB, "A").to_wire() for _ in range(30)]
    found = [door.answer(packet, CLIENT, stream=False) for packet in packets]
    assert found[10:].count(None) == 10
    cut = [dns.message.from_wire(one) for one in found[10:] if isinstance(one, bytes)]
    assert all(one.flags & dns.flags.TC and not one.answer for one in cut)
    assert texts(ask(door, WEB, stream=True)) == ["10.42.42.42"]
    # Names that are not there are one and the same, and another network is another.
    gone = [ask(door, f"x{n}.clusterset.local") for n in range(10)]
    assert {one.rcode() for one in gone} == {dns.rcode.NXDOMAIN}
    eleventh = dns.message.make_query("y.clusterset.local", "A").to_wire()
    answer = door.answer(eleventh, CLIENT, stream=False)
    assert answer is None or dns.message.from_wire(answer).flags & dns.flags.TC
    assert texts(ask(door, WEB, address=packed("127.0.1.1"))) == ["10.42.42.42"]
