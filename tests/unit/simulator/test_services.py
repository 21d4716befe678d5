"""Services get addresses of their own, and endpoints that follow their pods."""

from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.core import pods
from services.simulator.core.plan import Create, Replace
from services.simulator.core.services import pick, plan_service, with_addresses
from shared.apimachinery.manifest import Manifest

NETWORK = IPv4Network("10.96.0.0/28")
NOW = "2026-01-01T00:00:00Z"


def service(name: str = "web", **spec: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}], **spec},
    }


def pod(name: str, *, ready: bool = True) -> Manifest:
    found: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": {"app": "web"}},
        "spec": {
            "nodeName": "n1",
            "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}],
        },
        "status": {"phase": "Pending"},
    }
    found = pods.running(found, f"10.0.0.{name[-1]}", NOW)
    return found if ready else pods.lost(found, NOW)


def test_a_service_gets_an_address_and_keeps_it() -> None:
    first = with_addresses(service(), None, NETWORK, [])
    address = first["spec"]["clusterIP"]
    assert address.startswith("10.96.0.")
    assert first["spec"]["clusterIPs"] == [address]
    again = with_addresses(service(), first, NETWORK, [first])
    assert again["spec"] == first["spec"]


def test_a_headless_service_stays_headless() -> None:
    found = with_addresses(service(clusterIP="None"), None, NETWORK, [])
    assert found["spec"]["clusterIP"] == "None"


def test_a_balanced_service_keeps_its_node_port() -> None:
    first = with_addresses(service(type="LoadBalancer"), None, NETWORK, [])
    port = first["spec"]["ports"][0]["nodePort"]
    assert 30_000 <= port < 32_768
    again = with_addresses(service(type="LoadBalancer"), first, NETWORK, [first])
    assert again["spec"]["ports"][0]["nodePort"] == port


def test_addresses_differ_until_none_is_left() -> None:
    taken: list[Manifest] = []
    for number in range(4):
        taken.append(with_addresses(service(f"s{number}"), None, NETWORK, taken))
    assert len({one["spec"]["clusterIP"] for one in taken}) == 4
    with pytest.raises(ValueError, match="taken"):
        with_addresses(service("one-too-many"), None, NETWORK, taken)


@given(st.text(), st.integers(1, 50), st.data())
def test_picking_never_takes_what_is_taken(seed: str, count: int, data: st.DataObject) -> None:
    taken = data.draw(st.sets(st.integers(0, count - 1), max_size=count - 1))
    found = pick(seed, count, taken)
    assert found not in taken
    assert 0 <= found < count


def test_endpoints_name_ready_pods_with_the_port_they_listen_on() -> None:
    full = with_addresses(service(), None, NETWORK, [])
    plan = plan_service(full, [pod("p1"), pod("p2", ready=False)], None, [], "192.0.2.1")
    made = {
        write.manifest["kind"]: write.manifest for write in plan.writes if isinstance(write, Create)
    }
    subset = made["Endpoints"]["subsets"][0]
    assert [one["ip"] for one in subset["addresses"]] == ["10.0.0.1"]
    assert [one["ip"] for one in subset["notReadyAddresses"]] == ["10.0.0.2"]
    assert subset["ports"] == [{"port": 8080, "protocol": "TCP"}]
    ready = [one["conditions"]["ready"] for one in made["EndpointSlice"]["endpoints"]]
    assert ready == [True, False]


def test_endpoints_have_the_host_names_of_the_services_own_pods() -> None:
    found = []
    for number, subdomain in enumerate(("web", "other"), start=1):
        found.append(pod(f"p{number}"))
        found[-1]["spec"] |= {"hostname": f"db-{number}", "subdomain": subdomain}
    full = with_addresses(service(clusterIP="None"), None, NETWORK, [])
    plan = plan_service(full, found, None, [], "192.0.2.1")
    [made] = [
        write.manifest
        for write in plan.writes
        if isinstance(write, Create) and write.manifest["kind"] == "EndpointSlice"
    ]
    assert [one.get("hostname") for one in made["endpoints"]] == ["db-1", None]


def test_a_load_balancer_gets_an_address_from_outside() -> None:
    full = with_addresses(service(type="LoadBalancer", selector=None), None, NETWORK, [])
    (write,) = plan_service(full, [], None, [], "192.0.2.1").writes
    assert isinstance(write, Replace)
    assert write.new["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1", "ipMode": "VIP"}]
