"""From observers' words to verdicts, taints and the status of a cluster."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.health.core.brake import TOO_MANY_GONE, Brake, Held
from services.health.core.cluster_status import (
    FAILOVER_HELD,
    RECOVERED,
    Assessment,
    is_silent,
    is_worth_writing,
    status_after,
)
from services.health.core.side_conditions import CREDENTIALS_ACCEPTED
from services.health.core.taints import taints_after
from services.health.core.verdict import judge
from shared.api.cluster import READY, UNREACHABLE_TAINT, Capacity, ClusterStatus, Taint
from shared.api.conditions import find_condition
from shared.events.cluster import Observation, Reach

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
REFRESH = timedelta(minutes=5)


def a_word(reach: Reach, observer: str = "hub", **known: Any) -> Observation:
    time = known.pop("observed_time", "2026-01-01T12:00:00.000000Z")
    return Observation(cluster="eu-1", observer=observer, reach=reach, observed_time=time, **known)


def after(
    status: ClusterStatus, *words: Observation, at: datetime = NOW, held: Held | None = None
) -> ClusterStatus:
    found = Assessment(verdict=judge(words), observations=words, held=held)
    return status_after(status, found, now=at)


def test_a_member_is_unreachable_only_if_all_who_look_say_so() -> None:
    gone, fine = a_word(Reach.UNREACHABLE, "eu"), a_word(Reach.REACHABLE, "us")
    assert judge([gone, a_word(Reach.UNREACHABLE, "us")]).reach is Reach.UNREACHABLE
    assert judge([gone, fine]).reach is Reach.REACHABLE
    assert "eu" in judge([gone, fine]).message
    assert judge([gone, a_word(Reach.SUSPECT, "us")]).reach is Reach.SUSPECT
    assert judge([]).reach is Reach.UNKNOWN


def test_the_brake_holds_when_too_much_seems_gone_at_once() -> None:
    brake = Brake()
    gone, fine, suspect = Reach.UNREACHABLE, Reach.REACHABLE, Reach.SUSPECT
    assert not brake.holds({"a": gone, "b": fine, "c": fine})
    assert brake.holds({"a": gone, "b": gone, "c": fine})
    assert brake.holds({"a": gone, "b": suspect, "c": suspect})
    assert not brake.holds({"a": gone, "b": gone})
    assert not brake.holds({"a": gone, "b": gone, "c": fine, "d": fine})


@given(st.lists(st.sampled_from(list(Reach)), max_size=20))
def test_the_brake_never_holds_for_a_single_member(reaches: list[Reach]) -> None:
    fleet = {str(index): reach for index, reach in enumerate(reaches)}
    if Brake().holds(fleet):
        assert sum(r in (Reach.UNREACHABLE, Reach.SUSPECT) for r in reaches) >= 2


def test_an_unreachable_member_is_tainted_and_keeps_the_time() -> None:
    first = taints_after(Reach.UNREACHABLE, (), now=NOW, held=False)
    at = "2026-01-01T12:00:00Z"
    assert {(t.key, t.effect, t.time_added) for t in first} == {
        (UNREACHABLE_TAINT, "NoSchedule", at),
        (UNREACHABLE_TAINT, "NoExecute", at),
    }
    assert taints_after(Reach.UNREACHABLE, first, now=LATER, held=False) == first
    assert taints_after(Reach.UNKNOWN, first, now=LATER, held=False) == first
    assert taints_after(Reach.REACHABLE, first, now=LATER, held=False) == ()


def test_refused_credentials_never_evict() -> None:
    for reach in (Reach.CREDENTIALS_REFUSED, Reach.NOT_READY):
        found = taints_after(reach, (), now=NOW, held=False)
        assert [taint.effect for taint in found] == ["NoSchedule"]


def test_while_the_brake_holds_nothing_is_tainted_and_the_status_says_so() -> None:
    status = after(ClusterStatus(), a_word(Reach.UNREACHABLE), held=Held(TOO_MANY_GONE, "2 of 3"))
    assert status.taints == ()
    held = find_condition(status.conditions, FAILOVER_HELD)
    assert held is not None
    assert held.message == "2 of 3"
    assert is_silent(status)

    released = after(status, a_word(Reach.UNREACHABLE))
    assert released.taints
    assert find_condition(released.conditions, FAILOVER_HELD) is None


def test_ready_tells_when_it_changed_and_that_it_recovered() -> None:
    up = after(ClusterStatus(), a_word(Reach.REACHABLE))
    down = after(up, a_word(Reach.UNREACHABLE, message="no answer"), at=LATER)
    ready = find_condition(down.conditions, READY)
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "Unreachable")
    assert ready.last_transition_time == "2026-01-01T12:01:00Z"

    back = after(down, a_word(Reach.REACHABLE), at=LATER)
    ready = find_condition(back.conditions, READY)
    assert ready is not None
    assert (ready.status, ready.reason) == ("True", RECOVERED)
    assert find_condition(after(back, a_word(Reach.REACHABLE)).conditions, READY) == ready


def test_a_suspect_changes_nothing_that_is_written() -> None:
    up = after(ClusterStatus(), a_word(Reach.REACHABLE))
    suspected = after(up, a_word(Reach.SUSPECT), at=LATER)
    assert not is_worth_writing(up, suspected, now=LATER, refresh=REFRESH)


def test_refused_credentials_are_a_condition_of_their_own() -> None:
    status = after(ClusterStatus(), a_word(Reach.CREDENTIALS_REFUSED, message="401"))
    accepted = find_condition(status.conditions, CREDENTIALS_ACCEPTED)
    assert accepted is not None
    assert (accepted.status, accepted.reason) == ("False", "Unauthorized")
    assert not is_silent(status)

    forbidden = after(ClusterStatus(), a_word(Reach.REACHABLE, refusal="nodes cannot be read"))
    accepted = find_condition(forbidden.conditions, CREDENTIALS_ACCEPTED)
    assert accepted is not None
    assert accepted.reason == "Forbidden"


def test_time_and_a_little_latency_are_no_reason_to_write() -> None:
    old = after(ClusterStatus(), a_word(Reach.REACHABLE, latency_milliseconds=20))
    new = after(
        old,
        a_word(
            Reach.REACHABLE, latency_milliseconds=25, observed_time="2026-01-01T12:01:00.000000Z"
        ),
    )
    assert not is_worth_writing(old, new, now=LATER, refresh=REFRESH)
    assert is_worth_writing(old, new, now=NOW + timedelta(minutes=6), refresh=REFRESH)
    slow = after(old, a_word(Reach.REACHABLE, latency_milliseconds=200))
    assert is_worth_writing(old, slow, now=NOW, refresh=REFRESH)


def test_new_room_is_written_and_a_silent_observer_takes_none_away() -> None:
    room = Capacity(nodes_total=3)
    old = after(ClusterStatus(), a_word(Reach.REACHABLE, capacity=room))
    assert old.capacity == Capacity(nodes_total=3, observed_time="2026-01-01T12:00:00Z")
    assert after(old, a_word(Reach.UNREACHABLE)).capacity == old.capacity


def test_what_others_wrote_stays() -> None:
    status = ClusterStatus(id="uid", taints=(Taint(key="x", effect="NoSchedule"),))
    assert after(status, a_word(Reach.SUSPECT)).id == "uid"
    assert after(status, a_word(Reach.SUSPECT)).taints == status.taints
