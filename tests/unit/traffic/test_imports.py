"""What members are to hold for the sake of a service, and when it is taken back."""

from typing import Any

import pytest

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.folding import Folded, Place, fold, place_of
from services.traffic.core.import_orders import import_orders
from services.traffic.core.imports import slice_name
from services.traffic.core.orders import (
    Held,
    diff,
    held_of,
    make_tombstone,
    owner_of,
    service_of,
)
from services.traffic.core.telling import conditions_in, export_status, import_status
from shared.api.cluster import ApiEnablement, Cluster, ClusterStatus, Taint
from shared.apimachinery.manifest import Manifest, ObjectKey, decode
from shared.events.exports import (
    EndpointReport,
    ExportReport,
    PortReport,
    ServiceFace,
    ServiceReport,
    SliceReport,
)
from shared.events.orders import Encoded

WEB = ServiceName("shop", "web")
FLEET = {
    "eu": Place(region="eu", zone="eu-a"),
    "us": Place(region="us", zone="us-a"),
    "ap": Place(region="ap", zone="ap-a"),
}
NOW, LATER = "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"


def reported(*addresses: str, since: str = NOW, endpoint: Any = None, **face: Any) -> ServiceReport:
    each = tuple(
        EndpointReport(addresses=(one,), node_name="node-1", **(endpoint or {}))
        for one in addresses
    )
    ports = (PortReport(name="http", port=8080),)
    return ServiceReport(
        export=ExportReport(uid="u", since=since, generation=2),
        service=ServiceFace(ports=(PortReport(name="http", port=80),), **face),
        slices=(SliceReport(name="web-x1", ports=ports, endpoints=each),),
        ips=("10.96.0.9",),
    )


def folded(fleet: Any = None, **reports: ServiceReport) -> Folded:
    return fold(WEB, reports, None, fleet or FLEET)


def manifests(found: Folded, member: str) -> dict[str, Manifest]:
    orders = import_orders(found, [member])[member]
    return {
        key.resource: decode(bytes(one.order.manifest))
        for key, one in orders.items()
        if isinstance(one, Encoded)
    }


def test_names_of_nodes_stay_at_home_where_they_mean_something() -> None:
    found = folded(eu=reported("10.1.0.1"))
    at_home = manifests(found, "eu")["endpointslices"]["endpoints"][0]
    elsewhere = manifests(found, "us")["endpointslices"]["endpoints"][0]
    assert at_home["nodeName"] == "node-1"
    assert "nodeName" not in elsewhere
    assert elsewhere["zone"] == "eu-a", "that of the member, where the slice says none"


def test_a_service_of_one_family_is_reached_by_that_family_alone_where_a_member_has_both() -> None:
    """Behind an address of another family there is no endpoint, and clients try that one first."""
    for families, told in {
        ("IPv4",): ["10.96.0.9"],
        ("IPv6",): ["fd00::9"],
        ("IPv4", "IPv6"): ["10.96.0.9", "fd00::9"],
        (): ["10.96.0.9", "fd00::9"],
    }.items():
        both = ServiceReport(ips=("10.96.0.9", "fd00::9"))
        found = folded(eu=reported("10.1.0.1", ip_families=families), us=both)
        made = manifests(found, "us")
        assert made["services"]["spec"]["ipFamilyPolicy"] == "PreferDualStack"
        assert made["serviceimports"]["spec"]["ips"] == told
        assert made["serviceimports"]["spec"]["ipFamilies"] == [
            "IPv6" if ":" in one else "IPv4" for one in told
        ]


def test_an_import_does_not_speak_of_a_generation_that_it_does_not_know() -> None:
    """`kubectl wait` waits for a later word where the one observed is below the object's."""
    [one] = import_status(folded(eu=reported("10.1.0.1")), (), at="eu", now=NOW)["conditions"]
    assert "observedGeneration" not in one


def test_each_exporter_has_the_addresses_of_its_own_load_balancer() -> None:
    found = folded(eu=reported("10.1.0.1", ingress=("203.0.113.7",)), us=reported("10.2.0.1"))
    assert found.service is not None
    told = {name: one.ingress for name, one in found.service.exporters.items()}
    assert told == {"eu": ("203.0.113.7",), "us": ()}


@pytest.mark.parametrize(
    ("served", "version"),
    [((), "v1beta1"), (("v1alpha1",), "v1alpha1"), (("v1alpha1", "v1beta1"), "v1beta1")],
)
def test_imports_are_written_in_a_version_that_the_member_serves(
    served: tuple[str, ...], version: str
) -> None:
    enabled = tuple(ApiEnablement(group_version=f"multicluster.x-k8s.io/{one}") for one in served)
    us = place_of(Cluster(status=ClusterStatus(api_enablements=enabled)))
    orders = import_orders(folded(eu=reported("10.1.0.1")), ["us"], (), {"us": us})["us"]
    [found] = [one.order for key, one in orders.items() if key.resource == "serviceimports"]
    assert found.api_version == f"multicluster.x-k8s.io/{version}"
    assert decode(bytes(found.manifest))["apiVersion"] == found.api_version


def test_topology_hints_are_kept_and_made_where_traffic_is_to_stay_close() -> None:
    hinted = {"zone": "eu-b", "for_zones": ("eu-b", "eu-c")}
    found = folded(eu=reported("10.1.0.1", endpoint=hinted))
    [endpoint] = manifests(found, "us")["endpointslices"]["endpoints"]
    assert endpoint["hints"] == {"forZones": [{"name": "eu-b"}, {"name": "eu-c"}]}
    close = folded(eu=reported("10.1.0.1", traffic_distribution="PreferClose"))
    [endpoint] = manifests(close, "us")["endpointslices"]["endpoints"]
    assert endpoint["hints"] == {"forZones": [{"name": "eu-a"}]}
    assert manifests(close, "us")["services"]["spec"]["trafficDistribution"] == "PreferClose"
    plain = folded(eu=reported("10.1.0.1"))
    assert "hints" not in manifests(plain, "us")["endpointslices"]["endpoints"][0]


def test_all_members_but_the_source_get_the_very_same_slice() -> None:
    orders = import_orders(folded(eu=reported("10.1.0.1")), ["eu", "us", "ap"])
    [(key, at_us)] = [one for one in orders["us"].items() if one[0].resource == "endpointslices"]
    assert orders["ap"][key] is at_us
    assert orders["eu"][key].order.digest != at_us.order.digest


def test_a_lost_members_endpoints_are_taken_out_elsewhere_and_stay_with_itself() -> None:
    lost = {**FLEET, "eu": Place(region="eu", zone="eu-a", reachable=False)}
    found = folded(lost, eu=reported("10.1.0.1"), us=reported("10.2.0.1"))
    assert found.service is not None
    assert [one.addresses for one in found.service.ready] == [("10.2.0.1",)]
    names = {
        member: {key.name for key in orders if key.resource == "endpointslices"}
        for member, orders in import_orders(found, ["eu", "us"]).items()
    }
    ours, theirs = slice_name(WEB, "eu", "web-x1"), slice_name(WEB, "us", "web-x1")
    assert names == {"eu": {ours, theirs}, "us": {theirs}}


def test_only_the_verdict_of_health_counts() -> None:
    taint = Taint(key="cluster.hanse.dev/unreachable", effect="NoSchedule")
    assert not place_of(Cluster(status=ClusterStatus(taints=(taint,)))).reachable
    assert place_of(Cluster(status=ClusterStatus())).reachable


def test_publishing_the_plan_leaves_nothing_to_do_and_what_is_gone_is_revoked() -> None:
    desired = import_orders(folded(eu=reported("10.1.0.1")), ["eu", "us"])
    held = {
        (member, key): held_of(one.order, number)
        for number, (member, orders) in enumerate(desired.items())
        for key, one in orders.items()
    }
    assert len(diff(desired, {}, fleet=FLEET).publish) == 6
    assert diff(desired, held, fleet=FLEET).is_empty
    assert set(diff({}, held, fleet=FLEET).revoke) == set(held)
    assert set(diff({}, held, fleet=["us"]).forget) == {one for one in held if one[0] == "eu"}


def test_nothing_is_taken_back_while_its_source_or_its_member_has_not_spoken() -> None:
    both = folded(eu=reported("10.1.0.1"), us=reported("10.2.0.1"))
    held = {
        (member, key): held_of(one.order, 1)
        for member, orders in import_orders(both, ["eu", "us"]).items()
        for key, one in orders.items()
    }
    less = import_orders(folded(us=reported("10.2.0.1")), ["eu", "us"])
    assert len(diff(less, held, fleet=FLEET).revoke) == 2
    assert diff(less, held, fleet=FLEET, undecided=["eu"]).revoke == ()


def test_whose_an_order_is_and_where_a_slice_came_from_is_read_back() -> None:
    orders = import_orders(folded(eu=reported("10.1.0.1")), ["us"])["us"]
    held = {key.resource: held_of(one.order, 1) for key, one in orders.items()}
    assert {service_of(one.owner) for one in held.values()} == {WEB}
    assert (held["endpointslices"].source, held["services"].source) == ("eu", "")
    key = ObjectKey("discovery.k8s.io", "endpointslices", "shop", "a")
    tombstone = make_tombstone(key, held["endpointslices"]).order
    again: Held = held_of(tombstone, 2)
    assert (again.source, again.deleted, service_of(again.owner)) == ("eu", True, WEB)
    assert service_of("traffic/fleet/eu") is None
    assert owner_of(WEB) == "traffic/service/shop/web"


def test_a_condition_keeps_its_time_for_as_long_as_its_status() -> None:
    found = folded(eu=reported("10.1.0.1"))
    first = export_status(found, "eu", (), generation=2, importers=["us"], now=NOW)
    again = export_status(
        found, "eu", conditions_in(first), generation=2, importers=["us"], now=LATER
    )
    assert again == first
    clash = folded(eu=reported("10.1.0.1"), us=reported("10.2.0.1", headless=True))
    told = export_status(
        clash, "eu", conditions_in(first), generation=2, importers=["us"], now=LATER
    )
    times = {one["type"]: one["lastTransitionTime"] for one in told["conditions"]}
    assert times == {"Valid": NOW, "Ready": NOW, "Conflict": LATER}


def test_an_export_says_who_does_not_take_the_import() -> None:
    found = folded(eu=reported("10.1.0.1"))

    def ready(refusals: dict[str, str]) -> tuple[str, str, str]:
        status = export_status(
            found, "eu", (), generation=1, importers=("eu", "us"), refusals=refusals, now=NOW
        )
        [one] = [each for each in conditions_in(status) if each.type == "Ready"]
        return one.status, one.reason, one.message

    assert ready({}) == ("True", "Exported", "exported to the fleet, imported by 2 members")
    assert ready({"us": "no"}) == (
        "True",
        "Exported",
        "exported to the fleet, imported by 1 member, but not by us: no",
    )
    assert ready({"us": "no", "eu": "neither"}) == (
        "False",
        "Failed",
        "no member takes the import: eu: neither; us: no",
    )


def test_an_import_without_an_address_is_pending_and_one_of_another_family_is_not_supported() -> (
    None
):
    found = folded(eu=reported("10.1.0.1"), ap=ServiceReport(ips=("fd00::9",)))

    def ready(member: str) -> tuple[str, str]:
        [one] = import_status(found, (), at=member, now=NOW)["conditions"]
        return one["status"], one["reason"]

    assert ready("eu") == ("True", "Ready")
    assert ready("us") == ("False", "Pending")
    assert ready("ap") == ("False", "IPFamilyNotSupported")
    assert import_status(found, (), at="us", now=NOW)["clusters"] == [{"cluster": "eu"}]
