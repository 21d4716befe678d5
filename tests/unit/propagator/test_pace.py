"""How many objects a member gets at a time, played against members of three sorts."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from services.propagator.core.pace import FIRST, LEAST, Pace

MOST = 64


def play(pace: Pace, answers: int, latency: Callable[[int], float]) -> list[int]:
    """Keep the member as busy as the limit allows; returns the limits on the way."""
    limits = []
    for _ in range(answers):
        pace.answered(latency(pace.limit), pace.limit)
        limits.append(pace.limit)
    return limits


def test_a_member_far_away_gets_the_most() -> None:
    assert play(Pace(MOST), 2_000, lambda _: 0.2)[-1] == MOST


def test_a_member_that_has_one_hand_keeps_what_it_has() -> None:
    # What more there is in hand only waits.
    limits = play(Pace(MOST), 20_000, lambda in_hand: 0.01 * in_hand)
    assert set(limits) == {FIRST, FIRST * 3 // 2}
    assert limits.count(FIRST) > 0.9 * len(limits)


def test_how_quick_it_was_when_little_was_asked_is_not_held_against_a_member() -> None:
    pace = Pace(MOST)
    for _ in range(1_000):
        pace.answered(0.002, 1)
    assert min(play(pace, 5_000, lambda in_hand: 0.04 * in_hand)) >= FIRST


def test_a_member_that_grows_slow_gets_less_and_when_it_is_well_again_more() -> None:
    pace = Pace(MOST)
    well = play(pace, 10_000, lambda _: 0.05)[-1]
    slow = min(play(pace, 1_000, lambda _: 5.0))
    again = play(pace, 10_000, lambda _: 0.05)[-1]
    assert slow < well / 4
    assert again == well


def test_refusals_halve_down_to_one_and_answers_bring_it_back() -> None:
    pace = Pace(MOST)
    seen = []
    for _ in range(6):
        seen.append(pace.limit)
        pace.refused()
    assert seen == [16, 8, 4, 2, 1, 1]
    limits = play(pace, 3_000, lambda _: 0.05)
    assert limits[-1] == MOST
    # One more after each round, until it is where it began.
    assert set(range(1, FIRST + 1)) <= set(limits)


def test_a_member_that_was_silent_soon_has_half_of_what_it_had() -> None:
    pace = Pace(MOST)
    play(pace, 2_000, lambda _: 0.2)
    for _ in range(6):
        pace.unanswered()
        assert pace.limit == LEAST
    answers_to_half = 4 * sum(2**n for n in range(5))
    assert play(pace, answers_to_half, lambda _: 0.2)[-1] == MOST // 2


def test_a_member_that_falls_silent_at_what_it_is_given_is_given_ever_less() -> None:
    pace = Pace(MOST)
    most = []
    for _ in range(6):
        limits = play(pace, 200, lambda _: 0.2)
        most.append(limits[-1])
        pace.unanswered()
    for _ in range(4):
        # It takes 8 at a time and no more.
        while pace.limit <= 8:
            pace.answered(0.2, pace.limit)
        pace.unanswered()
    soon = play(pace, 4 * (1 + 2 + 4), lambda _: 0.2)[-1]
    assert soon < 8


def test_a_member_of_which_little_is_asked_keeps_its_limit() -> None:
    pace = Pace(MOST)
    for _ in range(1_000):
        pace.answered(0.05, 1)
    assert pace.limit == FIRST


@given(
    most=st.integers(1, 200),
    steps=st.lists(st.one_of(st.none(), st.floats(0, 60, allow_nan=False)), max_size=400),
)
def test_whatever_happens_it_stays_within_its_bounds(most: int, steps: list[float | None]) -> None:
    pace = Pace(most)
    for seconds in steps:
        if seconds is None:
            pace.refused()
        else:
            pace.answered(seconds, pace.limit)
        assert LEAST <= pace.limit <= most
