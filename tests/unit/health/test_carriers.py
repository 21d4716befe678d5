"""Whose addresses an Ingress or a Service at the hub shows."""

from typing import Any

import pytest

from services.health.core.carriers import idle, services_behind, takers_of
from shared.api.binding import ClusterReport
from shared.api.meta import read
from shared.api.traffic_policy import TrafficPolicy
from shared.apimachinery.manifest import Manifest


def a_policy(service: str = "web", **shares: int) -> TrafficPolicy:
    clusters = [{"name": name, "share": share} for name, share in shares.items()]
    splits = [{"region": "", "clusters": clusters}] if shares else []
    return read({"spec": {"service": service}, "status": {"splits": splits}}, TrafficPolicy)


def an_ingress(*services: str, default: str = "") -> Manifest:
    paths = [{"path": "/", "backend": {"service": {"name": one}}} for one in services]
    spec: dict[str, Any] = {"rules": [{"host": "a.example.com", "http": {"paths": paths}}]}
    if default:
        spec["defaultBackend"] = {"service": {"name": default}}
    return {"kind": "Ingress", "metadata": {"name": "front"}, "spec": spec}


def reports(**addresses: str) -> list[ClusterReport]:
    return [
        ClusterReport(
            cluster=name, status={"loadBalancer": {"ingress": [{"ip": ip}]}} if ip else {}
        )
        for name, ip in addresses.items()
    ]


TWO = reports(eu="192.0.2.1", us="192.0.2.2", ap="")


def test_addresses_of_clusters_without_a_share_are_left_out() -> None:
    takers = takers_of([a_policy(eu=10_000, us=0)])
    assert idle(an_ingress("web"), TWO, takers) == {"us"}
    assert idle({"kind": "Service", "metadata": {"name": "web"}}, TWO, takers) == {"us"}
    assert idle({"kind": "Service", "metadata": {"name": "other"}}, TWO, takers) == frozenset()


def test_of_several_services_a_share_in_one_is_enough() -> None:
    takers = takers_of([a_policy(eu=10_000), a_policy("api", us=10_000), a_policy("new")])
    assert idle(an_ingress("web", default="api"), TWO, takers) == frozenset()
    # Of one of them nobody has decided: any cluster may be meant.
    assert idle(an_ingress("web", "new"), TWO, takers) == frozenset()


def test_the_last_address_is_never_left_out() -> None:
    assert idle(an_ingress("web"), TWO, takers_of([a_policy(ap=10_000)])) == frozenset()


def test_a_share_of_traffic_from_any_region_counts() -> None:
    status = {
        "splits": [
            {"region": "", "clusters": [{"name": "eu", "share": 10_000}]},
            {"region": "us", "clusters": [{"name": "us", "share": 10_000}]},
        ]
    }
    policy = read({"spec": {"service": "web"}, "status": status}, TrafficPolicy)
    assert idle(an_ingress("web"), TWO, takers_of([policy])) == frozenset()


@pytest.mark.parametrize(
    "spec",
    [None, [], {"rules": 3}, {"rules": [3, {"http": [1]}, {"http": {"paths": [{"backend": 1}]}}]}],
)
def test_what_is_no_ingress_leads_nowhere(spec: Any) -> None:
    odd = {"kind": "Ingress", "metadata": {"name": "front"}, "spec": spec}
    assert services_behind(odd) == frozenset()
    assert idle(odd, TWO, takers_of([a_policy(eu=10_000)])) == frozenset()
