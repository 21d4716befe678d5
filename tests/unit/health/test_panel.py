"""Several observers: whose word counts, and what becomes of it where they disagree."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.health.core.brake import Brake
from services.health.core.cluster_status import (
    RECOVERED,
    RETURNING,
    Assessment,
    is_silent,
    status_after,
)
from services.health.core.panel import Panel, Panelists, panel_of
from services.health.core.side_conditions import OBSERVERS_AGREE, SLOW
from services.health.core.verdict import judge
from shared.api.cluster import READY, UNREACHABLE_TAINT, ClusterStatus
from shared.api.conditions import find_condition
from shared.events.cluster import Observation, Reach
from tests.unit.health.test_verdict import NOW, a_word

GONE, WELL, DOUBT = Reach.UNREACHABLE, Reach.REACHABLE, Reach.SUSPECT
THREE = Panel(frozenset({"ap", "eu", "us"}))
ANSWERS = (WELL, Reach.NOT_READY, Reach.CREDENTIALS_REFUSED)


def words(*reaches: Reach, failures: int = 3) -> list[Observation]:
    names = ("ap", "eu", "us")
    return [
        a_word(reach, name, failures=failures) for name, reach in zip(names, reaches, strict=False)
    ]


def ready(status: ClusterStatus) -> tuple[str, str]:
    found = find_condition(status.conditions, READY)
    assert found is not None
    return found.status, found.reason


def after(status: ClusterStatus, *spoken: Observation, panel: Panel = THREE) -> ClusterStatus:
    found = Assessment(verdict=judge(spoken, panel), observations=spoken, panel=panel)
    return status_after(status, found, now=NOW)


def test_most_of_all_observers_must_say_that_a_member_is_gone() -> None:
    assert judge(words(GONE, GONE, DOUBT), THREE).reach is GONE
    assert judge(words(GONE, GONE), THREE).reach is GONE
    # A single lost probe is no silence yet; the others have not looked, or cannot see.
    assert judge(words(GONE, GONE, DOUBT, failures=1), THREE).reach is DOUBT
    assert judge(words(GONE), THREE).reach is DOUBT


def test_one_answer_to_anybody_is_a_sign_of_life() -> None:
    for answer in ANSWERS:
        found = judge(words(GONE, GONE, answer), THREE)
        assert found.reach is DOUBT
        assert found.lasting
        assert found.dissent == "us get an answer, ap, eu none"
    assert judge(words(WELL, WELL, GONE), THREE).reach is WELL


@given(st.lists(st.sampled_from(list(Reach)), min_size=1, max_size=5), st.integers(0, 4))
def test_gone_is_only_who_most_see_gone_and_nobody_hears(reaches: list[Reach], more: int) -> None:
    spoken = [a_word(reach, f"o{index}") for index, reach in enumerate(reaches)]
    observers = frozenset(f"o{index}" for index in range(len(reaches) + more))
    if judge(spoken, Panel(observers)).reach is GONE:
        assert reaches.count(GONE) * 2 > len(observers)
        assert not set(reaches) & set(ANSWERS)


def test_an_observer_that_sees_most_of_the_fleet_gone_is_blind_where_others_see_it() -> None:
    brake = Brake()
    fleet = ("a", "b", "c")
    eu = [Observation(cluster=one, observer="eu", reach=GONE, observed_time="") for one in fleet]
    us = [Observation(cluster=one, observer="us", reach=WELL, observed_time="") for one in fleet]
    panel = panel_of([*eu, *us], brake)
    assert panel.blind == {"eu"}
    found = judge([eu[0], us[0]], panel)
    assert found.reach is WELL
    assert "eu see most of the fleet gone" in found.dissent
    # Nor can it make up the quorum with one that is right.
    us_lost = Observation(cluster="a", observer="us", reach=GONE, observed_time="", failures=3)
    assert judge([eu[0], us_lost], panel_of([*eu, us_lost, *us[1:]], brake)).reach is DOUBT
    # What it hears all the same is as good as what others hear.
    eu_hears = Observation(cluster="a", observer="eu", reach=WELL, observed_time="")
    assert judge([eu_hears, us_lost], panel).reach is WELL
    # Where all see the same nobody is known to be blind: the brake has the word.
    assert panel_of(eu, brake).blind == frozenset()


def test_who_says_nothing_any_more_counts_no_more() -> None:
    panelists = Panelists(Brake())
    eu, us = a_word(GONE, "eu"), a_word(GONE, "us")
    panelists.replace(None, eu)
    panelists.replace(None, us)
    assert panelists.panel.quorum == 2
    panelists.replace(eu, None)
    assert panelists.panel == Panel(frozenset({"us"}))


def test_a_suspect_keeps_what_runs_there_and_gets_nothing_new() -> None:
    up = after(ClusterStatus(), *words(WELL, WELL, WELL))
    suspect = after(up, *words(GONE, GONE, WELL))
    assert ready(suspect) == ("Unknown", "Suspect")
    assert suspect.taints == ()
    assert not is_silent(suspect)
    agree = find_condition(suspect.conditions, OBSERVERS_AGREE)
    assert agree is not None
    assert (agree.status, agree.message) == ("False", "us get an answer, ap, eu none")


def test_what_was_about_to_leave_stays_as_soon_as_anybody_hears_the_member() -> None:
    up = after(ClusterStatus(), *words(WELL, WELL, WELL))
    gone = after(up, *words(GONE, GONE, GONE))
    assert {taint.effect for taint in gone.taints} == {"NoSchedule", "NoExecute"}
    returning = after(gone, *words(GONE, GONE, WELL))
    assert ready(returning) == ("Unknown", RETURNING)
    assert [(taint.key, taint.effect) for taint in returning.taints] == [
        (UNREACHABLE_TAINT, "NoSchedule")
    ]
    back = after(returning, *words(GONE, WELL, WELL))
    assert ready(back) == ("True", RECOVERED)


def test_one_lost_probe_is_no_news_and_the_second_is() -> None:
    sole = Panel(frozenset({"ap"}))
    up = after(ClusterStatus(), *words(WELL), panel=sole)
    assert after(up, *words(DOUBT, failures=1), panel=sole) == up
    assert ready(after(up, *words(DOUBT, failures=2), panel=sole)) == ("Unknown", "Suspect")


def test_a_sole_observer_has_nobody_to_agree_with() -> None:
    sole = Panel(frozenset({"ap"}))
    status = after(ClusterStatus(), *words(WELL), panel=sole)
    assert find_condition(status.conditions, OBSERVERS_AGREE) is None


def test_slow_answers_are_a_condition_and_nothing_else() -> None:
    slow = [a_word(WELL, "eu", latency_milliseconds=1500)]
    status = after(ClusterStatus(), *slow)
    found = find_condition(status.conditions, SLOW)
    assert found is not None
    assert (found.status, found.reason) == ("True", "SlowAnswers")
    assert ready(status)[0] == "True"
    assert status.taints == ()
    # It takes twice as quick an answer to take that back.
    still = after(status, a_word(WELL, "eu", latency_milliseconds=700))
    assert find_condition(still.conditions, SLOW) == found
    quick = after(still, a_word(WELL, "eu", latency_milliseconds=300))
    taken_back = find_condition(quick.conditions, SLOW)
    assert taken_back is not None
    assert taken_back.status == "False"


def test_a_member_that_asks_for_patience_is_slow() -> None:
    status = after(ClusterStatus(), a_word(WELL, "eu", latency_milliseconds=3, throttled=True))
    found = find_condition(status.conditions, SLOW)
    assert found is not None
    assert found.reason == "Throttled"
    assert Assessment(verdict=judge([]), observations=()).slow_limit == timedelta(seconds=1)
