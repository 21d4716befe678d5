"""One plan, rendered for what people run."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.traffic.core.renderers import endpoint_slices, gateway_api, ingress
from services.traffic.core.renderers.naming import backend_name
from services.traffic.core.renderers.weighing import weigh
from shared.api.traffic_policy import RouteGateway
from shared.events.traffic import PlanBackend, PlanShare, PlanSplit, TrafficPlan


def split(region: str = "", **shares: int) -> PlanSplit:
    return PlanSplit(
        region=region,
        shares=tuple(
            PlanShare(cluster=name.replace("_", "-"), share=share) for name, share in shares.items()
        ),
    )


def backend(cluster: str, host: str, port: int = 8080, **fields: Any) -> PlanBackend:
    return PlanBackend(cluster=cluster, host=host, port=port, **fields)


PLAN = TrafficPlan(
    namespace="shop",
    policy="web",
    service="shop",
    port=80,
    port_name="http",
    protocol="HTTP",
    hosts=("shop.example.com",),
    splits=(split(eu_1=7_500, us_1=2_500, ap_1=0), split("us", us_1=10_000)),
    backends=(
        backend("eu-1", "10.0.0.1", region="eu", zone="eu-a"),
        backend("eu-1", "2001:db8::1", region="eu", zone="eu-b"),
        backend("us-1", "10.1.0.1", region="us", zone="us-a"),
    ),
)


def weights(route: dict[str, Any]) -> dict[str, int]:
    return {one["name"]: one["weight"] for one in route["spec"]["rules"][0]["backendRefs"]}


def test_a_route_weighs_the_service_of_each_cluster() -> None:
    route = gateway_api.route(PLAN, parent=RouteGateway(name="front"))

    assert (route["kind"], route["apiVersion"]) == ("HTTPRoute", "gateway.networking.k8s.io/v1")
    assert route["spec"]["parentRefs"] == [{"name": "front"}]
    assert route["spec"]["hostnames"] == ["shop.example.com"]
    assert weights(route) == {"shop-ap-1": 0, "shop-eu-1": 7_500, "shop-us-1": 2_500}
    assert weights(gateway_api.route(PLAN, "us")) == {
        "shop-ap-1": 0,
        "shop-eu-1": 0,
        "shop-us-1": 10_000,
    }
    names = [one["metadata"]["name"] for one in gateway_api.services(PLAN)]
    assert names == ["shop-ap-1", "shop-eu-1", "shop-us-1"]


def test_a_route_has_no_more_backends_than_the_api_allows() -> None:
    shares = {f"c{number:02}": number for number in range(20)}
    plan = TrafficPlan(namespace="a", policy="a", service="a", splits=(split(**shares),))
    assert list(weights(gateway_api.route(plan))) == [f"a-c{number:02}" for number in range(4, 20)]


def test_clients_stick_by_the_route_where_the_policy_says_so() -> None:
    plan = TrafficPlan(namespace="a", policy="a", service="a", protocol="HTTP")
    assert "sessionPersistence" not in gateway_api.route(plan)["spec"]["rules"][0]
    sticky = TrafficPlan(
        namespace="a", policy="a", service="a", protocol="HTTP", session_affinity="Cookie"
    )
    rule = gateway_api.route(sticky)["spec"]["rules"][0]
    assert rule["sessionPersistence"]["type"] == "Cookie"
    tcp = TrafficPlan(namespace="a", policy="a", service="a", protocol="TCP")
    assert gateway_api.route(tcp)["kind"] == "TCPRoute"


def test_slices_fill_the_services_and_hint_at_the_zones_that_have_a_share() -> None:
    found = {one["metadata"]["name"]: one for one in endpoint_slices.slices(PLAN)}

    assert list(found) == [
        "shop-eu-1-ipv4-8080-0",
        "shop-eu-1-ipv6-8080-0",
        "shop-us-1-ipv4-8080-0",
    ]
    one = found["shop-us-1-ipv4-8080-0"]
    assert one["metadata"]["labels"]["kubernetes.io/service-name"] == "shop-us-1"
    assert one["metadata"]["labels"]["multicluster.kubernetes.io/source-cluster"] == "us-1"
    assert one["addressType"] == "IPv4"
    (endpoint,) = one["endpoints"]
    assert endpoint["zone"] == "us-a"
    assert endpoint["hints"] == {"forZones": [{"name": name} for name in ("eu-a", "eu-b", "us-a")]}
    (europe,) = found["shop-eu-1-ipv4-8080-0"]["endpoints"]
    # Nothing that comes from us goes there.
    assert europe["hints"] == {"forZones": [{"name": "eu-a"}, {"name": "eu-b"}]}


def test_a_slice_holds_no_more_than_the_api_allows() -> None:
    many = tuple(backend("eu-1", f"10.0.{number // 250}.{number % 250}") for number in range(1_001))
    plan = TrafficPlan(namespace="a", policy="a", service="a", backends=many)

    assert [len(one["endpoints"]) for one in endpoint_slices.slices(plan)] == [1_000, 1]


def test_an_ingress_tells_the_gateways_of_who_has_a_share() -> None:
    gateways = (
        backend("eu-1", "203.0.113.1", 443, gateway=True),
        backend("us-1", "lb.example.com", 443, gateway=True),
        backend("ap-1", "203.0.113.9", 443, gateway=True),
    )
    plan = TrafficPlan(
        namespace="shop",
        policy="web",
        service="shop",
        port=80,
        hosts=("shop.example.com",),
        splits=PLAN.splits,
        backends=gateways,
    )
    found = ingress.ingress(plan)
    assert found["status"]["loadBalancer"]["ingress"] == [
        {"ip": "203.0.113.1"},
        {"hostname": "lb.example.com"},
    ]
    (rule,) = found["spec"]["rules"]
    assert rule["host"] == "shop.example.com"
    assert rule["http"]["paths"][0]["backend"]["service"] == {
        "name": "shop",
        "port": {"number": 80},
    }
    other = ingress.multi_cluster_ingress(plan, "us")
    assert other["status"]["trafficBlockClusters"] == ["ap-1", "eu-1"]
    assert other["status"]["loadBalancer"]["ingress"] == [{"hostname": "lb.example.com"}]


def test_names_stay_names_and_apart() -> None:
    assert backend_name("shop", "eu-1") == "shop-eu-1"
    long = {backend_name("s" * 63, name) for name in ("eu-1", "eu-2")}
    assert len(long) == 2
    assert all(len(name) <= 63 for name in long)


_counts = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 300), min_size=1)


@given(_counts, st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10_000)))
def test_weights_of_endpoints_come_near_to_the_shares(
    counts: dict[str, int], wishes: dict[str, int]
) -> None:
    endpoints = {name: range(count) for name, count in counts.items()}
    found = weigh(wishes, endpoints, 256)

    sums = {name: sum(weights) for name, weights in found.items()}
    taking = {name: wishes[name] for name in counts if counts[name] and wishes.get(name)}
    assert {name for name, one in sums.items() if one} == set(taking)
    assert all(0 <= weight <= 256 for weights in found.values() for weight in weights)
    for name, wish in taking.items():
        exact = wish / sum(taking.values())
        assert abs(sums[name] / sum(sums.values()) - exact) < 0.02
