"""What quotas and caps bound, whatever the fleet, the policy and the history."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.core.caps import Cap
from services.scheduler.core.circumstances import Circumstances
from services.scheduler.core.decision import Rejection, RejectionCode, Scheduled
from services.scheduler.core.planning import as_if_done
from services.scheduler.core.quota.allowed import Allowance
from services.scheduler.core.schedule import schedule
from shared.api.ceilings import Ceiling
from tests.unit.scheduler.placement_worlds import NAMES, NOW, a_world

worlds = st.integers(0, 10**6).map(a_world)
groups = st.sets(st.sampled_from(NAMES), min_size=1).map(frozenset)
allowances = st.lists(
    st.builds(Allowance, st.just("quota"), st.none() | groups, st.integers(0, 12)), max_size=3
).map(tuple)


def under(workload, found):
    """Allow at least what it has, as what is reckoned from a ledger does."""
    whole = workload.demand.count if workload.demand is not None else 0
    has = {one.name: whole if one.replicas is None else one.replicas for one in workload.current}
    allowed = tuple(
        replace(one, most=max(one.most, sum(n for name, n in has.items() if one.covers(name))))
        for one in found
    )
    return replace(workload, circumstances=Circumstances(allowances=allowed)), allowed


def wanted(workload, decision):
    whole = workload.demand.count if workload.demand is not None else 0
    return {name: whole if n is None else n for name, n in decision.desired.items()}


@settings(max_examples=120, deadline=None)
@given(worlds, allowances)
def test_no_group_of_clusters_gets_more_than_it_is_allowed(world, found):
    workload, allowed = under(world[0], found)
    decision = schedule(workload, world[1], NOW)
    if not isinstance(decision, Scheduled):
        # What runs is never taken away for a quota.
        kept = {one.name for one in decision.clusters}
        assert kept == {one.name for one in workload.current if world[1].holds(one.name)}
        return
    shares = wanted(workload, decision)
    for one in allowed:
        assert sum(n for name, n in shares.items() if one.covers(name)) <= one.most
    if workload.divided:
        assert sum(shares.values()) == workload.demand.count


@settings(max_examples=120, deadline=None)
@given(worlds, st.sampled_from(NAMES), st.integers(0, 3))
def test_a_cluster_with_a_ceiling_gets_no_more_than_that(world, name, most):
    workload, fleet = world
    if not workload.divided:
        return
    until = "2026-03-01T12:30:00Z"
    ceiling = Ceiling(
        cluster=name,
        replicas=most,
        reason="Unschedulable",
        since="2026-03-01T11:59:00Z",
        until=until,
    )
    about = Circumstances(ceilings=(ceiling,))
    bounded = replace(workload, circumstances=about)
    decision = schedule(bounded, fleet, NOW)
    if isinstance(decision, Scheduled):
        assert wanted(bounded, decision).get(name, 0) <= most


@settings(max_examples=100, deadline=None)
@given(worlds)
def test_what_is_placed_anew_arrives_and_stays(world):
    workload, fleet = world
    afresh = replace(workload, circumstances=Circumstances(afresh=True))
    last = schedule(afresh, fleet, NOW)
    for _ in range(8):
        if not isinstance(last, Scheduled):
            return
        again = schedule(as_if_done(afresh, last, NOW), fleet, NOW)
        if (again.clusters, again.goal) == (last.clusters, last.goal):
            break
        last = again
    assert not last.goal or last.evictions
    if workload.divided and not last.evictions:
        assert sum(one.replicas or 0 for one in last.clusters) == workload.demand.count


def test_of_two_caps_the_tighter_counts():
    why = Rejection(RejectionCode.QUOTA_EXCEEDED, "x")
    about = Circumstances(caps={"a": Cap(3, why)})
    workload = replace(a_world(1)[0], circumstances=about)
    assert workload.under({"a": Cap(2, why), "b": Cap(1, why)}).caps == {
        "a": Cap(2, why),
        "b": Cap(1, why),
    }
