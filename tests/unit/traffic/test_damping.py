"""What is told at once, and what may wait."""

from datetime import timedelta

from services.traffic.core.damping import wait_for
from shared.api.traffic_policy import ClusterShare, TrafficSplit

SOON, LATE = timedelta(seconds=1), timedelta(seconds=10)


def splits(**shares: int) -> list[TrafficSplit]:
    clusters = tuple(ClusterShare(name=name, share=share) for name, share in shares.items())
    return [TrafficSplit(region="", clusters=clusters)]


def wait(old: list[TrafficSplit], new: list[TrafficSplit]) -> timedelta:
    return wait_for(old, new, soon=SOON, late=LATE)


def test_who_gets_nothing_any_more_is_told_at_once_and_who_comes_soon() -> None:
    assert wait([], splits(a=10_000)) == timedelta(0)
    assert wait(splits(a=0), splits(a=10_000)) == timedelta(0)
    assert wait(splits(a=9_999, b=1), splits(a=10_000, b=0)) == timedelta(0)
    assert wait(splits(a=9_000, b=1_000), splits(a=10_000, c=1_000)) == timedelta(0)
    assert wait(splits(a=10_000), splits(a=9_999, b=1)) == SOON


def test_much_is_told_soon_and_little_late() -> None:
    assert wait(splits(a=5_000, b=5_000), splits(a=5_201, b=4_799)) == SOON
    assert wait(splits(a=5_000, b=5_000), splits(a=5_200, b=4_800)) == LATE
    assert wait(splits(a=5_000, b=5_000), splits(a=5_000, b=5_000)) == LATE
