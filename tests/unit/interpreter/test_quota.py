"""What quotas count, and the words in which they are exceeded."""

import pytest

from shared.interpreter.quota import (
    NANO,
    asks_of,
    counted,
    exceeding,
    hard_of,
    replicas_left,
    shown,
)
from shared.interpreter.replicas import ReplicaDemand


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("cpu", "cpu"),
        ("requests.cpu", "cpu"),
        ("requests.nvidia.com/gpu", "nvidia.com/gpu"),
        ("nvidia.com/gpu", "nvidia.com/gpu"),
        ("count/pods", "pods"),
        ("pods", "pods"),
        ("limits.cpu", ""),
        ("services", ""),
        ("count/deployments.apps", ""),
    ],
)
def test_what_pods_ask_for_is_counted_under_one_name(stated, expected):
    assert counted(stated) == expected


def test_of_two_limits_for_the_same_the_lower_counts():
    assert hard_of({"cpu": "4", "requests.cpu": "3", "limits.cpu": "1", "memory": "?"}) == {
        "cpu": 3 * NANO
    }


def test_every_replica_is_a_pod_whatever_it_asks_for():
    assert asks_of(ReplicaDemand(3)) == {"pods": NANO}
    asked = asks_of(ReplicaDemand(3, {"cpu": "500m", "memory": "0"}))
    assert asked == {"cpu": NANO // 2, "pods": NANO}


@pytest.mark.parametrize(("used", "expected"), [(0, 4), (3, 1), (4, 0), (9, 0)])
def test_so_many_more_fit_and_never_less_than_none(used, expected):
    hard = hard_of({"cpu": "2"})
    each = asks_of(ReplicaDemand(1, {"cpu": "500m"}))
    assert replicas_left(hard, {"cpu": used * NANO // 2}, each) == expected


def test_what_is_not_limited_is_any_number():
    assert replicas_left(hard_of({"memory": "1Gi"}), {}, {"cpu": NANO}) is None


def test_amounts_are_written_as_the_limits_are():
    stated = {"requests.memory": "2Gi", "cpu": "4", "limits.cpu": "9"}
    amounts = {"memory": 2**30 * NANO, "cpu": NANO // 2}
    assert shown(amounts, stated) == {"requests.memory": "1Gi", "cpu": "500m"}


def said(asked, before=0, used=3, **hard):
    return exceeding(
        "team",
        hard or {"cpu": "4"},
        {"cpu": used * NANO},
        {"cpu": asked * NANO},
        {"cpu": before * NANO},
    )


def test_it_is_exceeded_in_the_words_of_a_real_server():
    assert said(2) == "exceeded quota: team, requested: cpu=2, used: cpu=3, limited: cpu=4"
    assert said(4, 1) == "exceeded quota: team, requested: cpu=3, used: cpu=4, limited: cpu=4"
    named = said(2, **{"requests.cpu": "4", "memory": "1Gi"})
    assert named == (
        "exceeded quota: team, requested: requests.cpu=2, used: requests.cpu=3,"
        " limited: requests.cpu=4"
    )


def test_what_fits_and_what_does_not_grow_is_let_be():
    assert said(1) == ""
    assert said(5, 5) == ""
    assert said(4, 5, used=9) == ""
