"""What must hold of every decision, whatever the fleet, the policy and the history."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.scheduler.core.change.application import find_failing
from services.scheduler.core.decision import Scheduled
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.room import NodeRoom, Room
from services.scheduler.core.schedule import schedule
from services.scheduler.core.workload import Workload, default_tolerations
from shared.api.binding import ClusterReport, TargetCluster
from shared.api.cluster import UNREACHABLE_TAINT, Taint
from shared.api.failover import (
    ApplicationFailover,
    ClusterFailover,
    DecisionConditions,
    Failover,
)
from shared.api.placement import (
    Placement,
    PlacementAffinity,
    ReplicaLimit,
    ReplicaScheduling,
    StaticWeight,
    Toleration,
    WeightPreference,
)
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey
from shared.apimachinery.taints import tolerates
from shared.interpreter.replicas import ReplicaDemand
from tests.unit.scheduler.placement_worlds import GRACE

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMES = ("a", "b", "c", "d", "e", "f")
NANO = 10**9

taints = st.sampled_from(
    [
        Taint(key="gpu", effect="NoSchedule"),
        Taint(key="soft", effect="PreferNoSchedule"),
        Taint(key="down", effect="NoExecute", time_added="2026-03-01T11:59:00Z"),
        Taint(key=UNREACHABLE_TAINT, effect="NoExecute", time_added="2026-03-01T11:59:45Z"),
        Taint(key=UNREACHABLE_TAINT, effect="NoExecute", time_added="2026-03-01T11:00:00Z"),
    ]
)
rooms = st.none() | st.lists(
    st.builds(
        lambda count, cpu: NodeRoom(count, {"cpu": cpu * NANO, "pods": 50 * NANO}),
        st.integers(1, 3),
        st.integers(0, 9),
    ),
    max_size=2,
).map(lambda nodes: Room(tuple(nodes)))


def members(name):
    return st.builds(
        Member,
        name=st.just(name),
        taints=st.lists(taints, max_size=1).map(tuple),
        joined=st.integers(0, 9).map(bool),
        ready=st.integers(0, 5).map(bool),
        leaving=st.integers(0, 9).map(lambda number: number == 0),
        room=rooms,
    )


fleets = st.sets(st.sampled_from(NAMES)).flatmap(
    lambda names: st.tuples(*(members(name) for name in sorted(names)))
)
affinities = st.builds(
    PlacementAffinity, cluster_names=st.lists(st.sampled_from(NAMES), max_size=4).map(tuple)
)
limits = st.lists(
    st.builds(
        ReplicaLimit,
        target_cluster=affinities,
        min_replicas=st.integers(0, 4),
        max_replicas=st.none() | st.integers(0, 12),
    ),
    max_size=2,
).map(tuple)
preferences = st.none() | st.builds(
    WeightPreference,
    static_weight_list=st.lists(
        st.builds(StaticWeight, target_cluster=affinities, weight=st.integers(0, 5)), max_size=3
    ).map(tuple),
    dynamic_weight=st.sampled_from(["", "AvailableReplicas"]),
)
placements = st.builds(
    Placement,
    cluster_affinity=st.none() | affinities,
    cluster_tolerations=st.lists(
        st.sampled_from(
            [
                Toleration(key="gpu", operator="Exists"),
                Toleration(key="down", operator="Exists", toleration_seconds=300),
            ]
        ),
        max_size=2,
    ).map(tuple),
    replica_scheduling=st.none()
    | st.builds(
        ReplicaScheduling,
        replica_scheduling_type=st.sampled_from(["Divided", "Divided", "Duplicated"]),
        weight_preference=preferences,
        replica_limits=limits,
    ),
)
targets = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 9), max_size=4)


purge_modes = st.sampled_from(["Directly", "Gracefully", "Never"])
failovers = st.builds(
    Failover,
    cluster=st.builds(ClusterFailover, purge_mode=purge_modes),
    application=st.none()
    | st.builds(
        ApplicationFailover,
        decision_conditions=st.builds(
            DecisionConditions, toleration_seconds=st.sampled_from([0, 60, 300])
        ),
        purge_mode=purge_modes,
    ),
)
ailments = st.sampled_from(["", "", "2026-03-01T11:50:00Z", "2026-03-01T11:59:30Z"])


@st.composite
def workloads(draw):
    placement = draw(placements)
    held = draw(targets)
    available = draw(targets)
    return Workload(
        key=ObjectKey("apps", "deployments", "shop", draw(st.sampled_from(["web", "api"]))),
        gvk=GroupVersionKind("apps", "v1", "Deployment"),
        demand=ReplicaDemand(draw(st.integers(0, 12)), {"cpu": "1"}),
        placement=placement,
        tolerations=default_tolerations(placement, GRACE),
        failover=draw(failovers),
        current=tuple(TargetCluster(name=n, replicas=r) for n, r in sorted(held.items())),
        reports=tuple(
            ClusterReport(
                cluster=name,
                applied=True,
                health="Healthy",
                observed_time="2026-03-01T11:59:59Z",
                status={"availableReplicas": count},
                # What is not there has not been unhealthy there.
                unhealthy_since=draw(ailments) if held.get(name) else "",
            )
            for name, count in sorted(available.items())
        ),
        previous_replicas=sum(held.values()),
    )


def after(workload, decision):
    """The same workload once the decision has been written."""
    return replace(
        workload,
        current=decision.clusters,
        evictions=decision.evictions,
        failures=decision.failures,
        previous_replicas=workload.demand.count,
    )


def shares(decision):
    return {target.name: target.replicas for target in decision.clusters}


@settings(max_examples=100)
@given(workloads(), fleets)
def test_deciding_on_its_own_result_changes_nothing(workload, found):
    fleet = Fleet(found)
    first = schedule(workload, fleet, NOW)
    # A failing share that stays for want of room may go by this fleet, in which what was placed
    # beside it has taken none.
    assume(not find_failing(workload, NOW).clusters.keys() & shares(first).keys())
    again = schedule(after(workload, first), fleet, NOW)
    assert again.clusters == first.clusters
    assert again.evictions == first.evictions
    for eviction in again.evictions:
        assert again.rejections[eviction.cluster].message == eviction.message


@settings(max_examples=80)
@given(workloads(), fleets)
def test_shares_add_up_and_exceed_the_wish_only_by_what_moves(workload, found):
    fresh = replace(workload, current=(), previous_replicas=None)
    decision = schedule(fresh, Fleet(found), NOW)
    if isinstance(decision, Scheduled) and workload.divided:
        assert sum(shares(decision).values()) == workload.demand.count

    decision = schedule(workload, Fleet(found), NOW)
    if isinstance(decision, Scheduled) and workload.divided:
        held = {target.name: target.replicas for target in workload.current}
        total = sum(shares(decision).values())
        grown = sum(max(0, r - held.get(name, 0)) for name, r in shares(decision).items())
        assert workload.demand.count <= total <= workload.demand.count + grown


@settings(max_examples=80)
@given(workloads(), fleets)
def test_every_member_takes_part_or_has_a_reason(workload, found):
    decision = schedule(workload, Fleet(found), NOW)
    if isinstance(decision, Scheduled):
        for member in found:
            assert member.name in shares(decision) or member.name in decision.rejections


@settings(max_examples=80)
@given(workloads(), fleets)
def test_nobody_new_comes_against_a_taint_or_to_a_member_that_cannot_take_it(workload, found):
    decision = schedule(workload, Fleet(found), NOW)
    by_name = {member.name: member for member in found}
    held = {target.name for target in workload.current}
    for name in set(shares(decision)) - held:
        member = by_name[name]
        assert member.joined
        assert member.ready
        assert not member.leaving
        for taint in member.taints:
            if taint.effect != "PreferNoSchedule":
                assert any(tolerates(one, taint) for one in workload.tolerations)


@settings(max_examples=80)
@given(workloads(), fleets)
def test_what_does_not_fit_removes_nothing_that_runs(workload, found):
    decision = schedule(workload, Fleet(found), NOW)
    if not isinstance(decision, Scheduled):
        present = {member.name for member in found}
        assert decision.clusters == tuple(t for t in workload.current if t.name in present)


@settings(max_examples=80)
@given(workloads(), fleets)
def test_limits_hold_for_what_is_placed_afresh(workload, found):
    fresh = replace(workload, current=(), previous_replicas=None)
    decision = schedule(fresh, Fleet(found), NOW)
    rules = workload.placement.replica_scheduling
    if not (isinstance(decision, Scheduled) and workload.divided and workload.demand.count):
        return
    for name, share in shares(decision).items():
        first = next(
            (
                one
                for one in rules.replica_limits
                if not one.target_cluster.cluster_names or name in one.target_cluster.cluster_names
            ),
            None,
        )
        if first is not None:
            assert first.max_replicas is None or share <= first.max_replicas


@given(st.integers(1, 30), st.integers(1, 5))
def test_one_more_member_moves_no_more_than_its_share(replicas, size):
    rules = ReplicaScheduling(replica_scheduling_type="Divided")
    workload = Workload(
        key=ObjectKey("apps", "deployments", "shop", "web"),
        gvk=GroupVersionKind("apps", "v1", "Deployment"),
        demand=ReplicaDemand(replicas),
        placement=Placement(replica_scheduling=rules),
    )
    few = [Member(name=name) for name in NAMES[:size]]
    before = schedule(workload, Fleet(few), NOW)
    running = tuple(
        ClusterReport(
            cluster=target.name,
            applied=True,
            health="Healthy",
            observed_time="2026-03-01T11:59:59Z",
            status={"availableReplicas": target.replicas},
        )
        for target in before.clusters
    )
    grown = Fleet([*few, Member(name=NAMES[size])])
    moved = replace(after(workload, before), reports=running)
    decision = schedule(moved, grown, NOW)
    newcomer = shares(decision).get(NAMES[size], 0)
    assert newcomer <= -(-replicas // (size + 1))
    # Until the newcomer runs, nobody gives anything up.
    assert all(shares(decision)[name] == share for name, share in shares(before).items())


@given(workloads(), fleets)
def test_the_same_snapshot_gives_the_same_decision(workload, found):
    fleet = Fleet(found)
    assert schedule(workload, fleet, NOW) == schedule(workload, Fleet(reversed(found)), NOW)
