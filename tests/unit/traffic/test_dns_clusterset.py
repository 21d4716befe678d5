"""Names of `clusterset.local` by Multicluster DNS 1.0.0, under the headings of that text."""

import dns.edns
import dns.flags
import dns.rcode
import pytest

from services.traffic.core.catalogue import ServicePort
from services.traffic.core.dns.zone import NOTHING
from shared.api.multicluster import CLUSTER_OPTION
from tests.unit.traffic.dns_server import (
    HTTP,
    ask,
    clusterset,
    door_to,
    headless,
    is_authoritative,
    service,
    texts,
)

PETS = {
    "eu-1": {"pet-0": ["10.1.0.1"], "pet-1": ["10.1.0.2", "fd00::2"]},
    "us-1": {"pet-0": ["10.2.0.1"]},
}
WEB = "web.shop.svc.clusterset.local"
DB = "db.shop.svc.clusterset.local"


def test_2_2_the_version_of_the_schema() -> None:
    answer = ask(door_to(clusterset()), "dns-version.clusterset.local", "TXT")
    assert texts(answer) == ['"1.0.0"']
    assert answer.answer[0].ttl == 28_800
    assert is_authoritative(answer)


def test_2_3_1_a_service_says_its_address_in_each_family() -> None:
    door = door_to(clusterset(service(ips=["10.42.42.42", "2001:db8::1"])))
    assert texts(ask(door, WEB)) == ["10.42.42.42"]
    assert texts(ask(door, WEB, "AAAA")) == ["2001:db8::1"]


def test_2_3_2_a_named_port_has_a_server_record_and_one_without_a_name_has_none() -> None:
    ports = [ServicePort(name="https", port=443), ServicePort(port=80)]
    door = door_to(clusterset(service(ports=ports, ips=["10.42.42.42"])))
    answer = ask(door, f"_https._tcp.{WEB}", "SRV")
    assert texts(answer) == [f"0 100 443 {WEB}."]
    assert [item.to_text() for found in answer.additional for item in found] == ["10.42.42.42"]
    assert ask(door, f"_http._tcp.{WEB}", "SRV").rcode() == dns.rcode.NXDOMAIN


def test_2_3_4_no_name_leads_to_a_single_cluster_of_a_service_with_an_address() -> None:
    door = door_to(clusterset(service(ips=["10.42.42.42"])))
    assert ask(door, f"eu-1.{WEB}").rcode() == dns.rcode.NXDOMAIN


def test_2_4_1_a_headless_service_says_every_ready_endpoint_of_every_cluster() -> None:
    door = door_to(clusterset(headless(hosts=PETS)))
    assert texts(ask(door, DB)) == ["10.1.0.1", "10.1.0.2", "10.2.0.1"]
    assert texts(ask(door, DB, "AAAA")) == ["fd00::2"]
    assert texts(ask(door, f"pet-0.eu-1.{DB}")) == ["10.1.0.1"]
    assert texts(ask(door, f"pet-0.us-1.{DB}")) == ["10.2.0.1"]
    assert texts(ask(door, f"pet-1.eu-1.{DB}", "AAAA")) == ["fd00::2"]
    assert ask(door, f"pet-1.us-1.{DB}").rcode() == dns.rcode.NXDOMAIN


def test_2_4_1_a_headless_service_without_ready_endpoints_does_not_exist() -> None:
    door = door_to(clusterset(headless(hosts=PETS, ready=False)))
    answer = ask(door, DB)
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert [found.name.to_text() for found in answer.authority] == ["clusterset.local."]


def test_2_4_2_each_ready_endpoint_and_port_is_a_server_record() -> None:
    answer = ask(door_to(clusterset(headless(hosts=PETS))), f"_http._tcp.{DB}", "SRV")
    assert texts(answer) == [
        f"0 100 8080 pet-0.eu-1.{DB}.",
        f"0 100 8080 pet-0.us-1.{DB}.",
        f"0 100 8080 pet-1.eu-1.{DB}.",
    ]


def test_the_name_of_a_service_says_each_of_its_ports_once() -> None:
    """As the conformance suite asks for them; one number may be there for TCP and for UDP."""
    twice = [ServicePort(name="tcp", port=42), ServicePort(name="udp", protocol="UDP", port=42)]
    own = {"eu-1": ("10.96.0.7",)}
    door = door_to(clusterset(service(ports=[*twice, ServicePort(port=80)], own=own)))
    option = dns.edns.GenericOption(CLUSTER_OPTION, b"eu-1")
    answer = ask(door, WEB, "SRV", options=[option])
    assert texts(answer) == [f"0 100 42 {WEB}.", f"0 100 80 {WEB}."]
    assert [item.to_text() for found in answer.additional for item in found] == ["10.96.0.7"]
    assert texts(ask(door, WEB, "SRV")) == []


def test_the_name_of_a_headless_service_says_where_each_ready_endpoint_listens() -> None:
    answer = ask(door_to(clusterset(headless(hosts=PETS))), DB, "SRV")
    assert texts(answer) == [
        f"0 100 8080 pet-0.eu-1.{DB}.",
        f"0 100 8080 pet-0.us-1.{DB}.",
        f"0 100 8080 pet-1.eu-1.{DB}.",
    ]


def test_who_does_not_serve_a_port_is_no_server_of_it() -> None:
    admin = ServicePort(name="admin", port=81)
    door = door_to(clusterset(headless(hosts=PETS, ports=(HTTP, admin))))
    assert ask(door, f"_admin._tcp.{DB}", "SRV").rcode() == dns.rcode.NXDOMAIN
    assert len(texts(ask(door, f"_http._tcp.{DB}", "SRV"))) == 3


def test_what_is_too_long_for_a_name_hides_nothing_else() -> None:
    long = ServicePort(name="p" * 63, port=81)
    told = door_to(clusterset(service(ips=["10.42.42.42"], ports=(HTTP, long))))
    assert texts(ask(told, WEB)) == ["10.42.42.42"]
    assert len(texts(ask(told, f"_http._tcp.{WEB}", "SRV"))) == 1
    # Four labels of 63 are more than a name has room for.
    name, namespace, host = "s" * 63, "n" * 63, "h" * 63
    found = headless(name, namespace, hosts={"c" * 63: {host: ["10.1.0.1"]}})
    answer = ask(door_to(clusterset(found)), f"{name}.{namespace}.svc.clusterset.local")
    assert texts(answer) == ["10.1.0.1"]


def test_an_endpoint_without_a_host_name_goes_by_its_address() -> None:
    door = door_to(clusterset(headless(hosts={"eu-1": {"": ["10.1.0.9"]}})))
    assert texts(ask(door, f"10-1-0-9.eu-1.{DB}")) == ["10.1.0.9"]


def test_a_member_is_told_the_address_that_the_service_has_there() -> None:
    own = {"eu-1": ("10.96.0.7",), "us-1": ("10.112.0.9",)}
    door = door_to(clusterset(service(own=own)))
    told = {}
    for cluster in ("eu-1", "us-1", "ap-1"):
        option = dns.edns.GenericOption(CLUSTER_OPTION, cluster.encode())
        answer = ask(door, WEB, options=[option])
        assert answer.rcode() == dns.rcode.NOERROR
        told[cluster] = texts(answer)
    assert told == {"eu-1": ["10.96.0.7"], "us-1": ["10.112.0.9"], "ap-1": []}


def test_names_above_services_exist_and_say_nothing() -> None:
    door = door_to(clusterset(service(ips=["10.42.42.42"])))
    for name in ("svc.clusterset.local", "shop.svc.clusterset.local", f"_tcp.{WEB}"):
        answer = ask(door, name)
        assert (answer.rcode(), answer.answer) == (dns.rcode.NOERROR, []), name
        assert answer.authority[0].name.to_text() == "clusterset.local."


@pytest.mark.parametrize("name", ["other.svc.clusterset.local", "x.y.z.clusterset.local"])
def test_what_is_not_there_is_denied_with_the_authority_for_how_long(name: str) -> None:
    answer = ask(door_to(clusterset()), name)
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert answer.authority[0].ttl == 5
    assert is_authoritative(answer)


def test_the_origin_names_its_server_and_the_server_its_address() -> None:
    door = door_to(clusterset())
    assert texts(ask(door, "clusterset.local", "NS")) == ["ns.dns.clusterset.local."]
    assert texts(ask(door, "ns.dns.clusterset.local")) == ["192.0.2.53"]
    assert texts(ask(door, "clusterset.local", "SOA"))[0].startswith("ns.dns.clusterset.local.")


def test_a_service_that_goes_takes_its_names_along() -> None:
    zone = clusterset(headless(hosts=PETS), service(ips=["10.42.42.42"]))
    zone.put({"shop/db": NOTHING}, serial=3)
    door = door_to(zone)
    assert ask(door, DB).rcode() == dns.rcode.NXDOMAIN
    assert ask(door, f"eu-1.{DB}").rcode() == dns.rcode.NXDOMAIN
    assert texts(ask(door, WEB)) == ["10.42.42.42"]


def test_the_largest_headless_service_fits_into_an_answer_over_tcp() -> None:
    hosts = {f"p{n}": [f"10.{n >> 8}.{n & 255}.1"] for n in range(6_000)}
    answer = ask(door_to(clusterset(headless(hosts={"eu-1": hosts}))), DB, stream=True)
    assert not answer.flags & dns.flags.TC
    assert len(texts(answer)) > 3_500
