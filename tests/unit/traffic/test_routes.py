"""What members hold for routes of the Gateway API, and what is weighed when."""

from typing import Any

import msgspec
from msgspec.json import decode

from services.traffic.core.orders import Orders
from services.traffic.core.routes import (
    RoutePlace,
    override_key,
    override_of,
    owner_of_routes,
    policy_of,
    route_orders,
    route_places,
    shortcomings,
)
from services.traffic.core.terms import Fleet
from shared.api.cluster import Cluster
from shared.api.meta import read
from shared.api.traffic_policy import RouteGateway, TrafficSpec
from shared.apimachinery.manifest import Manifest
from shared.events.traffic import PlanBackend, PlanShare, PlanSplit, TrafficPlan

EDGE = {"edge": RoutePlace(region="eu")}
ALL = {"edge": ("eu-1", "us-1")}


def a_plan(region: str = "", protocol: Any = "HTTP", **shares: int) -> TrafficPlan:
    names = [name.replace("_", "-") for name in shares]
    split = PlanSplit(
        region=region,
        shares=tuple(
            PlanShare(cluster=name, share=share)
            for name, share in zip(names, shares.values(), strict=True)
        ),
    )
    return TrafficPlan(
        namespace="shop",
        policy="web",
        service="web",
        port=80,
        protocol=protocol,
        splits=(split,),
        backends=tuple(PlanBackend(cluster=one, host="10.0.0.1", port=8080) for one in names),
    )


TWO = a_plan(eu_1=7_500, us_1=2_500)


def weights(override: Manifest | None) -> dict[str, dict[str, int]]:
    """By the names of clusters that a rule is for."""
    assert override is not None
    found = {}
    for rule in override["spec"]["overrideRules"]:
        (overrider,) = rule["overriders"]["backendOverrider"]
        assert (overrider["service"], overrider["port"]) == ("web", 80)
        members = ",".join(rule["targetCluster"]["clusterNames"])
        found[members] = {one["name"]: one.get("weight", 1) for one in overrider["backends"]}
    return found


def routes_in(orders: Orders) -> list[Manifest]:
    return [
        decode(one.order.manifest)
        for key, one in orders.items()
        if key.resource == "httproutes" and isinstance(one.order.manifest, msgspec.Raw)
    ]


def test_only_what_a_member_holds_is_weighed() -> None:
    assert weights(override_of(TWO, EDGE, ALL)) == {"edge": {"web-eu-1": 7_500, "web-us-1": 2_500}}
    assert weights(override_of(TWO, EDGE, {"edge": ["us-1"]})) == {"edge": {"web-us-1": 2_500}}
    # As long as nobody is there who takes any, routes stay as they are.
    assert override_of(TWO, EDGE, {}) is None
    assert override_of(a_plan(eu_1=10_000, us_1=0), EDGE, {"edge": ["us-1"]}) is None


def test_where_nobody_can_take_traffic_whoever_comes_back_gets_it() -> None:
    nobody = a_plan(eu_1=0, us_1=0)
    assert weights(override_of(nobody, EDGE, ALL)) == {"edge": {"web-eu-1": 1, "web-us-1": 1}}


def test_members_of_one_region_share_a_rule_and_others_have_their_own() -> None:
    places = {"a": RoutePlace(region="eu"), "b": RoutePlace(region="eu"), "c": RoutePlace()}
    plan = msgspec.structs.replace(TWO, splits=(*TWO.splits, *a_plan("eu", eu_1=10_000).splits))
    held = dict.fromkeys(places, ("eu-1", "us-1"))
    assert weights(override_of(plan, places, held)) == {
        "a,b": {"web-eu-1": 10_000, "web-us-1": 0},
        "c": {"web-eu-1": 7_500, "web-us-1": 2_500},
    }


def test_a_route_is_written_for_the_gateway_once_there_is_something_to_weigh() -> None:
    gateway = RouteGateway(name="public", namespace="infra")
    plan = msgspec.structs.replace(TWO, session_affinity="Cookie")
    places = {"edge": RoutePlace(gateway=gateway, version="v1beta1")}

    before = route_orders(plan, places, {})["edge"]
    assert sorted(key.resource for key in before) == [
        "endpointslices",
        "endpointslices",
        "services",
        "services",
    ]
    (route,) = routes_in(route_orders(plan, places, ALL)["edge"])
    assert route["apiVersion"] == "gateway.networking.k8s.io/v1beta1"
    assert route["spec"]["parentRefs"] == [{"name": "public", "namespace": "infra"}]
    # A field that the standard channel lacks would have the whole route refused.
    assert route["spec"]["rules"][0].keys() == {"backendRefs"}
    assert [reason for reason, _ in shortcomings(plan, places)] == ["SessionsNotKept"]
    assert shortcomings(plan, EDGE) == []


def test_what_a_route_has_no_room_for_is_told() -> None:
    many = a_plan(**{f"c_{number:02}": number for number in range(18)})
    ((reason, message),) = shortcomings(many, EDGE)
    assert (reason, message) == (
        "TooManyClusters",
        "a route has 16 backends at most, without c-00, c-01",
    )
    assert [reason for reason, _ in shortcomings(TWO, {})] == ["NoClusters"]


def test_a_member_takes_the_first_entry_and_its_own_version_of_the_kind() -> None:
    enabled = [
        {"groupVersion": "apps/v1", "resources": [{"kind": "TCPRoute", "name": "x"}]},
        {
            "groupVersion": "gateway.networking.k8s.io/v1alpha2",
            "resources": [{"kind": "TCPRoute", "name": "tcproutes"}],
        },
    ]
    clusters = [
        read({"metadata": {"name": name}, "spec": {"region": "eu"}, "status": status}, Cluster)
        for name, status in (("edge", {"apiEnablements": enabled}), ("other", {}))
    ]
    gateway = {"name": "public"}
    routes = [
        {"targetCluster": {"clusterNames": ["edge"]}, "gateway": gateway},
        {"targetCluster": {}},
    ]
    spec = read({"service": "web", "routes": routes}, TrafficSpec)
    found = route_places(spec, a_plan(protocol="TCP", eu_1=1), Fleet.of(clusters, ()))
    assert found == {
        "edge": RoutePlace(region="eu", gateway=RouteGateway(name="public"), version="v1alpha2"),
        "other": RoutePlace(region="eu"),
    }
    leaving = read({"metadata": {"name": "edge"}, "spec": {"leaving": "Move"}}, Cluster)
    assert route_places(spec, a_plan(eu_1=1), Fleet.of([leaving], ())) == {}


def test_names_are_read_back_and_never_too_long() -> None:
    assert policy_of(owner_of_routes("shop", "web.v2")) == ("shop", "web.v2")
    assert policy_of("traffic/service/shop/web") is None
    assert override_key("shop", "web").name == "traffic-web"
    names = {override_key("shop", "a" * 252 + end).name for end in "bc"}
    assert len(names) == 2
    assert {len(one) for one in names} == {253}
