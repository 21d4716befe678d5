"""What room a member has."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.health.core.capacity import capacity_of, is_usable
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.quantity import parse_quantity


def a_node(
    name: str = "n1",
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    ready: str = "True",
    **spec: Any,
) -> Manifest:
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": "110"},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def a_pod(node: str | None = "n1", *, cpu: str = "500m", phase: str = "Running") -> Manifest:
    spec: dict[str, Any] = {"containers": [{"resources": {"requests": {"cpu": cpu}}}]}
    if node:
        spec["nodeName"] = node
    return {"metadata": {"name": "p"}, "spec": spec, "status": {"phase": phase}}


def test_free_is_what_is_offered_less_what_is_asked_for() -> None:
    found = capacity_of([a_node()], [a_pod(), a_pod(phase="Pending")])
    assert found.allocatable == {"cpu": "4", "memory": "8Gi", "pods": "110"}
    assert found.allocated == {"cpu": "1", "pods": "2"}
    (kind,) = found.node_classes
    assert kind.count == 1
    assert kind.free == {"cpu": "3", "memory": "8Gi", "pods": "108"}


def test_pods_that_are_over_or_nowhere_take_nothing() -> None:
    pods = [a_pod(phase="Succeeded"), a_pod(phase="Failed"), a_pod(None), a_pod("other")]
    assert capacity_of([a_node()], pods).allocated == {}


def test_nodes_that_take_no_ordinary_pod_offer_no_room() -> None:
    assert not is_usable(a_node(ready="False"))
    assert not is_usable(a_node(unschedulable=True))
    assert not is_usable(a_node(taints=[{"key": "master", "effect": "NoSchedule"}]))
    assert is_usable(a_node(taints=[{"key": "x", "effect": "PreferNoSchedule"}]))
    found = capacity_of([a_node(), a_node("n2", unschedulable=True), a_node("n3", ready="x")], [])
    assert (found.nodes_total, found.nodes_ready) == (3, 2)
    assert found.allocatable["cpu"] == "4"


def test_an_overcommitted_node_has_nothing_free_rather_than_less() -> None:
    (kind,) = capacity_of([a_node(cpu="1")], [a_pod(cpu="900m"), a_pod(cpu="900m")]).node_classes
    assert kind.free["cpu"] == "0"


def test_equal_nodes_are_one_class_the_largest_first() -> None:
    nodes = [a_node("a"), a_node("b"), a_node("c", cpu="8")]
    found = capacity_of(nodes, []).node_classes
    assert [(each.count, each.free["cpu"]) for each in found] == [(1, "8"), (2, "4")]


def test_what_cannot_be_read_counts_nothing() -> None:
    node = a_node()
    node["status"]["allocatable"]["odd"] = "a lot"
    broken = {"spec": {"nodeName": "n1", "containers": [{"resources": {"requests": {"cpu": "?"}}}]}}
    found = capacity_of([node], [broken])
    assert "odd" not in found.allocatable
    assert found.allocated == {"pods": "1"}


FREE = st.lists(st.tuples(st.integers(0, 64_000), st.integers(0, 512)), min_size=1, max_size=120)


@given(FREE)
def test_classes_are_few_cover_every_node_and_promise_no_more_than_there_is(
    sizes: list[tuple[int, int]],
) -> None:
    nodes = [
        a_node(f"n{index}", cpu=f"{cpu}m", memory=f"{memory}Gi")
        for index, (cpu, memory) in enumerate(sizes)
    ]
    found = capacity_of(nodes, [], classes_max=8).node_classes
    assert len(found) <= 8
    assert sum(each.count for each in found) == len(nodes)
    for resource in ("cpu", "memory"):
        promised = sum(parse_quantity(each.free[resource]) * each.count for each in found)
        there = sum(parse_quantity(node["status"]["allocatable"][resource]) for node in nodes)
        assert promised <= there
