"""How soon a member answers from each region."""

from services.health.core.latencies import latencies_after
from shared.api.cluster import RegionLatency
from shared.events.cluster import Observation, Reach


def word(region: str, latency: int | None, *, own: bool = False) -> Observation:
    return Observation(
        cluster="eu-1",
        observer=f"{region}-{latency}",
        reach=Reach.UNREACHABLE if latency is None else Reach.REACHABLE,
        observed_time="2026-01-01T12:00:00.000000Z",
        latency_milliseconds=latency,
        region=region,
        own=own,
    )


def told(**latencies: int) -> tuple[RegionLatency, ...]:
    return tuple(
        RegionLatency(region=region, milliseconds=count) for region, count in latencies.items()
    )


def test_the_quickest_observer_of_each_region_counts() -> None:
    words = [word("us", 90), word("eu", 12), word("eu", 9), word("", 1), word("ap", 1, own=True)]
    assert latencies_after((), words) == told(eu=9, us=90)


def test_what_hardly_moved_stays_as_it_was_told() -> None:
    assert latencies_after(told(eu=9), [word("eu", 16)]) == told(eu=9)
    assert latencies_after(told(eu=9), [word("eu", 40)]) == told(eu=40)


def test_a_region_without_an_answer_stays_and_one_without_observers_goes() -> None:
    assert latencies_after(told(eu=9, us=80), [word("eu", None)]) == told(eu=9)
    assert latencies_after((), [word("eu", None)]) == ()
