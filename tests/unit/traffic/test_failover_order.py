"""Whose turn it is: down at once, up again after a while."""

from datetime import UTC, datetime, timedelta

from services.traffic.core.failover_order import is_well, take_turn
from services.traffic.core.places import Place
from shared.api.traffic_policy import FailoverState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES = timedelta(minutes=1)
AFTER = 2 * MINUTES


def test_the_first_that_is_well_begins() -> None:
    assert take_turn(None, [False, True, True], AFTER, NOW).state.active == 1
    assert take_turn(None, [False, False], AFTER, NOW).state.active == 0
    # Groups were taken out of the policy.
    assert take_turn(FailoverState(active=7), [True], AFTER, NOW).state.active == 0


def test_it_goes_down_at_once_and_returns_once_it_has_been_well_for_a_while() -> None:
    state = take_turn(None, [True, True], AFTER, NOW).state
    state = take_turn(state, [False, True], AFTER, NOW).state
    assert state.active == 1

    back = take_turn(state, [True, True], AFTER, NOW + MINUTES)
    assert back.state.active == 1
    assert back.wake_after == AFTER
    broken = take_turn(back.state, [False, True], AFTER, NOW + 2 * MINUTES)
    assert broken.state.well_since == {}
    again = take_turn(broken.state, [True, True], AFTER, NOW + 3 * MINUTES)
    still = take_turn(again.state, [True, True], AFTER, NOW + 4 * MINUTES)
    assert (still.state.active, still.wake_after) == (1, MINUTES)

    assert take_turn(still.state, [True, True], AFTER, NOW + 5 * MINUTES).state.active == 0


def test_it_does_not_wait_where_the_active_one_is_not_well() -> None:
    state = FailoverState(active=2, since="2026-01-01T00:00:00Z")

    assert take_turn(state, [False, True, False], AFTER, NOW).state.active == 1
    # Nobody is well: to move would help nobody.
    stays = take_turn(state, [False, False, False], AFTER, NOW).state
    assert (stays.active, stays.since) == (2, "2026-01-01T00:00:00Z")


def test_a_group_is_well_by_the_replicas_that_traffic_reaches() -> None:
    assert is_well([Place(cluster="a", ready=2, wanted=4)], 50)
    assert not is_well([Place(cluster="a", ready=1, wanted=4)], 50)
    away = Place(cluster="b", ready=4, wanted=4, reachable=False)
    assert not is_well([Place(cluster="a", ready=1, wanted=4), away], 50)
    assert not is_well([Place(cluster="a", ready=4, wanted=4, drained=True)], 50)
    assert not is_well([], 50)
