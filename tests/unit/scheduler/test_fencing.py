"""A fenced workload begins elsewhere only once it is known to have stopped where it was."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.core.decision import Scheduled, explain
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.schedule import schedule
from services.scheduler.core.workload import Grace, Workload, default_tolerations
from shared.api.binding import ClusterReport, TargetCluster
from shared.api.cluster import UNREACHABLE_TAINT, Taint
from shared.api.failover import ClusterFailover, Failover
from shared.api.placement import Placement, PlacementAffinity, SpreadConstraint
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey
from shared.interpreter.replicas import ReplicaDemand

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LONG_GONE = Taint(key=UNREACHABLE_TAINT, effect="NoExecute", time_added="2026-03-01T11:00:00Z")
ONE_OF_ALL = Placement(
    spread_constraints=(SpreadConstraint(spread_by_field="cluster", min_groups=1, max_groups=1),)
)
AT_ONCE = Grace(unreachable=timedelta(0), not_ready=timedelta(0))
DEPLOYMENT = GroupVersionKind("apps", "v1", "Deployment")


def pulled(name, term=3, **changed):
    return Member(name=name, **{"pulled": True, "fence_term": term, "fence_held": True, **changed})


def silent(member, **changed):
    return replace(member, ready=False, taints=(LONG_GONE,), **changed)


def workload(*current, gvk=DEPLOYMENT, placement=ONE_OF_ALL, mode="Gracefully", **changed):
    return Workload(
        key=ObjectKey(gvk.group, gvk.kind.lower() + "s", "shop", "web"),
        gvk=gvk,
        demand=ReplicaDemand(3),
        placement=placement,
        tolerations=default_tolerations(placement, AT_ONCE),
        current=current,
        previous_replicas=3,
        failover=Failover(cluster=ClusterFailover(purge_mode=mode), fencing="Required"),
        **changed,
    )


def at(name, fence=3):
    return TargetCluster(name=name, fence=fence)


def decide(what, *members):
    found = schedule(what, Fleet(members), NOW)
    assert isinstance(found, Scheduled)
    again = schedule(
        replace(what, current=found.clusters, evictions=found.evictions), Fleet(members), NOW
    )
    assert again.clusters == found.clusters, "scheduling its own result changes nothing"
    return found


def test_a_share_runs_under_the_term_of_its_member():
    (target,) = decide(workload(), pulled("a", term=5)).clusters
    assert target.fence == 5
    (target,) = decide(workload(), Member(name="a")).clusters
    assert target.fence == 0


def test_silence_alone_moves_nothing():
    found = decide(workload(at("a")), silent(pulled("a")), pulled("b"))
    assert [one.name for one in found.clusters] == ["a"]
    assert not found.evictions
    assert "its lease is not over" in explain(found)


def test_it_begins_elsewhere_once_the_lease_was_revoked():
    lost = silent(pulled("a", term=4, fence_held=False))
    found = decide(workload(at("a", 3)), lost, pulled("b", term=9))
    assert [(one.name, one.fence) for one in found.clusters] == [("b", 9)]
    # What is left of it there is at rest until then.
    assert [one.cluster for one in found.evictions] == ["a"]


def test_the_term_that_is_over_stays_in_the_binding_until_its_member_is_back():
    revoked = pulled("a", term=4, fence_held=False)
    (target,) = decide(workload(at("a", 3)), revoked, pulled("b")).clusters
    assert target == at("a", 3)
    (target,) = decide(workload(at("a", 3)), pulled("a", term=4), pulled("b")).clusters
    assert target == at("a", 4)


def test_a_member_without_a_propagator_beside_it_is_never_known_to_have_stopped():
    pushed = silent(Member(name="a", fence_term=4))
    found = decide(workload(at("a", 0)), pushed, pulled("b"))
    assert [one.name for one in found.clusters] == ["a"]
    assert "no propagator beside it" in explain(found)


def test_nor_is_what_has_no_replicas_to_take_away():
    job = GroupVersionKind("batch", "v1", "CronJob")
    lost = silent(pulled("a", term=4, fence_held=False))
    found = decide(workload(at("a", 0), gvk=job), lost, pulled("b"))
    assert [one.name for one in found.clusters] == ["a"]
    assert "has no replicas" in explain(found)


def test_what_runs_nowhere_needs_no_fence():
    config = GroupVersionKind("", "v1", "ConfigMap")
    found = decide(workload(at("a", 0), gvk=config), silent(pulled("a")), pulled("b"))
    assert [one.name for one in found.clusters] == ["b"]


ONLY_B = Placement(cluster_affinity=PlacementAffinity(cluster_names=("b",)))


def test_a_move_that_was_asked_for_stops_here_before_it_begins_there():
    what = workload(at("a"), placement=ONLY_B)
    first = decide(what, pulled("a"), pulled("b"))
    assert first.clusters == ()
    (leaving,) = first.evictions
    assert (leaving.cluster, leaving.fence) == ("a", 3)
    assert "waits for a" in explain(first)

    def after(**report):
        said = ClusterReport(**{"cluster": "a", "applied": True, **report})
        moved = replace(what, current=(), evictions=first.evictions, reports=(said,))
        return [one.name for one in decide(moved, pulled("a"), pulled("b")).clusters]

    looked = {"observedGeneration": 2, "generation": 2}
    assert after(since=leaving.since, status={**looked, "replicas": 1}) == []
    assert after(since=leaving.since, status={"observedGeneration": 1, "generation": 2}) == []
    assert after(since="before", status=looked) == []
    assert after(since=leaving.since, status=looked, applied=False) == []
    assert after(since=leaving.since, status=looked) == ["b"]


def test_who_falls_silent_while_it_is_to_stop_is_waited_for_until_its_lease_is_over():
    what = workload(at("a"), placement=ONLY_B)
    first = decide(what, pulled("a"), pulled("b"))
    moved = replace(what, current=(), evictions=first.evictions)
    assert decide(moved, silent(pulled("a")), pulled("b")).clusters == ()
    lost = silent(pulled("a", term=4, fence_held=False))
    assert [one.name for one in decide(moved, lost, pulled("b")).clusters] == ["b"]


def test_a_member_that_an_administrator_took_out_counts_as_stopped():
    what = workload(at("a"))
    assert [one.name for one in decide(what, pulled("b")).clusters] == ["b"]
    emptied = silent(pulled("a", emptied=True, leaving=True))
    assert [one.name for one in decide(what, emptied, pulled("b")).clusters] == ["b"]


members = st.builds(
    lambda name, term, held, gone: (silent if gone else replace)(
        pulled(name, term=term, fence_held=held)
    ),
    name=st.just("x"),
    term=st.integers(1, 4),
    held=st.booleans(),
    gone=st.booleans(),
)


@given(
    fleet=st.lists(members, min_size=2, max_size=3),
    mode=st.sampled_from(["Directly", "Gracefully", "Never"]),
    fence=st.integers(0, 4),
    only=st.none() | st.sampled_from("abc"),
)
def test_no_decision_has_it_begin_while_it_may_run_elsewhere(fleet, mode, fence, only):
    named = [replace(one, name=name) for one, name in zip(fleet, "abc", strict=False)]
    placement = (
        ONE_OF_ALL
        if only is None
        else Placement(cluster_affinity=PlacementAffinity(cluster_names=(only,)))
    )
    what = workload(at("a", fence), placement=placement, mode=mode)
    found = schedule(what, Fleet(named), NOW)
    begun = {one.name for one in found.clusters} - {"a"}
    stopped = 0 < fence < named[0].fence_term
    assert stopped or not begun
