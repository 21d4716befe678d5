"""What must hold of every preemption, whatever the fleet, the tenants and the policy."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.core.circumstances import Circumstances
from services.scheduler.core.decision import Scheduled, Unschedulable
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.preemption.choosing import (
    TENANTS_MAX,
    Tenant,
    may_preempt,
    preempt,
)
from services.scheduler.core.preemption.rank import Rank
from services.scheduler.core.room import NANO, Ask, NodeRoom, Room, ask_of
from services.scheduler.core.schedule import schedule
from services.scheduler.core.workload import Workload
from shared.api.binding import ObjectReference
from shared.api.placement import (
    Placement,
    PlacementAffinity,
    ReplicaLimit,
    ReplicaScheduling,
    SpreadConstraint,
    WeightPreference,
)
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey
from shared.interpreter.replicas import ReplicaDemand
from tests.unit.scheduler.placement_worlds import NOW

NAMES = "abcd"


def a_world(seed):
    """A workload that asks for room, members that are mostly full, and who fills them."""
    # Not for secrets: the same worlds in every run.
    chance = random.Random(seed)  # noqa: S311
    names = chance.sample(NAMES, chance.randint(1, 4))
    members = [
        Member(
            name=name,
            place={"region": chance.choice("xy")},
            room=Room((NodeRoom(1, {"cpu": chance.randint(0, 2) * NANO, "pods": 50 * NANO}),))
            if chance.random() < 0.9
            else None,
        )
        for name in names
    ]
    tenants = [
        Tenant(
            resource=ObjectReference(
                api_version="apps/v1",
                kind="Deployment",
                resource="deployments",
                namespace="shop",
                name=f"t{number}",
            ),
            priority=chance.randint(-1, 4),
            ask=Ask((("cpu", chance.choice([1, 1, 2, 4]) * NANO // 2),)),
            shares={name: chance.randint(0, 4) for name in NAMES if chance.random() < 0.7},
        )
        for number in range(chance.randint(0, 14))
    ]
    rules = ReplicaScheduling(
        replica_division_preference=chance.choice(["Weighted", "Aggregated"]),
        weight_preference=WeightPreference(dynamic_weight="AvailableReplicas"),
        replica_limits=(
            ReplicaLimit(target_cluster=PlacementAffinity(cluster_names=("a",)), max_replicas=2),
        )
        if chance.random() < 0.3
        else (),
    )
    spread = SpreadConstraint(spread_by_field="region", min_groups=2)
    workload = Workload(
        key=ObjectKey("apps", "deployments", "shop", "web"),
        gvk=GroupVersionKind("apps", "v1", "Deployment"),
        demand=ReplicaDemand(chance.randint(1, 9), {"cpu": chance.choice(["1", "500m", "2"])}),
        placement=Placement(
            replica_scheduling=rules, spread_constraints=(spread,) if chance.random() < 0.3 else ()
        ),
        circumstances=Circumstances(priority=3),
    )
    return workload, Fleet(members), tenants


RANK = Rank(3, preempts=True)
worlds = st.integers(0, 10**6).map(a_world)


def found_in(world):
    workload, fleet, tenants = world
    if isinstance(schedule(workload, fleet, NOW), Scheduled):
        return None
    return preempt(workload, RANK, fleet, tenants, NOW)


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_only_those_of_a_lower_priority_give_way_and_all_is_better_for_it(world):
    workload, fleet, tenants = world
    found = found_in(world)
    if found is None:
        return
    check_who_gives_way(found)
    check_weight(workload, tenants, found)
    check_room(workload, fleet, found)
    again = preempt(workload, RANK, fleet, tenants, NOW)
    assert again is not None
    assert again.displaced == found.displaced


def check_who_gives_way(found):
    left = {}
    for one in found.displaced:
        assert one.tenant.priority < RANK.priority
        place = one.tenant.resource.name, one.cluster
        left[place] = left.get(place, 0) + one.replicas
        assert 0 < left[place] <= one.tenant.shares[one.cluster]
    assert 0 < len({one.tenant.resource.name for one in found.displaced}) <= TENANTS_MAX


def check_weight(workload, tenants, found):
    """What is placed, weighed by priority, never gets worse."""
    lowest = min(one.priority for one in tenants)
    placed = sum(one.replicas or 0 for one in found.decision.clusters)
    assert placed == workload.demand.count
    lost = sum(one.replicas * (one.tenant.priority - lowest) for one in found.displaced)
    assert placed * (RANK.priority - lowest) > lost
    # Whoever leaves makes room for at least one.
    assert sum(one.replicas for one in found.displaced) <= placed


def check_room(workload, fleet, found):
    """It fits into what there is and what is left, and each of those who leave is needed."""
    ask = ask_of(workload.demand)
    rooms, asked = fleet.room_for(ask), dict(ask.requests)["cpu"]
    gains = [
        (one.cluster, dict(one.tenant.ask.requests)["cpu"] // asked, one) for one in found.displaced
    ]
    for name, share in found.decision.desired.items():
        inside = sum(gain * one.replicas for cluster, gain, one in gains if cluster == name)
        assert share <= (rooms[name] or 0) + inside
        # With one replica less of anybody the share would not fit.
        for cluster, gain, _ in gains:
            assert cluster != name or inside - gain < share - (rooms[name] or 0)


@settings(max_examples=60, deadline=None)
@given(worlds, st.integers(-2, 5))
def test_nobody_of_the_same_or_a_higher_priority_gives_way(world, priority):
    workload, fleet, tenants = world
    above = [replace(one, priority=max(one.priority, priority)) for one in tenants]
    assert preempt(workload, Rank(priority, preempts=True), fleet, above, NOW) is None


def is_unplaced(workload, fleet):
    return isinstance(schedule(workload, fleet, NOW), Unschedulable)


def test_the_worlds_have_preemptions_and_refusals():
    found = [found_in(a_world(seed)) for seed in range(100)]
    assert sum(one is not None for one in found) > 10
    unplaced = [
        seed for seed in range(100) if found[seed] is None and is_unplaced(*a_world(seed)[:2])
    ]
    assert len(unplaced) > 5


def test_who_counts_no_room_or_is_whole_preempts_nobody():
    workload, _, _ = a_world(1)
    assert may_preempt(workload, RANK)
    assert not may_preempt(workload, Rank(3))
    static = Placement(replica_scheduling=ReplicaScheduling())
    assert not may_preempt(replace(workload, placement=static), RANK)
    assert not may_preempt(replace(workload, placement=Placement()), RANK)
    assert not may_preempt(replace(workload, suspended=True), RANK)
