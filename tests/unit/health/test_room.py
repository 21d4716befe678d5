"""Sorts of nodes, room within quotas, and when a change of room is worth a write."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.health.core.capacity import capacity_of
from services.health.core.node_sorts import EVERY_OTHER, SORTS_MAX
from services.health.core.quotas import quota_rooms
from services.health.core.room_news import SMALL_CHANGE_AGE, room_to_tell
from shared.api.cluster import Capacity, NodeClass, Taint
from shared.apimachinery.manifest import Manifest

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
GPU = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


def a_node(name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> Manifest:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": "4", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def a_pod(node: str) -> Manifest:
    containers = [{"resources": {"requests": {"cpu": "1"}}}]
    return {"metadata": {"name": "p"}, "spec": {"nodeName": node, "containers": containers}}


def a_quota(hard: dict[str, str], used: dict[str, str], **spec: Any) -> Manifest:
    return {
        "metadata": {"namespace": "shop", "name": "q"},
        "spec": {"hard": hard, **spec},
        "status": {"used": used},
    }


def test_nodes_are_told_apart_by_labels_that_few_of_them_share() -> None:
    nodes = [
        a_node("a", labels={"os": "linux", "disk": "nvme"}),
        a_node("b", labels={"os": "linux", "disk": "nvme"}),
        a_node("c", labels={"os": "linux"}),
    ]
    found = capacity_of(nodes, [])
    assert found.labels == {"os": "linux"}
    classes = [(one.count, one.labels) for one in found.node_classes]
    assert classes == [(1, {}), (2, {"disk": "nvme"})]


def test_a_label_that_is_another_on_every_node_is_left_out_by_name() -> None:
    nodes = [a_node(f"n{number}") for number in range(SORTS_MAX + 1)]
    found = capacity_of(nodes, [])
    assert found.labels_left_out == ("kubernetes.io/hostname",)
    assert [(one.count, one.labels) for one in found.node_classes] == [(SORTS_MAX + 1, {})]


def test_with_very_many_labels_nothing_is_said_of_most() -> None:
    labels = [{f"own-{name}-{key}": "x" for key in range(10)} for name in range(2 * SORTS_MAX)]
    nodes = [a_node(f"n{number}", labels=each) for number, each in enumerate(labels)]
    assert capacity_of(nodes, []).labels_left_out == (EVERY_OTHER,)


def test_tainted_nodes_are_a_sort_and_no_part_of_the_sums() -> None:
    nodes = [a_node("a"), a_node("b", taints=[GPU, {"key": "soft", "effect": "PreferNoSchedule"}])]
    found = capacity_of(nodes, [a_pod("b"), a_pod("b")])
    assert (found.allocatable["cpu"], found.allocated) == ("4", {})
    tainted = (Taint(key="gpu", value="yes", effect="NoSchedule"),)
    classes = [(one.free["cpu"], one.taints) for one in found.node_classes]
    assert classes == [("4", ()), ("2", tainted)]


def test_the_tightest_quota_of_a_namespace_counts() -> None:
    quotas = [
        a_quota({"requests.cpu": "4", "pods": "10", "limits.cpu": "1"}, {"requests.cpu": "1500m"}),
        a_quota({"cpu": "3", "requests.nvidia.com/gpu": "2"}, {"cpu": "1"}),
        a_quota({"pods": "0"}, {}, scopes=["BestEffort"]),
    ]
    (room,) = quota_rooms(quotas)
    assert room.namespace == "shop"
    assert room.free == {"cpu": "2", "nvidia.com/gpu": "2", "pods": "10"}


def test_a_quota_that_is_overdrawn_leaves_nothing() -> None:
    (room,) = quota_rooms([a_quota({"pods": "3"}, {"pods": "5"})])
    assert room.free == {"pods": "0"}


def with_free(cpu: str, **more: Any) -> Capacity:
    classes = (NodeClass(count=10, free={"cpu": cpu}),)
    return Capacity(allocatable={"cpu": "100"}, node_classes=classes, **more)


def test_a_little_more_or_less_is_told_after_a_while() -> None:
    told = room_to_tell(None, with_free("5"), now=NOW)
    assert told == with_free("5", observed_time="2026-01-01T12:00:00Z")
    soon, late = NOW + SMALL_CHANGE_AGE / 2, NOW + SMALL_CHANGE_AGE
    assert room_to_tell(told, with_free("4900m"), now=soon) is told
    assert room_to_tell(told, with_free("5"), now=late + timedelta(hours=1)) is told
    after = room_to_tell(told, with_free("4900m"), now=late)
    assert after is not None
    assert after.node_classes == with_free("4900m").node_classes


def test_much_is_told_at_once_and_so_is_what_runs_out() -> None:
    told = room_to_tell(None, with_free("5"), now=NOW)
    assert room_to_tell(told, with_free("4"), now=NOW) != told
    little = room_to_tell(None, with_free("1m"), now=NOW)
    assert room_to_tell(little, with_free("0"), now=NOW) != little
    other = msgspec.structs.replace(with_free("5"), nodes_ready=3)
    assert room_to_tell(told, other, now=NOW) != told
