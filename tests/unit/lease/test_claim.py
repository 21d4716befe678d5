"""When a lease may be taken, and until when it is held: each process by its own clock."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.lease import LeaseRecord
from shared.lease.claim import Attempt, Claim
from shared.lease.settings import LeaseSettings, Life


def claim(identity: str = "us", *dead: str) -> Claim:
    return Claim(LeaseSettings(), Life(identity, frozenset(dead)))


def record(holder: str = "them", term: int = 7, seconds: float = 4.0) -> LeaseRecord:
    return LeaseRecord(holder=holder, term=term, duration_seconds=seconds)


def holding(now: float) -> Claim:
    ours = claim()
    ours.wrote(ours.take(now), 1)
    return ours


def test_what_nobody_ever_held_is_taken_at_once_as_the_first_term() -> None:
    ours = claim()
    assert ours.vacant_in(10.0) == 0.0
    assert ours.take(10.0) == Attempt(record("us", 1), 0, 10.0)


def test_a_lease_is_left_to_its_holder_for_as_long_as_its_record_says() -> None:
    ours = claim()
    ours.hear(3, record(seconds=9.0), now=100.0)
    assert ours.vacant_in(100.0) == 9.0
    assert ours.vacant_in(108.5) == 0.5
    assert ours.vacant_in(109.0) == 0.0
    assert ours.take(109.0) == Attempt(record("us", 8), 3, 109.0)


def test_nobody_waits_for_the_dead() -> None:
    ours = claim("us", "them")
    ours.hear(3, record("them"), now=100.0)
    assert ours.vacant_in(100.0) == 0.0
    assert ours.take(100.0) == Attempt(record("us", 8), 3, 100.0)
    ours.hear(4, record("others"), now=100.0)
    assert ours.vacant_in(100.0) == 4.0


def test_every_renewal_begins_the_wait_anew() -> None:
    ours = claim()
    ours.hear(3, record(), now=100.0)
    ours.hear(4, record(), now=103.9)
    assert ours.vacant_in(104.0) == pytest.approx(3.9)


def test_what_was_let_go_is_taken_at_once_in_the_next_term() -> None:
    ours = claim()
    ours.hear(3, record(holder=""), now=100.0)
    assert ours.vacant_in(100.0) == 0.0
    assert ours.take(100.0).record.term == 8


def test_a_holder_counts_from_before_it_sent_its_renewal() -> None:
    ours = holding(10.0)
    renewal = ours.renew(11.0)
    ours.wrote(renewal, 2)
    assert ours.holds(13.9)
    assert not ours.holds(14.0)


def test_a_renewal_that_was_not_stored_is_none() -> None:
    ours = holding(10.0)
    ours.renew(11.0)
    assert not ours.holds(13.0)


def test_whoever_hears_of_another_holder_holds_it_no_more() -> None:
    ours = holding(10.0)
    ours.hear(2, record("them", 2), now=10.5)
    assert not ours.holds(10.5)
    assert ours.vacant_in(10.5) == 4.0


def test_an_echo_of_what_was_overwritten_says_nothing() -> None:
    ours = claim()
    ours.hear(5, record(holder=""), now=1.0)
    ours.wrote(ours.take(2.0), 6)
    ours.hear(5, record(), now=2.1)
    assert ours.holds(2.1)


def test_a_renewal_whose_answer_was_lost_is_recognised_and_lasts_no_longer() -> None:
    ours = holding(10.0)
    sent = ours.renew(11.0)
    ours.hear(2, sent.record, now=12.0)
    assert ours.renew(12.0).expected == 2
    assert not ours.holds(13.0), "what is known for certain is the one before"


def test_a_lease_that_is_gone_from_the_board_is_held_by_nobody() -> None:
    ours = holding(10.0)
    ours.hear(0, None, now=10.5)
    assert not ours.holds(10.5)
    assert ours.take(10.5).expected == 0


def test_our_own_that_we_do_not_hold_is_taken_again_as_another_term() -> None:
    ours = claim()
    ours.hear(4, record("us", 7), now=10.0)
    assert not ours.holds(10.0)
    assert ours.vacant_in(10.0) == 0.0
    assert ours.take(10.0).record.term == 8


def test_a_lease_that_others_would_take_before_its_holder_ends_is_refused() -> None:
    with pytest.raises(ValueError, match="deadline"):
        LeaseSettings(deadline=timedelta(seconds=4), duration=timedelta(seconds=4))


@given(
    rates=st.tuples(*[st.floats(0.88, 1.12)] * 2),
    offsets=st.tuples(*[st.floats(0, 1e6)] * 2),
    flight=st.floats(0, 30),
    hearing=st.floats(0, 30),
)
def test_a_holder_has_ended_before_another_may_begin(
    rates: tuple[float, float], offsets: tuple[float, float], flight: float, hearing: float
) -> None:
    """Whatever the clocks say, and however long messages take: their rates alone matter."""

    def of(who: int, moment: float) -> float:
        return moment * rates[who] + offsets[who]

    holder, other = claim("a"), claim("b")
    attempt = holder.take(of(0, 0.0))
    holder.wrote(attempt, 1)
    other.hear(1, attempt.record, of(1, flight + hearing))
    waits = other.vacant_in(of(1, flight + hearing)) / rates[1]
    assert not holder.holds(of(0, flight + hearing + waits))
