"""A shift goes from step to step while its gate holds, and back when it does not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.traffic.core.shift import JUDGED_MIN, Evidence, Progress, advance
from shared.api.selection import GroupAffinity
from shared.api.traffic_policy import Shift, ShiftGate, ShiftState, ShiftStep

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
WELL = Evidence(ready=2, wanted=2)


def shift(*steps: tuple[int, str], **fields: Any) -> Shift:
    return Shift(
        to=fields.pop("to", GroupAffinity(cluster_names=("eu-2",))),
        steps=tuple(ShiftStep(percentage=one, duration=time) for one, time in steps),
        **fields,
    )


def look(
    rules: Shift,
    state: ShiftState | None,
    seen: Evidence = WELL,
    *,
    after: float = 0,
    watched_since: datetime = LONG_AGO,
) -> Progress:
    return advance(rules, state, seen, NOW + timedelta(seconds=after), watched_since)


TWO = shift((10, "60s"), (50, "30s"))


def test_it_takes_each_step_when_its_time_is_over_and_stays_at_the_last() -> None:
    first = look(TWO, None).state
    assert (first.percentage, first.phase) == (10, "Progressing")
    waiting = look(TWO, first, after=20)
    assert (waiting.state.percentage, waiting.wake_after) == (10, timedelta(seconds=40))
    second = look(TWO, first, after=60)
    assert (second.state.percentage, second.wake_after) == (50, timedelta(seconds=30))
    done = look(TWO, second.state, after=90).state
    assert (done.percentage, done.phase) == (50, "Complete")
    assert look(TWO, done, Evidence(), after=999).state == done


def test_it_begins_only_once_the_clusters_are_ready() -> None:
    waits = look(TWO, None, Evidence(ready=0, wanted=2)).state
    assert (waits.phase, waits.percentage) == ("Progressing", 0)
    assert look(TWO, waits, WELL, after=500).state.percentage == 10
    elsewhere = look(TWO, None, Evidence(ready=2, in_turn=False)).state
    assert (elsewhere.percentage, "failover order" in elsewhere.message) == (0, True)
    assert look(TWO, elsewhere, WELL, after=500).state.percentage == 10


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (Evidence(ready=2, wanted=2, requests=100, errors=2), "2 of 100 requests failed"),
        (Evidence(ready=1, wanted=4), "1 of 4 replicas are ready"),
        (Evidence(ready=0, wanted=4), "0 of 4 replicas are ready"),
    ],
)
def test_it_retreats_by_itself_when_the_gate_does_not_hold(seen: Evidence, why: str) -> None:
    begun = look(TWO, None).state
    found = look(TWO, begun, seen, after=1).state

    assert (found.phase, found.percentage) == ("Retreated", 0)
    assert why in found.message
    assert look(TWO, found, WELL, after=999).state == found


def test_it_may_be_left_as_it_is_when_it_fails() -> None:
    rules = shift((10, "60s"), on_failure="Pause")
    found = look(rules, look(rules, None).state, Evidence(ready=0, wanted=1), after=1).state

    assert (found.phase, found.percentage) == ("Failed", 10)


def test_errors_add_up_over_a_step_and_few_requests_prove_nothing() -> None:
    few = Evidence(ready=2, wanted=2, requests=JUDGED_MIN - 1, errors=JUDGED_MIN - 1)
    state = look(TWO, look(TWO, None).state, few, after=1).state
    assert state.phase == "Progressing"
    assert look(TWO, state, well(requests=1), after=2).state.phase == "Retreated"

    good = well(requests=1_000, errors=10)
    passed = look(TWO, look(TWO, None).state, good, after=60).state
    assert (passed.percentage, passed.requests, passed.errors) == (50, 0, 0)


def well(**fields: int) -> Evidence:
    return Evidence(ready=2, wanted=2, **fields)


def test_a_gate_may_ask_for_requests() -> None:
    rules = shift((10, "60s"), (50, "0s"), gate=ShiftGate(min_requests=100))
    begun = look(rules, None).state
    waits = look(rules, begun, well(requests=60), after=61).state

    assert (waits.percentage, "60 of 100" in waits.message) == (10, True)
    assert look(rules, waits, well(requests=40), after=62).state.percentage == 50


def test_while_it_is_paused_nothing_happens_and_no_time_passes() -> None:
    begun = look(TWO, None).state
    rules = msgspec.structs.replace(TWO, paused=True)
    paused = look(rules, begun, after=20).state
    assert (paused.phase, paused.percentage) == ("Paused", 10)
    assert look(rules, paused, Evidence(ready=0, wanted=9), after=500).state == paused

    resumed = look(TWO, paused, after=1_000).state
    assert (resumed.phase, resumed.percentage) == ("Progressing", 10)
    assert look(TWO, resumed, after=1_030).state.percentage == 10
    assert look(TWO, resumed, after=1_040).state.percentage == 50


def test_one_that_was_paused_before_it_began_begins_when_it_is_let() -> None:
    rules = msgspec.structs.replace(TWO, paused=True)
    waits = look(rules, None).state
    assert waits.percentage == 0
    assert look(TWO, look(rules, waits, after=5).state, after=9).state.percentage == 10


def test_a_restart_makes_a_step_longer_and_never_shorter() -> None:
    begun = look(TWO, None).state
    restarted = NOW + timedelta(seconds=600)

    found = look(TWO, begun, after=610, watched_since=restarted)
    assert (found.state.percentage, found.wake_after) == (10, timedelta(seconds=50))


def test_another_aim_or_attempt_begins_anew() -> None:
    failed = look(TWO, look(TWO, None).state, Evidence(ready=0, wanted=1), after=1).state

    again = msgspec.structs.replace(TWO, attempt=1)
    assert look(again, failed, after=2).state.phase == "Progressing"
    elsewhere = msgspec.structs.replace(TWO, to=GroupAffinity(cluster_names=("us-1",)))
    assert look(elsewhere, failed, after=2).state.percentage == 10


def test_steps_that_are_added_to_one_that_is_done_are_taken() -> None:
    done = ShiftState(**msgspec.structs.asdict(look(TWO, None).state))
    done = msgspec.structs.replace(done, phase="Complete", percentage=50, step=1)
    longer = shift((10, "60s"), (50, "30s"), (100, "0s"))

    assert look(longer, done).state.percentage == 100
    # Fewer steps than it had come to.
    running = msgspec.structs.replace(done, phase="Progressing", step=5)
    assert look(TWO, running, after=5).state.step == 1
