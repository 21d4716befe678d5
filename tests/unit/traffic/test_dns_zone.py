"""What a zone remembers: what exists, what changed since when, and what a secondary is sent."""

import dns.message
import dns.query
import dns.rdataclass
import dns.tsig
import dns.versioned
import dns.xfr
import dns.zone
from hypothesis import given, settings
from hypothesis import strategies as st

from services.traffic.core.dns.clusterset import clusterset_zone
from services.traffic.core.dns.names import key_of, text_of
from services.traffic.core.dns.records import addresses
from services.traffic.core.dns.transfers import RECORDS_MAX, messages
from services.traffic.core.dns.zone import NOTHING, Said, Zone
from tests.unit.traffic.dns_server import clusterset, door_to, headless, request, service

ORIGIN = "clusterset.local."
LABELS = ("a", "b", "c")
CHANGES = st.lists(
    st.dictionaries(
        st.sampled_from(LABELS),
        st.lists(st.integers(0, 255), max_size=3),
        min_size=1,
        max_size=3,
    ),
    max_size=8,
)


def said(label: str, numbers: list[int]) -> Said:
    """Two names of a source, one below a name that says nothing."""
    if not numbers:
        return NOTHING
    sets = {one.type: one for one in addresses([f"10.0.0.{n}" for n in numbers], 5)}
    own = key_of((label, "clusterset", "local"))
    below = key_of(("x", "y", label, "clusterset", "local"))
    return Said({own: sets, below: sets})


def changed(zone: Zone, changes: list[dict[str, list[int]]]) -> None:
    for number, change in enumerate(changes):
        found = {label: said(label, numbers) for label, numbers in change.items()}
        zone.put(found, serial=100 + number)


def transferred(zone: Zone, into: dns.versioned.Zone, serial: int | None) -> None:
    """As a secondary takes it over, by dnspython's own rules of transfers."""
    asked, _ = dns.xfr.make_query(into, serial=serial)
    found = request(door_to(zone), asked.to_wire())
    kind = asked.question[0].rdtype
    with dns.xfr.Inbound(into, kind, serial=serial) as inbound:
        done = False
        for wire in messages(found.packet, found.query, zone):
            assert not done
            done = inbound.process_message(
                dns.message.from_wire(wire, xfr=True, origin=into.origin)
            )
        assert done


def lines(zone: Zone) -> set[str]:
    return {
        f"{text_of(name)} {found.ttl} {found.type} {data.hex()}"
        for name, found in zone.sets()
        for data in found.data
    }


def lines_of(zone: dns.versioned.Zone) -> set[str]:
    return {
        f"{name.derelativize(zone.origin).to_text()} {found.ttl} {int(found.rdtype)} "
        f"{item.to_wire(origin=zone.origin).hex()}"
        for name, found in zone.iterate_rdatasets()
        for item in found
    }


@given(CHANGES)
def test_a_zone_is_what_its_sources_say_last(changes: list[dict[str, list[int]]]) -> None:
    zone = clusterset_zone([], ttl=5, negative_ttl=5)
    changed(zone, changes)
    last: dict[str, list[int]] = {}
    for change in changes:
        last |= change
    fresh = clusterset_zone([], ttl=5, negative_ttl=5)
    fresh.put({label: said(label, numbers) for label, numbers in last.items()}, 50)
    del zone.nodes[zone.origin], fresh.nodes[fresh.origin]
    assert zone.nodes == fresh.nodes
    for label in LABELS:
        there = bool(last.get(label))
        for name in ((label,), ("y", label), ("x", "y", label)):
            assert (key_of((*name, "clusterset", "local")) in zone) is there


@given(CHANGES, CHANGES)
@settings(max_examples=30)
def test_a_secondary_that_takes_over_what_is_new_has_the_whole(
    first: list[dict[str, list[int]]], then: list[dict[str, list[int]]]
) -> None:
    zone = clusterset_zone([], ttl=5, negative_ttl=5)
    changed(zone, first)
    secondary = dns.versioned.Zone(ORIGIN, dns.rdataclass.IN)
    transferred(zone, secondary, None)
    assert lines_of(secondary) == lines(zone)

    known = zone.serial
    for number, change in enumerate(then):
        zone.put({label: said(label, nums) for label, nums in change.items()}, 1_000 + number)
    transferred(zone, secondary, known)
    assert lines_of(secondary) == lines(zone)


def test_who_knows_a_serial_that_is_not_remembered_gets_the_whole() -> None:
    old = clusterset(service(ips=["10.42.42.42"]))
    assert old.since(old.serial) == []
    secondary = dns.versioned.Zone(ORIGIN, dns.rdataclass.IN)
    transferred(old, secondary, None)

    started_anew = clusterset_zone([], ttl=5, negative_ttl=5)
    started_anew.put({"a": said("a", [1])}, serial=900)
    assert started_anew.since(old.serial) is None
    transferred(started_anew, secondary, old.serial)
    assert lines_of(secondary) == lines(started_anew)


def test_a_large_zone_takes_several_messages() -> None:
    names = [headless(f"db-{n}", hosts={"eu-1": {"pet-0": ["10.0.0.1"]}}) for n in range(150)]
    zone = clusterset(*names)
    secondary = dns.versioned.Zone(ORIGIN, dns.rdataclass.IN)
    transferred(zone, secondary, None)
    assert lines_of(secondary) == lines(zone)


def test_a_secondary_gets_no_more_of_one_name_than_bind_takes() -> None:
    hosts = {f"p{n}": [f"10.0.{n}.1"] for n in range(150)}
    zone = clusterset(headless(hosts={"eu-1": hosts}))
    secondary = dns.versioned.Zone(ORIGIN, dns.rdataclass.IN)
    transferred(zone, secondary, None)
    assert len(secondary.find_rdataset("db.shop.svc", "A")) == RECORDS_MAX
    known = zone.serial
    zone.put({"shop/db": NOTHING}, 50)
    transferred(zone, secondary, known)
    assert lines_of(secondary) == lines(zone)


def test_what_is_the_same_is_no_step() -> None:
    zone = clusterset(service(ips=["10.42.42.42"]))
    same = {"a": said("a", [1])}
    assert zone.put(same, 10)
    assert not zone.put(same, 11)
    assert zone.serial == 10
