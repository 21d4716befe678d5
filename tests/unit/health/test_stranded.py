"""Pods that found no node, and whose they are."""

from typing import Any

import msgspec

from services.health.core.fold import Folded
from services.health.core.stranded import unschedulable_pods, with_unschedulable
from shared.api.binding import ClusterReport, Health, TargetCluster
from shared.api.cluster import UnschedulablePods
from shared.api.rescheduling import AutoMigration
from shared.apimachinery.manifest import Manifest
from tests.unit.health.test_fold import a_binding

EARLY, LATE = "2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"


def a_pod(
    owner: str = "web-6f7",
    kind: str = "ReplicaSet",
    *,
    since: str = EARLY,
    hashed: str = "6f7",
    **status: Any,
) -> Manifest:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "lastTransitionTime": since,
    }
    return {
        "metadata": {
            "name": "x",
            "namespace": "shop",
            "labels": {"pod-template-hash": hashed} if hashed else {},
            "ownerReferences": [{"kind": kind, "name": owner, "controller": True}],
        },
        "status": {"phase": "Pending", "conditions": [condition], **status},
    }


def found(kind: str, name: str, count: int, since: str = EARLY) -> UnschedulablePods:
    return UnschedulablePods(namespace="shop", kind=kind, name=name, count=count, since=since)


def test_they_are_counted_by_deployment_since_the_last_of_them() -> None:
    assert unschedulable_pods([a_pod(), a_pod(since=LATE), a_pod("web-7d8", hashed="7d8")]) == (
        found("Deployment", "web", 3, LATE),
    )


def test_of_other_owners_the_pods_are_the_owners() -> None:
    pods = [a_pod("db", "StatefulSet", hashed=""), a_pod("alone", hashed="")]
    assert unschedulable_pods(pods) == (
        found("ReplicaSet", "alone", 1),
        found("StatefulSet", "db", 1),
    )


def test_pods_that_wait_for_anything_else_are_not_among_them() -> None:
    gone = a_pod()
    gone["metadata"]["deletionTimestamp"] = LATE
    gated = a_pod()
    gated["status"]["conditions"][0]["reason"] = "SchedulingGated"
    assert unschedulable_pods([a_pod(phase="Running"), gone, gated, {"status": None}]) == ()


def noted(health: Health = "Progressing", *, asked: bool = True) -> tuple[int, str]:
    binding = a_binding(TargetCluster(name="a"), TargetCluster(name="b"))
    migration = AutoMigration() if asked else None
    spec = msgspec.structs.replace(binding.spec, auto_migration=migration)
    binding = msgspec.structs.replace(binding, spec=spec)
    reports = (ClusterReport(cluster="a", health=health), ClusterReport(cluster="b"))
    folded = Folded(reports=reports, leaving=frozenset(), silent=frozenset())
    after = with_unschedulable(folded, binding, {"a": found("Deployment", "web", 2)})
    assert after.reports[1] == reports[1]
    return after.reports[0].unschedulable, after.reports[0].unschedulable_since


def test_they_are_told_where_the_policy_asks_and_the_member_is_heard() -> None:
    assert noted() == (2, EARLY)
    assert noted(asked=False) == (0, "")
    assert noted("Unknown") == (0, "")
