"""What a worker reads of other people's Services and slices, whatever they look like."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.propagator.core.exported import addresses_of, read_service_object, report_of
from shared.bus.topology import MESSAGE_BYTES_MAX
from shared.errors import MemberUnreachable
from shared.events.exports import (
    EndpointReport,
    PortReport,
    ServiceReport,
    decode_service,
    encode_export,
)


def seen(**manifest: Any) -> Any:
    manifest.setdefault("metadata", {"name": "web", "namespace": "shop"})
    return read_service_object(msgspec.json.encode(manifest))


SERVICE = seen(spec={"clusterIP": "10.96.0.1", "ports": [{"port": 80, "name": "http"}]})


def report(**slice_: Any) -> ServiceReport:
    slice_.setdefault("addressType", "IPv4")
    found = report_of(None, SERVICE, [seen(**slice_)], (), exported=True)
    assert found is not None
    return found


def test_what_a_slice_does_not_say_is_as_kubernetes_means_it() -> None:
    [found] = report(endpoints=[{"addresses": ["10.1.0.1"]}], ports=[{"port": 8080}]).slices
    assert found.endpoints == (EndpointReport(addresses=("10.1.0.1",)),)
    assert found.ports == (PortReport(port=8080),)
    [found] = report(endpoints=[{"addresses": ["10.1.0.1"], "conditions": {"ready": False}}]).slices
    assert not found.endpoints[0].serving


def test_slices_of_another_family_or_on_their_way_out_do_not_count() -> None:
    gone = {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert report(metadata=gone, endpoints=[{"addresses": ["10.1.0.1"]}]).slices == ()
    assert report(addressType="Pigeon").slices == ()


@pytest.mark.parametrize("address", ["10.1.0.010", "2001:db8::1", "web-1", ""])
def test_an_address_that_is_none_of_its_family_is_left_out(address: str) -> None:
    [found] = report(endpoints=[{"addresses": [address]}, {"addresses": ["10.1.0.1"]}]).slices
    assert [one.addresses for one in found.endpoints] == [("10.1.0.1",)]
    assert addresses_of(seen(spec={"clusterIPs": ["10.96.0.010"]})) == ()


@pytest.mark.parametrize("number", [0, -1, 65_536, True, "80"])
def test_a_port_that_is_none_is_left_out(number: Any) -> None:
    ports = [{"port": number, "name": "a"}, {"port": 80, "name": "b"}]
    service = seen(spec={"clusterIP": "10.96.0.1", "ports": ports})
    found = report_of(None, service, [], (), exported=True)
    assert found is not None
    assert found.service is not None
    assert [one.name for one in found.service.ports] == ["b"]


def test_what_is_no_port_and_no_address_is_told() -> None:
    ports = [{"port": 70_000}, {"port": 80, "name": "Not A Label"}, {"port": 80, "name": "b"}]
    service = seen(spec={"clusterIP": "10.96.0.1", "ports": ports})
    bad = seen(addressType="IPv4", endpoints=[{"addresses": ["web-1"]}])
    odd = seen(addressType="Pigeon", endpoints=[{"addresses": ["coo"]}])
    found = report_of(None, service, [bad, odd], (), exported=True)
    assert found is not None
    assert found.left_out == (
        "addresses that are none of IPv4 (1)",
        "ports that are none (2)",
        "slices with addresses of an unknown type (1)",
    )


def test_a_member_says_no_more_of_a_service_than_others_can_bear() -> None:
    """A report has to fit into a message, and what it says into every other member."""
    ports = [{"port": 1 + number, "name": f"p{number}"} for number in range(3_000)]
    service = seen(spec={"clusterIP": "10.96.0.1", "ports": ports})
    long = {"addresses": ["h" * 250 + ".x"] * 300, "hostname": "h" * 10_000, "zone": "z" * 9_999}
    each = [
        seen(
            metadata={"name": f"web-{number}"},
            addressType="FQDN",
            ports=ports,
            endpoints=[long] * 20,
        )
        for number in range(30)
    ]
    found = report_of(None, service, each, (), exported=True)
    assert found is not None
    assert found.service is not None
    assert len(found.service.ports) == 1_000
    assert 0 < sum(len(one.endpoints) for one in found.slices) < 600
    assert len(encode_export(found)) < MESSAGE_BYTES_MAX
    assert decode_service(encode_export(found)) == found
    assert [one.partition(" (")[0] for one in found.left_out] == [
        "addresses beyond the first 100 of an endpoint",
        "endpoints beyond what is taken in of a service",
        "ports beyond the first 1,000",
        "texts of more than 253 letters",
        "texts of more than 63 letters",
    ]


def test_where_a_load_balancer_answers_is_told() -> None:
    ingress = [{"ip": "203.0.113.7"}, {"hostname": "lb.example.net"}, {"ipMode": "VIP"}]
    service = seen(spec={"type": "LoadBalancer"}, status={"loadBalancer": {"ingress": ingress}})
    found = report_of(None, service, [], (), exported=True)
    assert found is not None
    assert found.service is not None
    assert found.service.ingress == ("203.0.113.7", "lb.example.net")


def test_imported_slices_are_nobodys_to_export() -> None:
    labels = {"kubernetes.io/service-name": "derived-1"}
    own = seen(metadata={"name": "a", "labels": labels})
    assert own.slice_of == "derived-1"
    labels["multicluster.kubernetes.io/source-cluster"] = "us"
    assert not seen(metadata={"name": "a", "labels": labels}).slice_of


def test_what_is_neither_exported_nor_imported_is_not_reported() -> None:
    assert report_of(None, SERVICE, [], (), exported=False) is None
    assert report_of(None, SERVICE, [], ("10.96.0.9",), exported=False) == ServiceReport(
        ips=("10.96.0.9",)
    )
    assert report_of(None, None, [], (), exported=True) is None


def test_a_headless_derived_service_has_no_address() -> None:
    assert addresses_of(seen(spec={"clusterIP": "None", "clusterIPs": ["None"]})) == ()
    assert addresses_of(seen(spec={"clusterIP": "10.96.0.9"})) == ("10.96.0.9",)


def test_what_is_no_object_did_not_come_from_the_member() -> None:
    with pytest.raises(MemberUnreachable):
        read_service_object(b"<html>")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["port", "name", "addresses", "conditions", "ready", "hints", "forZones"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(JSON, JSON, JSON)
@settings(max_examples=60, deadline=None)
def test_nonsense_is_left_out_and_what_remains_can_be_sent(
    spec: Any, endpoints: Any, ports: Any
) -> None:
    service = seen(spec=spec, status=ports)
    strange = seen(addressType="IPv4", endpoints=endpoints, ports=ports)
    found = report_of(service, service, [strange], (), exported=True)
    assert found is not None
    assert decode_service(encode_export(found)) == found
