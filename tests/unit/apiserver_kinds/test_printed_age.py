from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apiserver.age import age_of, human_duration

NOW = datetime(2031, 5, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=-5), "<invalid>"),
        (timedelta(seconds=-1), "0s"),
        (timedelta(), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(minutes=2), "2m"),
        (timedelta(minutes=9, seconds=59), "9m59s"),
        (timedelta(minutes=10, seconds=30), "10m"),
        (timedelta(hours=2, minutes=59), "179m"),
        (timedelta(hours=3), "3h"),
        (timedelta(hours=7, minutes=59), "7h59m"),
        (timedelta(hours=47), "47h"),
        (timedelta(hours=48), "2d"),
        (timedelta(days=7, hours=23), "7d23h"),
        (timedelta(days=8, hours=5), "8d"),
        (timedelta(days=729), "729d"),
        (timedelta(days=730), "2y"),
        (timedelta(days=800), "2y70d"),
        (timedelta(days=8 * 365 + 9), "8y"),
    ],
)
def test_a_duration_is_written_as_kubectl_does(duration: timedelta, text: str):
    assert human_duration(duration) == text


def test_an_age_without_a_moment_is_unknown():
    assert age_of(None, NOW) == "<unknown>"
    assert age_of("no time", NOW) == "<invalid>"
    assert age_of("2031-05-01T11:59:00Z", NOW) == "60s"


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_is_never_longer_than_seven_letters(seconds: int):
    assert 2 <= len(human_duration(timedelta(seconds=seconds))) <= 7
