"""When what is fenced may run, and that it has stopped before the hub may believe so."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.health.core.fences import FRESH_SECONDS, Leases, is_news
from services.propagator.core.fence import CLOCK_RATE_ERROR, FenceSettings, Hold, Standing
from services.propagator.core.fencing import grace_seconds, is_fenced, marching_orders, stopped
from services.propagator.core.works import make_order
from services.propagator.dispatch.orders import shares_of
from shared.api.binding import BindingSpec, Eviction, ObjectReference, Share, TargetCluster
from shared.api.cluster import Fence
from shared.api.failover import Failover
from shared.apimachinery.manifest import ObjectKey
from shared.events.heartbeat import Heartbeat

SETTINGS = FenceSettings()
PATIENCE = SETTINGS.patience.total_seconds()


def hold(term=3, grace=30.0, began=100.0):
    found = Hold(SETTINGS, began)
    found.renewed(term, grace, began)
    return found


def test_what_is_of_the_term_runs_while_the_lease_is_held():
    assert hold().judge(3, 30.0, 100.0 + PATIENCE - 0.1) is Standing.RUN
    assert hold().judge(3, 30.0, 100.0 + PATIENCE) is Standing.STOP


def test_what_is_of_an_older_term_stops_and_what_is_of_a_newer_one_waits():
    assert hold().judge(2, 30.0, 101.0) is Standing.STOP
    assert hold().judge(4, 30.0, 101.0) is Standing.WAIT


def test_what_takes_longer_to_end_than_others_wait_waits_for_the_next_renewal():
    assert hold(grace=30.0).judge(3, 60.0, 101.0) is Standing.WAIT


def test_nobody_is_given_up_for_what_runs_under_no_term():
    assert hold().judge(0, 30.0, 101.0) is Standing.RUN


def test_a_process_that_begins_decides_nothing_until_its_patience_is_over():
    fresh = Hold(SETTINGS, 50.0)
    assert fresh.judge(3, 30.0, 51.0) is Standing.WAIT
    assert fresh.judge(3, 30.0, 50.0 + PATIENCE) is Standing.STOP


def test_a_revoked_lease_stops_everything_until_it_is_taken_up_again():
    found = hold()
    found.revoked()
    assert found.judge(3, 30.0, 100.1) is Standing.STOP
    found.renewed(4, 30.0, 101.0)
    assert found.judge(3, 30.0, 101.1) is Standing.STOP
    assert found.judge(4, 30.0, 101.1) is Standing.RUN


def test_a_member_that_left_stops_nothing():
    found = hold()
    found.release()
    assert found.seconds_left(1e9) > 0


def test_a_lease_is_renewed_before_its_patience_is_over():
    with pytest.raises(ValueError, match="patience"):
        FenceSettings(renewal=timedelta(seconds=15))


rates = st.floats(1 - CLOCK_RATE_ERROR, 1 + CLOCK_RATE_ERROR)


@given(
    rates=st.tuples(rates, rates, rates),
    ahead=st.floats(-300, 300),
    times=st.tuples(st.floats(0, 1_000), st.floats(0, 60), st.floats(0, 600)),
    trouble=st.tuples(
        st.floats(0, 1),
        st.floats(0, SETTINGS.restart.total_seconds()),
        st.floats(0, SETTINGS.act.total_seconds()),
    ),
)
def test_nothing_of_a_term_runs_any_more_when_it_is_revoked(rates, ahead, times, trouble):
    # Moments of true time; a clock of rate r shows r times as much.
    member, hub, kubelet = rates
    sent, under_way, grace = times
    died, restart, act = trouble
    heartbeat = Heartbeat(
        cluster="m", term=1, held=True, duration_seconds=SETTINGS.duration_seconds(grace)
    )
    first = Hold(SETTINGS, 0.0)
    first.renewed(1, grace, sent * member + ahead)
    last = sent + PATIENCE / member
    # It dies within its patience; the next one finds no NATS, and is patient anew.
    second = (sent + died * PATIENCE / member) + restart
    assert first.judge(1, grace, (last - 1e-6) * member + ahead) is Standing.RUN
    stopping = max(last, second + PATIENCE / member) + act
    ended = stopping + grace / kubelet

    leases = Leases()
    heard = (sent + under_way) * hub
    leases.hear(7, heartbeat, heard)
    wait = leases.revocable_in("m", heard)
    assert wait is not None
    revoked = (heard + wait) / hub
    assert revoked >= ended - 1e-6


def beat(term=3, *, held=True, duration=80.0):
    return Heartbeat(cluster="m", term=term, held=held, duration_seconds=duration)


def test_a_lease_is_revoked_when_it_was_not_renewed_for_as_long_as_its_member_asked():
    leases = Leases()
    assert leases.hear(5, beat(), 100.0)
    assert leases.revocable_in("m", 179.0) == 1.0
    # A renewal is no news, and begins the wait anew.
    assert not leases.hear(6, beat(), 150.0)
    assert leases.revocable_in("m", 180.0) == 50.0
    assert leases.revocable_in("m", 230.0) == 0.0
    found = leases.revocation("m", "now", above=0)
    assert (found.expected, found.heartbeat.term, found.heartbeat.held) == (6, 4, False)
    assert leases.hear(7, found.heartbeat, 230.0)
    assert leases.fence_of("m") == Fence(term=4, held=False)
    assert leases.revocable_in("m", 1_000.0) is None


def test_what_is_heard_late_is_passed_over():
    leases = Leases()
    leases.hear(7, beat(4, held=False), 100.0)
    assert not leases.hear(6, beat(3), 200.0)
    assert leases.fence_of("m") == Fence(term=4, held=False)


def test_a_member_is_heard_for_a_while_after_each_renewal():
    leases = Leases()
    assert not leases.is_heard("m", 100.0)
    leases.hear(5, beat(), 100.0)
    assert leases.is_heard("m", 100.0 + FRESH_SECONDS - 1)
    assert not leases.is_heard("m", 100.0 + FRESH_SECONDS)


def test_a_member_that_could_stop_nothing_is_given_up_for_no_silence():
    leases = Leases()
    leases.hear(5, beat(duration=None), 100.0)
    assert not leases.is_able("m")
    assert leases.revocable_in("m", 1e9) is None


def test_a_member_that_forgot_its_term_is_given_one_above_all_that_were_told():
    leases = Leases()
    leases.hear(1, beat(1), 0.0)
    assert leases.revocation("m", "now", above=5).heartbeat.term == 6


def test_within_a_term_a_lease_is_taken_up_and_never_lost():
    assert is_news(None, Fence(term=1, held=True))
    assert is_news(Fence(term=4), Fence(term=4, held=True))
    assert not is_news(Fence(term=4, held=True), Fence(term=4))
    assert is_news(Fence(term=4, held=True), Fence(term=5))
    assert not is_news(Fence(term=5), Fence(term=4, held=True))


# Orders.

WEB = ObjectReference(
    api_version="apps/v1", kind="Deployment", resource="deployments", namespace="shop", name="web"
)
MANIFEST = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3}}


def spec(**changed):
    return BindingSpec(
        resource=WEB,
        failover=Failover(fencing="Required"),
        replicas=3,
        clusters=(TargetCluster(name="b", replicas=3, fence=7),),
        evictions=(Eviction(cluster="a", replicas=3, reason="x", since="then", fence=2),),
        **changed,
    )


def test_what_leaves_is_ordered_to_rest_and_asked_whether_it_does():
    assert shares_of(spec()) == {"a": Share(0), "b": Share(3)}
    plain = make_order(
        ObjectKey("apps", "deployments", "shop", "web"), MANIFEST, spec(),
        api_version="apps/v1", kind="Deployment",
    )  # fmt: skip
    march = marching_orders(spec())
    resting, running = march("a", plain).order, march("b", plain).order
    assert (resting.fence, resting.since) == (0, "then")
    assert (running.fence, running.since) == (7, "")
    assert running.digest != plain.order.digest


def test_only_kinds_with_replicas_of_their_own_are_fenced():
    assert is_fenced(spec())
    job = ObjectReference(api_version="batch/v1", kind="Job", resource="jobs", name="j")
    unfenced = BindingSpec(resource=job, failover=Failover(fencing="Required"))
    assert not is_fenced(unfenced)
    assert not is_fenced(BindingSpec(resource=WEB))


def test_pods_may_take_as_long_to_end_as_they_say_or_as_kubernetes_has_it():
    assert grace_seconds(MANIFEST) == 30
    template = {"spec": {"terminationGracePeriodSeconds": 90}}
    assert grace_seconds({"spec": {"template": template}}) == 90
    assert stopped(MANIFEST)["spec"] == {"replicas": 0}
