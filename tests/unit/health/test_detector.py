"""When an observer changes its mind about a member."""

from hypothesis import given
from hypothesis import strategies as st

from services.health.core.detector import Detector, Outcome, Thresholds, resumed
from shared.events.cluster import Reach

THREE_TWO = Thresholds(failures=3, successes=2)
REACHED, SILENT, OVERDUE = Outcome.REACHED, Outcome.SILENT, Outcome.OVERDUE
NOT_READY, REFUSED = Outcome.NOT_READY, Outcome.REFUSED


def after(*outcomes: Outcome, start: Detector | None = None) -> Detector:
    detector = start or Detector()
    for outcome in outcomes:
        detector = detector.after(outcome, THREE_TWO)
    return detector


def test_a_member_never_seen_is_unknown_and_reachable_by_its_first_answer() -> None:
    assert after().reach is Reach.UNKNOWN
    assert after(SILENT).reach is Reach.UNKNOWN
    assert after(REACHED).reach is Reach.REACHABLE


def test_one_failed_probe_makes_a_suspect_and_no_more() -> None:
    assert after(REACHED, SILENT).reach is Reach.SUSPECT
    assert after(REACHED, SILENT, SILENT).reach is Reach.SUSPECT
    assert after(REACHED, SILENT, SILENT, REACHED).reach is Reach.REACHABLE


def test_an_answer_that_is_not_a_good_one_makes_no_suspect() -> None:
    for outcome in (REFUSED, NOT_READY):
        assert after(REACHED, outcome, outcome).reach is Reach.REACHABLE
    assert after(REACHED, SILENT, REFUSED).reach is Reach.REACHABLE


def test_enough_silence_in_a_row_is_believed() -> None:
    assert after(REACHED, SILENT, SILENT, SILENT).reach is Reach.UNREACHABLE
    assert after(REACHED, SILENT, SILENT, REACHED, SILENT).reach is Reach.SUSPECT


def test_one_lucky_answer_brings_nobody_back() -> None:
    gone = after(REACHED, SILENT, SILENT, SILENT)
    assert after(REACHED, start=gone).reach is Reach.UNREACHABLE
    assert after(REACHED, SILENT, REACHED, start=gone).reach is Reach.UNREACHABLE
    assert after(REACHED, REACHED, start=gone).reach is Reach.REACHABLE


def test_refused_credentials_are_never_unreachable() -> None:
    refused = after(REACHED, *[REFUSED] * 10)
    assert refused.reach is Reach.CREDENTIALS_REFUSED


def test_a_member_that_answers_again_but_is_not_ready_is_not_unreachable() -> None:
    gone = after(REACHED, SILENT, SILENT, SILENT)
    assert after(NOT_READY, start=gone).reach is Reach.UNREACHABLE
    assert after(NOT_READY, NOT_READY, start=gone).reach is Reach.NOT_READY


def test_a_restart_forgives_nothing() -> None:
    again = resumed(Reach.UNREACHABLE)
    assert again.reach is Reach.UNREACHABLE
    assert again.after(REACHED, THREE_TWO).reach is Reach.UNREACHABLE


def test_a_doubt_is_looked_into_sooner() -> None:
    assert not after(REACHED).is_in_doubt
    assert after(REACHED, SILENT).is_in_doubt
    gone = after(REACHED, SILENT, SILENT, SILENT)
    assert not gone.is_in_doubt
    assert after(REACHED, start=gone).is_in_doubt
    assert not after(REACHED, REACHED, start=gone).is_in_doubt


def test_late_answers_keep_a_slow_member_and_bring_one_back() -> None:
    slow = after(REACHED, *[OVERDUE, REACHED] * 5)
    assert slow.reach is Reach.REACHABLE
    gone = after(REACHED, OVERDUE, OVERDUE, OVERDUE)
    assert gone.reach is Reach.UNREACHABLE
    assert after(OVERDUE, REACHED, OVERDUE, REACHED, start=gone).reach is Reach.REACHABLE


def test_an_overdue_answer_that_never_comes_breaks_the_row() -> None:
    gone = after(REACHED, SILENT, SILENT, SILENT)
    once = after(REACHED, OVERDUE, start=gone).given_up()
    assert after(REACHED, start=once).reach is Reach.UNREACHABLE


@given(st.lists(st.sampled_from(list(Outcome)), max_size=30))
def test_unreachable_needs_as_many_silences_in_a_row_as_the_threshold(
    outcomes: list[Outcome],
) -> None:
    detector = Detector()
    for position, outcome in enumerate(outcomes):
        before = detector.reach
        detector = detector.after(outcome, THREE_TWO)
        if detector.reach is Reach.UNREACHABLE and before is not Reach.UNREACHABLE:
            assert set(outcomes[position - 2 : position + 1]) <= {SILENT, OVERDUE}


@given(st.lists(st.sampled_from(list(Outcome)), max_size=30))
def test_whatever_happened_steady_answers_bring_it_back(outcomes: list[Outcome]) -> None:
    assert after(*outcomes, REACHED, REACHED).reach is Reach.REACHABLE
