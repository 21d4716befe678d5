"""What must hold of every decision, with all rules of a placement beside one another."""

import random
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.scheduler.core.change.triggers import may_draw
from services.scheduler.core.choice.grouping import group_of
from services.scheduler.core.claims import by_room
from services.scheduler.core.decision import Scheduled, verdicts_of
from services.scheduler.core.division.portions import ORDINALS_EACH
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.schedule import schedule
from shared.api.cluster import Taint
from tests.unit.scheduler.placement_worlds import NOW, a_world, after

worlds = st.integers(0, 10**6).map(a_world)


def afresh(workload):
    return replace(workload, current=(), previous_replicas=None, affinity_name="")


def shares(decision):
    return {one.name: one.replicas for one in decision.clusters}


@settings(max_examples=150, deadline=None)
@given(worlds)
@example(a_world(37949))
@example(a_world(44543))
def test_deciding_on_its_own_result_changes_nothing(world):
    workload, fleet = world
    first = schedule(workload, fleet, NOW)
    again = schedule(after(workload, first), fleet, NOW)
    assert (again.clusters, again.evictions) == (first.clusters, first.evictions)


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_the_order_of_members_does_not_matter(world):
    workload, fleet = world
    other = Fleet(reversed(list(fleet.members.values())))
    assert schedule(workload, fleet, NOW) == schedule(workload, other, NOW)


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_every_member_has_a_verdict(world):
    workload, fleet = world
    decision = schedule(workload, fleet, NOW)
    verdicts = {one.cluster: one for one in verdicts_of(decision)}
    if isinstance(decision, Scheduled):
        for name in fleet.members:
            assert verdicts[name].chosen or verdicts[name].code


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_what_does_not_fit_removes_nothing_that_runs(world):
    workload, fleet = world
    decision = schedule(workload, fleet, NOW)
    if not isinstance(decision, Scheduled):
        kept = tuple(one for one in workload.current if one.name in fleet.members)
        assert decision.clusters == kept


@settings(max_examples=300, deadline=None)
@given(worlds)
def test_sums_bounds_and_spread_hold(world):
    workload, fleet = afresh(world[0]), world[1]
    decision = schedule(workload, fleet, NOW)
    if not isinstance(decision, Scheduled):
        return
    found = shares(decision)
    if workload.divided:
        assert sum(found.values()) == workload.demand.count
        found = {name: share for name, share in found.items() if share}
    for constraint in workload.placement.spread_constraints:
        sizes = {}
        for name, share in found.items():
            group = group_of(constraint, fleet.members[name])
            sizes[group] = sizes.get(group, 0) + (share if workload.divided else 1)
        assert "" not in sizes
        if constraint.max_groups:
            assert len(sizes) <= constraint.max_groups
        if constraint.max_skew and sizes:
            assert max(sizes.values()) - min(sizes.values()) <= constraint.max_skew
        if len(workload.placement.spread_constraints) == 1:
            most = workload.demand.count if workload.divided else constraint.min_groups
            assert len(sizes) >= min(constraint.min_groups, most)


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_one_more_replica_shrinks_nobody(world):
    workload, fleet = afresh(world[0]), world[1]
    if not workload.divided or workload.placement.spread_constraints:
        return
    few = schedule(workload, fleet, NOW)
    demand = replace(workload.demand, count=workload.demand.count + 1)
    grown = schedule(replace(after(workload, few), demand=demand), fleet, NOW)
    placed = isinstance(few, Scheduled) and isinstance(grown, Scheduled)
    if placed and few.affinity_name == grown.affinity_name:
        assert all(shares(grown).get(name, 0) >= one for name, one in shares(few).items())


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_portions_add_up_and_ordinals_never_collide(world):
    workload, fleet = world
    decision = schedule(workload, fleet, NOW)
    if not (isinstance(decision, Scheduled) and workload.divided and decision.clusters):
        return
    if workload.demand.completions is not None:
        assert sum(one.completions for one in decision.clusters) == workload.demand.completions
    if workload.demand.ordinals_start is not None:
        taken = []
        for one in decision.clusters:
            taken += range(one.ordinals_start, one.ordinals_start + (one.replicas or 0))
            assert one.ordinals_start % ORDINALS_EACH == 0
        assert len(taken) == len(set(taken))


@settings(max_examples=200, deadline=None)
@given(worlds, st.integers(0, 10**6))
@example(a_world(765475), 1)
def test_what_has_its_place_by_room_stays_whatever_room_there_is(world, seed):
    workload, fleet = afresh(world[0]), world[1]
    first = schedule(workload, fleet, NOW)
    rules = workload.placement.replica_scheduling
    levelled = any(one.max_skew for one in workload.placement.spread_constraints)
    if not isinstance(first, Scheduled) or not by_room(workload.placement) or levelled:
        return
    if rules.replica_limits or not all(shares(first).values()):
        return
    other = Fleet(replace(one, room=another(one.room, seed)) for one in fleet.members.values())
    again = schedule(after(workload, first), other, NOW)
    assert isinstance(again, Scheduled)
    if again.affinity_name == first.affinity_name:
        assert shares(again) == shares(first)


@settings(max_examples=300, deadline=None)
@given(worlds, st.sampled_from("abcdef"), st.sampled_from(["taint", "unready", "leaving"]))
def test_whom_a_member_that_takes_less_does_not_concern_it_does_not_move(world, name, how):
    workload, fleet = world
    first = schedule(workload, fleet, NOW)
    member = fleet.members.get(name)
    if member is None or not isinstance(first, Scheduled):
        return
    taint = Taint(key="new", effect="NoExecute")
    changes = {
        "taint": {"taints": (*member.taints, taint)},
        "unready": {"ready": False},
        "leaving": {"leaving": True},
    }
    worse = replace(member, **changes[how])
    if name in {one.name for one in first.clusters} | {one.cluster for one in first.evictions}:
        return
    if may_draw(workload.placement, name, Fleet([member]), Fleet([worse])):
        return
    rules = workload.placement.replica_scheduling
    if rules is not None and rules.replica_limits:
        # Who goes may change in which order least shares are given (critique).
        return
    others = [one for one in fleet.members.values() if one is not member]
    again = schedule(after(workload, first), Fleet([*others, worse]), NOW)
    assert (again.clusters, again.evictions) == (first.clusters, first.evictions)


def another(room, seed):
    if room is None:
        return None
    chance = random.Random(seed)  # noqa: S311
    return replace(
        room, nodes=tuple(replace(one, count=chance.randint(0, 2)) for one in room.nodes)
    )
