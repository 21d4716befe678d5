"""Rehearsals: the same function decides until nothing moves; sums of what that means."""

from datetime import UTC, datetime

import pytest

from hanse.texts.plan import as_text
from services.scheduler.core.decision import Scheduled, Unschedulable
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.planning import (
    after_growth,
    counted,
    interrupted,
    moved,
    rehearse,
)
from services.scheduler.core.room import ask_of
from services.scheduler.core.schedule import schedule
from services.scheduler.core.workload import Workload
from shared.api.binding import Eviction, TargetCluster
from shared.api.placement import Placement, ReplicaScheduling
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey
from shared.events.placement import PlacedShare
from shared.events.planning import Plan, PlannedChange
from shared.interpreter.replicas import ReplicaDemand
from tests.unit.scheduler.placement_worlds import a_world

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("seed", range(300))
def test_a_rehearsal_ends_where_nothing_moves(seed):
    workload, fleet = a_world(seed)
    found = rehearse(workload, fleet, NOW)
    assert found.first == schedule(workload, fleet, NOW)
    if isinstance(found.last, Unschedulable) or workload.demand is None:
        return
    leaving = [one for one in found.last.evictions if fleet.holds(one.cluster)]
    if workload.divided:
        total = sum(one.replicas or 0 for one in found.last.clusters)
        assert total == workload.demand.count
        # What never leaves is what the policy keeps there.
        assert not leaving or workload.failover.cluster.purge_mode == "Never"


def test_what_a_plan_takes_is_taken_from_those_that_come_after():
    for seed in range(50):
        workload, fleet = a_world(seed)
        if workload.demand is None:
            continue
        ask = ask_of(workload.demand)
        names = [name for name, room in fleet.room_for(ask).items() if room]
        for name in names:
            left = after_growth(fleet, workload, {name: 1}, {name: 2})
            assert left.room_for(ask)[name] == fleet.room_for(ask)[name] - 1
            assert after_growth(fleet, workload, {name: 2}, {name: 1}) is fleet


def targets(**shares):
    return tuple(TargetCluster(name=name, replicas=share) for name, share in shares.items())


def test_what_is_whole_counts_as_all_replicas():
    assert counted(targets(a=None, b=2), 3) == {"a": 3, "b": 2}
    assert counted(targets(a=None), None) == {"a": 0}


def test_moves_are_what_stops_here_and_starts_there():
    assert moved({"a": 3, "b": 1}, {"a": 1, "b": 2, "c": 1}) == 2
    assert moved({"a": 3}, {"a": 9}) == 0


def a_fleet(*names):
    return Fleet([Member(name=name) for name in names])


def a_workload(replicas, kind="Divided"):
    rules = ReplicaScheduling(replica_scheduling_type=kind)
    return Workload(
        key=ObjectKey("apps", "deployments", "shop", "web"),
        gvk=GroupVersionKind("apps", "v1", "Deployment"),
        demand=ReplicaDemand(replicas),
        placement=Placement(replica_scheduling=rules),
    )


def test_only_what_stops_at_once_is_an_interruption():
    fleet, before = a_fleet("a", "b"), {"a": 3}
    leaving = Eviction(cluster="a", replicas=3, reason="Leaving", since="")
    graceful = Scheduled(clusters=targets(b=3), evictions=(leaving,))
    assert interrupted(a_workload(3), before, graceful, fleet) == 0
    at_once = Scheduled(clusters=targets(b=3))
    assert interrupted(a_workload(3), before, at_once, fleet) == 3
    # What was to become fewer anyway is none.
    assert interrupted(a_workload(1), before, at_once, fleet) == 1
    assert interrupted(a_workload(3), before, graceful, a_fleet("b")) == 3


def test_a_whole_copy_is_interrupted_where_its_cluster_is_gone():
    copies, fewer = a_workload(3, "Duplicated"), Scheduled(clusters=targets(b=None))
    assert interrupted(copies, {"a": 3, "b": 3}, fewer, a_fleet("a", "b")) == 0
    assert interrupted(copies, {"a": 3, "b": 3}, fewer, a_fleet("b")) == 3


SUMS = (
    "3 of 9 objects change; replicas that move: 3, that stop before others run: 3 at most;"
    " objects that would lose their place: 1"
)


def test_a_plan_reads_as_a_person_would_say_it():
    moving = PlannedChange(
        kind="Deployment",
        namespace="shop",
        name="web",
        before=(PlacedShare(cluster="eu-1", replicas=3), PlacedShare(cluster="us-1", replicas=3)),
        after=(PlacedShare(cluster="us-1", replicas=6),),
        moved=3,
        interrupted=3,
    )
    stuck = PlannedChange(
        kind="ConfigMap",
        name="c",
        before=(PlacedShare(cluster="eu-1"),),
        fits=False,
        reason="NoClusterFit",
        message="none of 2 clusters fits; it stays in no cluster",
    )
    gone = PlannedChange(kind="Job", name="j", reason="NotSelected", message="it is removed")
    plan = Plan(
        templates=9, examined=9, changes=(moving, stuck, gone), moved=3, interrupted=3, unplaced=1
    )
    assert as_text(plan).splitlines() == [
        "Deployment shop/web: eu-1 3 -> 0, us-1 3 -> 6",
        "  3 replicas stop before others run",
        "ConfigMap c: eu-1 whole -> 0",
        "  would have no place: none of 2 clusters fits",
        "Job j: it is removed",
        SUMS,
    ]
    assert as_text(Plan(templates=2, examined=2)).startswith("nothing moves\n0 of 2 objects")
