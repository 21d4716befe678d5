"""Pods go where they may and where there is room."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.core.nodes import NodeShape, cordoned, make_node, node_silent
from services.simulator.core.placement import (
    Host,
    Room,
    Unschedulable,
    place,
    read_host,
    refusal_of,
    requests_of,
)

NOW = "2026-01-01T00:00:00Z"


def host(name: str = "n1", cpu: str = "4", pods: int = 10) -> Host:
    shape = NodeShape(
        cpu=cpu,
        memory="8Gi",
        pods=pods,
        region="eu",
        zone="",
        provider="",
        cluster="c",
        version="v",
    )
    return read_host(make_node(name, 1, shape, NOW))


def pod_spec(cpu: str = "1", **more: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}], **more}


def test_the_emptier_node_is_taken() -> None:
    rooms = {"n1": Room({"cpu": Decimal(2)})}
    assert place(pod_spec(), [host("n1"), host("n2")], rooms) == "n2"


def test_a_pod_that_fits_nowhere_is_told_why() -> None:
    rooms = {"n2": Room({"pods": Decimal(10)})}
    found = place(pod_spec(cpu="8"), [host("n1"), host("n2", cpu="16")], rooms)
    assert isinstance(found, Unschedulable)
    assert found.message.startswith(
        "0/2 nodes are available: 1 Insufficient cpu, 1 Too many pods. preemption:"
    )


def test_without_nodes_nothing_can_be_placed() -> None:
    assert place(pod_spec(), [], {}) == Unschedulable("no nodes available to schedule pods")


def test_a_cordoned_node_takes_only_those_who_tolerate_it() -> None:
    shape = NodeShape(
        cpu="4", memory="8Gi", pods=10, region="", zone="", provider="", cluster="c", version="v"
    )
    closed = read_host(cordoned(make_node("n1", 1, shape, NOW), unschedulable=True))
    assert refusal_of(closed, pod_spec()) == "node(s) were unschedulable"
    toleration = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}
    assert refusal_of(closed, pod_spec(tolerations=[toleration])) == ""


def test_a_silent_node_takes_nothing() -> None:
    shape = NodeShape(
        cpu="4", memory="8Gi", pods=10, region="", zone="", provider="", cluster="c", version="v"
    )
    silent = read_host(node_silent(make_node("n1", 1, shape, NOW), NOW))
    assert "untolerated taint {node.kubernetes.io/unreachable: }" in refusal_of(silent, pod_spec())


@pytest.mark.parametrize(
    ("requirement", "fits"),
    [
        ({"key": "topology.kubernetes.io/region", "operator": "In", "values": ["eu"]}, True),
        ({"key": "topology.kubernetes.io/region", "operator": "NotIn", "values": ["eu"]}, False),
        ({"key": "gpu", "operator": "DoesNotExist"}, True),
        ({"key": "gpu", "operator": "Exists"}, False),
        ({"key": "kubernetes.io/hostname", "operator": "Gt", "values": ["1"]}, False),
    ],
)
def test_node_affinity_is_obeyed(requirement: dict[str, Any], *, fits: bool) -> None:
    terms = {"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    assert (refusal_of(host(), pod_spec(affinity=affinity)) == "") is fits


def test_the_largest_init_container_counts_where_it_needs_more() -> None:
    spec = pod_spec(cpu="1")
    spec["initContainers"] = [{"resources": {"requests": {"cpu": "3"}}}]
    assert requests_of(spec)["cpu"] == Decimal(3)


@given(st.lists(st.integers(1, 30), max_size=40))
def test_no_node_is_ever_given_more_than_it_has(sizes: list[int]) -> None:
    hosts = [host("n1"), host("n2", cpu="2", pods=5)]
    rooms = {one.name: Room() for one in hosts}
    for tenths in sizes:
        spec = pod_spec(cpu=f"{tenths * 100}m")
        found = place(spec, hosts, rooms)
        if isinstance(found, str):
            rooms[found].take(requests_of(spec))
    for one in hosts:
        for name, used in rooms[one.name].used.items():
            assert used <= one.allocatable[name]
