"""How often the status of a template is written."""

from datetime import UTC, datetime, timedelta

from services.health.core.bound import is_reported_on, is_settled
from services.health.reconcilers.pace import Pace
from shared.api.binding import Health
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.events.work import WorkReport

KEY = ObjectKey("apps", "deployments", "shop", "web")
DELAY, INTERVAL = timedelta(milliseconds=100), timedelta(seconds=1)
BINDING: Manifest = {
    "spec": {"resource": {"generation": 2}, "clusters": [{"name": "one"}, {"name": "two"}]}
}


class Watchmaker:
    """A clock that is moved by hand."""

    seconds = 1_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def make_pace() -> tuple[Pace, Watchmaker, list[timedelta]]:
    waits: list[timedelta] = []
    clock = Watchmaker()
    pace = Pace(lambda _, wait: waits.append(wait), clock, delay=DELAY, interval=INTERVAL)
    return pace, clock, waits


def report(health: Health = "Healthy", generation: int = 2, *, applied: bool = True) -> WorkReport:
    return WorkReport(
        generation=7,
        template_uid="u",
        template_generation=generation,
        applied=applied,
        present=True,
        observed_time="2026-01-01T00:00:00Z",
        health=health,
    )


def test_what_has_come_to_rest_is_written_soon() -> None:
    pace, _, waits = make_pace()
    pace.wake(KEY, settled=True)
    assert waits == [DELAY]


def test_what_is_under_way_is_gathered() -> None:
    pace, _, waits = make_pace()
    pace.wake(KEY, settled=False)
    assert waits == [INTERVAL]


def test_the_more_are_under_way_the_longer_each_waits() -> None:
    pace, _, waits = make_pace()
    keys = [ObjectKey("apps", "deployments", "shop", f"web-{number}") for number in range(500)]
    for key in keys:
        pace.wake(key, settled=False)
    assert waits[0] == INTERVAL
    assert waits[-1] == timedelta(seconds=25)
    for key in keys:
        pace.looked(key)
    pace.wake(KEY, settled=False)
    assert waits[-1] == INTERVAL


def test_two_writes_keep_their_distance_however_often_it_settles() -> None:
    pace, clock, waits = make_pace()
    pace.wrote(KEY)
    clock.seconds += 0.25
    pace.wake(KEY, settled=True)
    assert waits == [timedelta(seconds=0.75)]


def test_a_write_long_ago_delays_nothing() -> None:
    pace, clock, waits = make_pace()
    pace.wrote(KEY)
    clock.seconds += 5
    pace.wake(KEY, settled=True)
    assert waits == [DELAY]


def test_what_others_wait_for_keeps_no_distance() -> None:
    pace, _, waits = make_pace()
    pace.wrote(KEY)
    pace.wake_soon(KEY)
    assert waits == [DELAY]


def test_that_nobody_reported_yet_is_said_late() -> None:
    pace, _, waits = make_pace()
    pace.wake_late(KEY)
    assert waits == [timedelta(seconds=5)]


def test_reported_on_is_what_one_member_spoke_of_as_it_is_now() -> None:
    assert is_reported_on(BINDING, {"two": report("Progressing")})
    assert not is_reported_on(BINDING, {})
    assert not is_reported_on(BINDING, {"two": report(generation=1)})
    assert not is_reported_on(BINDING, {"elsewhere": report()})


def test_settled_is_what_every_member_did_in_full() -> None:
    assert is_settled(BINDING, {"one": report(), "two": report()})
    assert not is_settled(BINDING, {"one": report()})
    assert not is_settled(BINDING, {"one": report(), "two": report("Progressing")})
    assert not is_settled(BINDING, {"one": report(), "two": report(generation=1)})
    assert not is_settled(BINDING, {"one": report(), "two": report(applied=False)})
