"""What is said of the networks between members: declared, seen, and told in plain words."""

import pytest

from services.traffic.core.preflight import (
    DISTINCT,
    NAMES,
    REACHABLE,
    Shared,
    network_conditions,
    shared_addresses,
)
from shared.api.cluster import ClusterNetwork
from shared.api.meta import Condition
from shared.events.exports import EndpointReport, ServiceReport, SliceReport


def network(name: str = "", pods: str = "", gateway: str = "") -> ClusterNetwork:
    return ClusterNetwork(name=name, pod_ranges=(pods,) if pods else (), gateway=gateway)


def told(
    networks: dict[str, ClusterNetwork | None],
    *shared: Shared,
    names: str = "",
    tried: dict[str, str] | None = None,
) -> dict[str, Condition]:
    found = network_conditions("eu", networks, shared, names, tried or {})
    return {one.type: one for one in found}


def verdict(condition: Condition) -> tuple[str, str]:
    return condition.status, condition.reason


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        (None, None, ("Unknown", "NotDeclared")),
        (network("a"), None, ("True", "OneNetwork")),
        (network("a"), network("a"), ("True", "OneNetwork")),
        (network("a"), network("b"), ("False", "NoGateway")),
        (network("a", gateway="198.51.100.7"), network("b"), ("True", "ThroughGateway")),
    ],
)
def test_whether_its_pods_can_be_reached_is_what_was_declared(
    own: ClusterNetwork | None, other: ClusterNetwork | None, expected: tuple[str, str]
) -> None:
    assert verdict(told({"eu": own, "us": other})[REACHABLE]) == expected


def test_who_cannot_reach_them_is_named() -> None:
    found = told({"eu": network("a"), "us": network("b"), "ap": network("a")})[REACHABLE]
    assert "us cannot reach them" in found.message


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        (network(pods="10.1.0.0/16"), network(pods="10.2.0.0/16"), ("True", "Distinct")),
        (network(pods="10.1.0.0/16"), network(pods="10.1.9.0/24"), ("False", "RangesOverlap")),
        (network(), network(pods="10.1.9.0/24"), ("Unknown", "NotDeclared")),
        # Of networks apart nobody meets the other's addresses.
        (network("a", "10.1.0.0/16"), network("b", "10.1.0.0/16"), ("True", "Distinct")),
        (network(pods="10.1.0.0/16"), network(pods="fd00::/8"), ("True", "Distinct")),
    ],
)
def test_ranges_that_overlap_are_told(
    own: ClusterNetwork, other: ClusterNetwork, expected: tuple[str, str]
) -> None:
    assert verdict(told({"eu": own, "us": other})[DISTINCT]) == expected


def test_an_address_that_is_an_endpoint_twice_proves_it_whatever_was_declared() -> None:
    seen = Shared(address="10.1.0.1", other="us")
    own = network(pods="10.1.0.0/16")
    found = told({"eu": own, "us": network(pods="10.2.0.0/16")}, seen)[DISTINCT]
    assert verdict(found) == ("False", "AddressesShared")
    assert "10.1.0.1 in us" in found.message
    apart = told({"eu": network("a", "10.1.0.0/16"), "us": network("b")}, seen)[DISTINCT]
    assert verdict(apart) == ("True", "Distinct")


def reported(*addresses: str) -> ServiceReport:
    each = tuple(EndpointReport(addresses=(one,)) for one in addresses)
    return ServiceReport(slices=(SliceReport(name="a", endpoints=each),))


def test_endpoints_of_all_services_are_compared() -> None:
    found = shared_addresses(
        [
            {"eu": reported("10.1.0.1", "10.1.0.2"), "us": reported("10.2.0.1")},
            {"us": reported("10.1.0.2")},
        ]
    )
    assert found == {
        "eu": (Shared(address="10.1.0.2", other="us"),),
        "us": (Shared(address="10.1.0.2", other="eu"),),
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("Forwarded", ("True", "Forwarded")),
        ("NotForwarded", ("False", "NotForwarded")),
        ("NoCoreDNS", ("Unknown", "NoCoreDNS")),
        ("", ("Unknown", "NotSeen")),
    ],
)
def test_a_missing_stub_is_told_with_what_to_do(names: str, expected: tuple[str, str]) -> None:
    found = told({"eu": None}, names=names)[NAMES]
    assert verdict(found) == expected
    assert ("hanse dns stub" in found.message) == (names == "NotForwarded")


def test_what_was_tried_outweighs_what_was_declared() -> None:
    apart = {"eu": network("a"), "us": network("b")}
    assert verdict(told(apart, tried={"us": ""})[REACHABLE]) == ("True", "Answered")
    near = {"eu": network("a"), "us": network("a"), "ap": network("a")}
    found = told(near, tried={"us": "10.1.0.1:80 does not answer", "ap": ""})[REACHABLE]
    assert verdict(found) == ("False", "NoAnswer")
    assert "from us 10.1.0.1:80 does not answer" in found.message
