"""A set of workloads placed together keeps every rule, and is never worse than one by one."""

import itertools
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.core.decision import Scheduled
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.room import NodeRoom, Room
from services.scheduler.core.schedule import schedule
from services.scheduler.core.signals.pricing import Amounts
from services.scheduler.core.signals.values import ClusterSignals, Signals
from services.scheduler.core.together.choosing import (
    choose_together,
    holds,
    one_by_one,
    with_goal,
)
from services.scheduler.core.together.problem import problem_of, takes_part
from services.scheduler.core.workload import Workload
from services.scheduler.deciding.solving import solve
from shared.api.binding import TargetCluster
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

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NANO = 10**9
SECONDS = 5.0


def a_member(name, nodes, region="r1"):
    return Member(
        name=name,
        place={"region": region, "zone": "", "provider": ""},
        room=Room(tuple(NodeRoom(1, {"cpu": cpu * NANO, "pods": 110 * NANO}) for cpu in nodes)),
    )


def a_workload(name, count, cpu, current=None, *, constraints=(), limits=(), affinity=None):
    return Workload(
        key=ObjectKey("apps", "deployments", "shop", name),
        gvk=GroupVersionKind("apps", "v1", "Deployment"),
        demand=ReplicaDemand(count, {"cpu": str(cpu)}),
        placement=Placement(
            cluster_affinity=affinity,
            spread_constraints=tuple(constraints),
            replica_scheduling=ReplicaScheduling(
                weight_preference=WeightPreference(dynamic_weight="AvailableReplicas"),
                replica_limits=tuple(limits),
            ),
        ),
        current=tuple(TargetCluster(name=one, replicas=n) for one, n in (current or {}).items()),
        previous_replicas=count if current else None,
    )


def prices(**by_cluster):
    return Signals(
        {name: ClusterSignals(rates=Amounts(cpu=price)) for name, price in by_cluster.items()}
    )


def a_world(seed):
    chance = random.Random(seed)  # noqa: S311
    names = "abcd"[: chance.randint(2, 4)]
    fleet = Fleet(
        a_member(
            name,
            [chance.randint(0, 6) for _ in range(chance.randint(1, 3))],
            chance.choice(["r1", "r2"]),
        )
        for name in names
    )
    signals = prices(**{name: float(chance.randint(1, 9)) for name in names})
    workloads = []
    for number in range(chance.randint(1, 4)):
        count = chance.randint(1, 6)
        constraints = []
        if chance.random() < 0.5:
            by = chance.choice(["region", "cluster"])
            most = chance.choice([0, 1, 2])
            least = chance.randint(0, most)
            constraints = [SpreadConstraint(spread_by_field=by, min_groups=least, max_groups=most)]
        limits = []
        if chance.random() < 0.4:
            limits = [
                ReplicaLimit(
                    target_cluster=PlacementAffinity(cluster_names=(chance.choice(names),)),
                    min_replicas=chance.randint(0, 2),
                    max_replicas=chance.randint(2, 4),
                )
            ]
        current = {chance.choice(names): count} if chance.random() < 0.6 else {}
        cpu = chance.randint(1, 3)
        workloads.append(
            a_workload(f"w{number}", count, cpu, current, constraints=constraints, limits=limits)
        )
    objective = chance.choice(["Cost", "Packing"])
    return problem_of([one for one in workloads if takes_part(one)], fleet, objective, signals)


def whole(problem, placing):
    return placing is not None and all(
        sum(placing.get(part.key, {}).values()) == part.count for part in problem.parts
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6).map(a_world))
def test_it_is_never_worse_than_one_by_one_or_than_it_was(problem):
    found = choose_together(problem, solve(problem, SECONDS) if problem.parts else None, NOW)
    staying = {part.key: part.now for part in problem.parts}
    placed = {**staying, **found.goals}
    for other in (staying, one_by_one(problem, NOW)):
        if problem.parts and whole(problem, other):
            assert whole(problem, placed)
            assert problem.value(placed) <= problem.value(other) + 1e-6


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6).map(a_world), st.randoms(use_true_random=False))
def test_whatever_is_proposed_no_rule_is_broken(problem, chance):
    names = list(problem.fleet.members)
    proposed = {
        part.key: {name: chance.randint(0, part.count) for name in names} for part in problem.parts
    }
    if not holds(problem, proposed, NOW):
        assert choose_together(problem, proposed, NOW).goals != proposed
        return
    for part in problem.parts:
        shares = {name: share for name, share in proposed[part.key].items() if share}
        assert sum(shares.values()) == part.count
        decision = schedule(with_goal(part.workload, shares), problem.fleet, NOW)
        assert isinstance(decision, Scheduled)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6).map(a_world))
def test_the_solver_finds_nothing_dearer_than_trying_everything(problem):
    parts = problem.parts[:2]
    problem = type(problem)("Cost", parts, problem.fleet, problem.free)
    names = list(problem.fleet.members)

    def ways(part):
        every = itertools.product(range(part.count + 1), repeat=len(names))
        return [dict(zip(names, one, strict=True)) for one in every if sum(one) == part.count]

    if not parts or any(part.count > 4 for part in parts):
        return
    values = [
        problem.value(placing)
        for some in itertools.product(*(ways(part) for part in parts))
        if holds(
            problem,
            placing := {part.key: one for part, one in zip(parts, some, strict=True)},
            NOW,
        )
    ]
    found = solve(problem, SECONDS)
    if values:
        assert found is not None
        # Rooms are sums to the solver: it may hope for less than nodes hold, never for more.
        assert problem.value(found) <= min(values) + 1e-3


def test_two_that_are_in_each_others_way_are_told_apart():
    fleet = Fleet([a_member("cheap", [4]), a_member("dear", [8, 8])])
    # One by one the first takes the cheap node, which only the second could have used up.
    workloads = [a_workload("a", 1, 3), a_workload("b", 2, 2)]
    problem = problem_of(workloads, fleet, "Cost", prices(cheap=1.0, dear=2.0))
    proposed = {workloads[0].key: {"dear": 1}, workloads[1].key: {"cheap": 2}}
    assert problem.value(solve(problem, SECONDS)) == problem.value(proposed) == 10
    found = choose_together(problem, solve(problem, SECONDS), NOW)
    assert found.goals == proposed
    assert found.value < found.alone
    assert "placed together, 2 workloads at 10.0000 an hour in all" in found.note


def test_room_that_is_enough_in_sum_and_on_no_node_is_refused():
    fleet = Fleet([a_member("cheap", [2, 2]), a_member("dear", [9])])
    workloads = [a_workload("a", 1, 2), a_workload("b", 2, 1), a_workload("c", 1, 1)]
    problem = problem_of(workloads, fleet, "Cost", prices(cheap=1.0, dear=5.0))
    proposed = {
        workloads[0].key: {"cheap": 1},
        workloads[1].key: {"cheap": 2},
        workloads[2].key: {"cheap": 1},
    }
    assert not holds(problem, proposed, NOW)


@pytest.mark.parametrize("objective", ["Packing"])
def test_packing_uses_the_fewest_clusters(objective):
    fleet = Fleet([a_member("a", [4]), a_member("b", [4]), a_member("c", [8])])
    workloads = [a_workload("x", 4, 1, {"a": 4}), a_workload("y", 4, 1, {"b": 4})]
    problem = problem_of(workloads, fleet, objective, Signals())
    found = choose_together(problem, solve(problem, SECONDS), NOW)
    placed = {part.key: part.now for part in problem.parts} | dict(found.goals)
    assert problem.value(placed) == 1
