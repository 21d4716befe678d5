"""Divisions that other federations document or test, with the same numbers.

Federation v1: `pkg/federation-controller/util/planner/planner_test.go` of kubernetes/federation at
its last commit; KubeFed: `docs/userguide.md` (ReplicaSchedulingPreference), whose planner and its
tests are those of Federation v1. Where a layout there depends on a hash of the clusters' names, any
order of equal clusters will do.
"""

import itertools

import pytest

from services.scheduler.core.claims import Claims
from services.scheduler.core.division.keeping import divide_keeping
from services.scheduler.core.replicas import Bounds, divide

NAMES = "ABCDE"


def fresh(replicas, weights, bounds=None):
    division = divide(replicas, weights, bounds or {}, tie_break=NAMES)
    return {name: division.shares.get(name, 0) for name in weights}, division.unplaced


def kept(replicas, weights, existing, bounds=None, capacity=None):
    claims = Claims(weights=weights, now=existing, bounds=bounds or {}, most=capacity)
    division = divide_keeping(replicas, claims, list(weights), order=NAMES, scores=None)
    return {name: division.shares.get(name, 0) for name in weights}, division.unplaced


def every(weight, names="ABC"):
    return dict.fromkeys(names, weight)


def bound_all(least=0, most=None, names="ABC"):
    return dict.fromkeys(names, Bounds(least, most))


def alike(shares, expected):
    """Equal, whichever of the clusters has which share."""
    return sorted(shares.values()) == sorted(expected.values())


# Federation v1, TestEqual.
@pytest.mark.parametrize(
    ("replicas", "names", "expected"),
    [
        (50, "ABC", {"A": 16, "B": 17, "C": 17}),
        (50, "AB", {"A": 25, "B": 25}),
        (1, "AB", {"A": 0, "B": 1}),
        (1, "ABCD", {"A": 0, "B": 0, "C": 0, "D": 1}),
        (1, "A", {"A": 1}),
    ],
)
def test_equal_weights_of_federation_v1(replicas, names, expected):
    shares, unplaced = fresh(replicas, every(1, names))
    assert alike(shares, expected)
    assert not unplaced


# Federation v1, TestMin and TestMax; `unplaced` is what the expected layout leaves over.
@pytest.mark.parametrize(
    ("weights", "bounds", "expected"),
    [
        (every(0), bound_all(2), {"A": 2, "B": 2, "C": 2}),
        (every(0), bound_all(20), {"A": 10, "B": 20, "C": 20}),
        (
            {"A": 1, "B": 0, "C": 0},
            {"A": Bounds(100), "B": Bounds(20), "C": Bounds(20)},
            {"A": 50, "B": 0, "C": 0},
        ),
        (every(1), bound_all(10, 12), {"A": 12, "B": 12, "C": 12}),
        (every(1), bound_all(0, 2), {"A": 2, "B": 2, "C": 2}),
        (every(0), bound_all(0, 2), {"A": 0, "B": 0, "C": 0}),
    ],
)
def test_bounds_of_federation_v1(weights, bounds, expected):
    shares, unplaced = fresh(50, weights, bounds)
    assert alike(shares, expected)
    assert unplaced == 50 - sum(expected.values())


# Federation v1, TestWeight.
@pytest.mark.parametrize(
    ("replicas", "weights", "bounds", "expected"),
    [
        (60, {"A": 1, "B": 2}, {}, {"A": 20, "B": 40}),
        (50, {"A": 10000, "B": 1}, {}, {"A": 50, "B": 0}),
        (50, {"B": 1}, {}, {"B": 50}),
        (50, {"A": 10000, "B": 1, "C": 1}, {"A": Bounds(0, 10)}, {"A": 10, "B": 20, "C": 20}),
        (
            50,
            {"A": 10000, "B": 1, "C": 1},
            {"A": Bounds(0, 10), "C": Bounds(0, 10)},
            {"A": 10, "B": 30, "C": 10},
        ),
        (
            71,
            {"A": 10000, "B": 1, "C": 1, "D": 1},
            {"A": Bounds(0, 10), "C": Bounds(0, 21), "D": Bounds(0, 10)},
            {"A": 10, "B": 30, "C": 21, "D": 10},
        ),
        (
            91,
            {"A": 10000, "B": 1, "C": 1, "D": 1, "E": 1},
            {"A": Bounds(0, 10), "C": Bounds(0, 21), "D": Bounds(0, 10)},
            {"A": 10, "B": 25, "C": 21, "D": 10, "E": 25},
        ),
    ],
)
def test_weights_of_federation_v1(replicas, weights, bounds, expected):
    assert fresh(replicas, weights, bounds) == (expected, 0)


# Federation v1, TestEqualWithExisting: `rebalance: false`, what runs stays.
@pytest.mark.parametrize(
    ("replicas", "names", "existing", "expected"),
    [
        (50, "ABC", {"C": 30}, {"A": 10, "B": 10, "C": 30}),
        (50, "AB", {"A": 30}, {"A": 30, "B": 20}),
        (15, "AB", {"A": 0, "B": 8}, {"A": 7, "B": 8}),
        (15, "AB", {"A": 1, "B": 8}, {"A": 7, "B": 8}),
        (15, "AB", {"A": 4, "B": 8}, {"A": 7, "B": 8}),
        (15, "AB", {"A": 5, "B": 8}, {"A": 7, "B": 8}),
        (15, "AB", {"A": 6, "B": 8}, {"A": 7, "B": 8}),
        (15, "AB", {"A": 7, "B": 8}, {"A": 7, "B": 8}),
        (500_000, "AB", {"A": 300_000}, {"A": 300_000, "B": 200_000}),
        (50, "AB", {"A": 10}, {"A": 25, "B": 25}),
        # There 0 and 50, with a note that this is what it should be.
        (50, "AB", {"A": 10, "B": 70}, {"A": 10, "B": 40}),
        (1, "AB", {"A": 30}, {"A": 1, "B": 0}),
        (50, "AB", {"A": 10, "B": 20}, {"A": 25, "B": 25}),
    ],
)
def test_existing_replicas_of_federation_v1(replicas, names, existing, expected):
    assert kept(replicas, every(1, names), existing) == (expected, 0)


# Federation v1, TestWithExistingAndCapacity.
@pytest.mark.parametrize(
    ("replicas", "weights", "bounds", "capacity", "expected"),
    [
        (50, every(1), {}, {"C": 10}, {"A": 20, "B": 20, "C": 10}),
        (50, {"B": 1}, {}, {"B": 10}, {"B": 10}),
        (60, {"A": 1, "B": 2}, {}, {"B": 10}, {"A": 50, "B": 10}),
        (
            71,
            {"A": 10000, "B": 1, "C": 1, "D": 1},
            {"A": Bounds(0, 10), "C": Bounds(0, 21), "D": Bounds(0, 10)},
            {"C": 10},
            {"A": 10, "B": 41, "C": 10, "D": 10},
        ),
        (60, {"A": 1, "B": 1}, {}, {"A": 10, "B": 10}, {"A": 10, "B": 10}),
        (60, {"A": 1, "B": 5}, {}, {"B": 10}, {"A": 50, "B": 10}),
        (50, every(0), bound_all(20), {"B": 10}, {"A": 20, "B": 10, "C": 20}),
        (60, every(1, "AB"), bound_all(20, names="AB"), {"B": 10}, {"A": 50, "B": 10}),
    ],
)
def test_capacity_of_federation_v1(replicas, weights, bounds, capacity, expected):
    shares, unplaced = kept(replicas, weights, {}, bounds, capacity)
    assert shares == expected
    assert unplaced == replicas - sum(expected.values())


# KubeFed's user guide, ReplicaSchedulingPreference.
@pytest.mark.parametrize(
    ("replicas", "weights", "bounds", "layouts"),
    [
        (9, every(1), {}, [{"A": 3, "B": 3, "C": 3}]),
        (9, {"A": 1, "B": 2}, {}, [{"A": 3, "B": 6}]),
        (9, {"A": 1, "B": 2}, {"A": Bounds(4, 6), "B": Bounds(4, 8)}, [{"A": 4, "B": 5}]),
        (
            50,
            every(1),
            {"C": Bounds(0, 20)},
            [
                dict(zip("ABC", layout, strict=True))
                for layout in itertools.permutations([16, 17, 17])
            ],
        ),
        (50, {"A": 1, "C": 1}, {"C": Bounds(0, 20)}, [{"A": 30, "C": 20}]),
        (50, {"C": 1}, {"C": Bounds(0, 20)}, [{"C": 20}]),
    ],
)
def test_layouts_of_kubefed(replicas, weights, bounds, layouts):
    shares, unplaced = fresh(replicas, weights, bounds)
    assert shares in layouts
    assert unplaced == replicas - sum(shares.values())
