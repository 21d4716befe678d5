"""Taints keep away and drive out, tolerations allow and give time."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.api.cluster import Taint
from shared.api.placement import Toleration
from shared.apimachinery.taints import time_left, tolerates, untolerated

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
DOWN = Taint(key="down", value="x", effect="NoExecute", time_added="2026-03-01T12:00:00Z")


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        (Toleration(operator="Exists"), True),
        (Toleration(key="down", operator="Exists"), True),
        (Toleration(key="down", operator="Exists", effect="NoSchedule"), False),
        (Toleration(key="down", value="x"), True),
        (Toleration(key="down", value="y"), False),
        (Toleration(key="up", operator="Exists"), False),
        (Toleration(value="x"), False),
        (Toleration(key="down", value="x", effect="NoExecute"), True),
    ],
)
def test_a_toleration_speaks_of_a_taint_as_in_kubernetes(toleration, expected):
    assert tolerates(toleration, DOWN) is expected


def test_only_the_effects_asked_for_are_untolerated():
    soft = Taint(key="soft", effect="PreferNoSchedule")
    assert untolerated([soft, DOWN], [], ["NoSchedule", "NoExecute"]) == [DOWN]
    assert untolerated([DOWN], [Toleration(operator="Exists")], ["NoExecute"]) == []


def tolerate(seconds):
    return Toleration(key="down", operator="Exists", toleration_seconds=seconds)


@pytest.mark.parametrize(
    ("tolerations", "seconds"),
    [([], 0), ([tolerate(300)], 270), ([tolerate(300), tolerate(60)], 30), ([tolerate(10)], -20)],
)
def test_time_runs_from_when_the_taint_was_added(tolerations, seconds):
    assert time_left(DOWN, tolerations, NOW) == timedelta(seconds=seconds)


def test_a_toleration_without_seconds_is_for_ever_unless_another_sets_a_term():
    assert time_left(DOWN, [tolerate(None)], NOW) is None
    assert time_left(DOWN, [tolerate(None), tolerate(60)], NOW) == timedelta(seconds=30)


@pytest.mark.parametrize("added", [None, "", "yesterday"])
def test_a_taint_without_a_time_gives_no_time(added):
    taint = Taint(key="down", effect="NoExecute", time_added=added)
    assert time_left(taint, [tolerate(300)], NOW) <= timedelta(0)
    assert time_left(taint, [tolerate(None)], NOW) is None
