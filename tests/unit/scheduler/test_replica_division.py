"""Replicas are divided exactly, within bounds, and stay where they are where they can."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.core.replicas import Bounds, divide, divide_by_weight

ORDER = ("A", "B", "C", "D", "E")


@pytest.mark.parametrize(
    ("replicas", "weights", "shares"),
    [
        (9, {"A": 1, "B": 1, "C": 1}, {"A": 3, "B": 3, "C": 3}),
        (9, {"A": 1, "B": 2}, {"A": 3, "B": 6}),
        (10, {"A": 1, "B": 1, "C": 1}, {"A": 4, "B": 3, "C": 3}),
        (1, {"A": 1, "B": 5}, {"A": 0, "B": 1}),
        (0, {"A": 1, "B": 5}, {"A": 0, "B": 0}),
        (5, {"A": 2, "B": 1, "C": 1}, {"A": 3, "B": 1, "C": 1}),
    ],
)
def test_shares_are_in_proportion_to_weights(replicas, weights, shares):
    assert divide_by_weight(replicas, weights, ORDER) == shares


def test_ties_go_by_the_callers_order():
    assert divide_by_weight(1, {"A": 1, "B": 1}, ("B", "A")) == {"A": 0, "B": 1}


# The layouts that KubeFed's user guide documents for its ReplicaSchedulingPreference.
@pytest.mark.parametrize(
    ("replicas", "weights", "bounds", "layouts", "unplaced"),
    [
        (9, {"A": 1, "B": 2}, {"A": Bounds(4, 6), "B": Bounds(4, 8)}, [{"A": 4, "B": 5}], 0),
        (
            50,
            {"A": 1, "B": 1, "C": 1},
            {"C": Bounds(0, 20)},
            [
                dict(zip("ABC", layout, strict=True))
                for layout in itertools.permutations([16, 17, 17])
            ],
            0,
        ),
        (50, {"A": 1, "C": 1}, {"C": Bounds(0, 20)}, [{"A": 30, "C": 20}], 0),
        (50, {"C": 1}, {"C": Bounds(0, 20)}, [{"C": 20}], 30),
    ],
)
def test_bounds_give_the_layouts_other_federations_document(
    replicas, weights, bounds, layouts, unplaced
):
    division = divide(replicas, weights, bounds, tie_break=ORDER)
    assert division.shares in layouts
    assert division.unplaced == unplaced


def test_a_cluster_that_cannot_have_its_least_gets_none():
    bounds = {"A": Bounds(4), "B": Bounds(4)}
    assert divide(5, {"A": 1, "B": 2}, bounds, tie_break=ORDER).shares == {"B": 5}
    assert divide(3, {"A": 1, "B": 2}, bounds, tie_break=ORDER).unplaced == 3


def test_another_choice_of_clusters_is_made_where_only_that_places_everything():
    bounds = {"A": Bounds(5, 5), "B": Bounds(4, 10)}
    assert divide(6, {"A": 9, "B": 1}, bounds, tie_break=ORDER).shares == {"B": 6}


def test_the_odd_replica_stays_where_it_is():
    weights = {"A": 1, "B": 1, "C": 1}
    assert divide(7, weights, {}, tie_break=ORDER, near={"C": 3}).shares == {"A": 2, "B": 2, "C": 3}


weight_maps = st.dictionaries(st.sampled_from(ORDER), st.integers(1, 50), min_size=1)
bound_maps = st.dictionaries(
    st.sampled_from(ORDER),
    st.builds(Bounds, st.integers(0, 12), st.none() | st.integers(0, 15)),
)
near_maps = st.dictionaries(st.sampled_from(ORDER), st.integers(0, 60))


@given(st.integers(0, 60), weight_maps, near_maps)
def test_shares_add_up_and_are_within_one_of_their_proportion(replicas, weights, near):
    division = divide(replicas, weights, {}, tie_break=ORDER, near=near)
    assert sum(division.shares.values()) == replicas
    assert division.unplaced == 0
    for name, weight in weights.items():
        proportion = replicas * weight / sum(weights.values())
        assert abs(division.shares.get(name, 0) - proportion) < 1


def placeable(replicas, weights, bounds):
    """The most replicas that any choice of clusters can hold within the bounds."""
    best = 0
    for size in range(len(weights) + 1):
        for chosen in itertools.combinations(weights, size):
            limits = [bounds.get(name, Bounds()) for name in chosen]
            least = sum(limit.least for limit in limits)
            most = sum(replicas if limit.most is None else limit.most for limit in limits)
            empty = any(limit.most is not None and limit.most < limit.least for limit in limits)
            if least <= replicas and not empty:
                best = max(best, min(replicas, most))
    return best


@given(st.integers(0, 40), weight_maps, bound_maps, near_maps)
def test_bounds_hold_and_everything_is_placed_where_any_choice_can(replicas, weights, bounds, near):
    division = divide(replicas, weights, bounds, tie_break=ORDER, near=near)
    assert sum(division.shares.values()) + division.unplaced == replicas
    for name, share in division.shares.items():
        bound = bounds.get(name, Bounds())
        assert bound.least <= share
        assert bound.most is None or share <= bound.most
    if placeable(replicas, weights, bounds) == replicas:
        assert division.unplaced == 0


@given(st.integers(0, 60), weight_maps, bound_maps)
def test_dividing_again_near_the_result_changes_nothing(replicas, weights, bounds):
    first = divide(replicas, weights, bounds, tie_break=ORDER)
    again = divide(replicas, weights, bounds, tie_break=ORDER, near=first.shares)
    assert again == first or first.unplaced


@given(st.integers(0, 60), weight_maps)
def test_growing_by_one_from_what_is_there_shrinks_no_one_needlessly(replicas, weights):
    before = divide(replicas, weights, {}, tie_break=ORDER).shares
    after = divide(replicas + 1, weights, {}, tie_break=ORDER, near=before).shares
    shrunk = [name for name in before if after.get(name, 0) < before[name]]
    total = sum(weights.values())
    for name in shrunk:
        # Only where the proportions leave no other way: everyone else is at its greatest.
        assert all(
            after.get(other, 0) <= -(-(replicas + 1) * weights[other] // total) for other in weights
        )
        assert before[name] - after.get(name, 0) == 1
