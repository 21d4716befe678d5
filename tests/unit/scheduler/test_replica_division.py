"""Replicas are divided exactly and within bounds, and one more never takes one from anybody."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.core.claims import Claims
from services.scheduler.core.division.keeping import divide_keeping
from services.scheduler.core.division.packing import pack
from services.scheduler.core.replicas import Bounds, divide

ORDER = ("A", "B", "C", "D", "E")


@pytest.mark.parametrize(
    ("replicas", "weights", "shares"),
    [
        (10, {"A": 1, "B": 1, "C": 1}, {"A": 4, "B": 3, "C": 3}),
        (1, {"A": 1, "B": 5}, {"B": 1}),
        (0, {"A": 1, "B": 5}, {}),
        (5, {"A": 2, "B": 1, "C": 1}, {"A": 3, "B": 1, "C": 1}),
    ],
)
def test_shares_are_in_proportion_to_weights(replicas, weights, shares):
    assert divide(replicas, weights, {}, tie_break=ORDER).shares == shares


def test_ties_go_by_the_callers_order():
    assert divide(1, {"A": 1, "B": 1}, {}, tie_break=("B", "A")).shares == {"B": 1}


def test_the_odd_replica_stays_where_it_is():
    weights = {"A": 1, "B": 1, "C": 1}
    assert divide(7, weights, {}, tie_break=ORDER, near={"C": 3}).shares == {"A": 2, "B": 2, "C": 3}


def test_the_paradox_of_alabama_does_not_happen():
    # By largest remainders C has 2 of 10 and 1 of 11.
    weights = {"A": 6, "B": 6, "C": 2}
    shares = [divide(count, weights, {}, tie_break=ORDER).shares["C"] for count in (10, 11)]
    assert shares == [1, 2] or shares[0] <= shares[1]


weight_maps = st.dictionaries(st.sampled_from(ORDER), st.integers(1, 50), min_size=1)
bound_maps = st.dictionaries(
    st.sampled_from(ORDER),
    st.builds(Bounds, st.integers(0, 12), st.none() | st.integers(0, 15)),
)
near_maps = st.dictionaries(st.sampled_from(ORDER), st.integers(0, 60))


@given(st.integers(0, 60), weight_maps, bound_maps, near_maps)
def test_shares_add_up_within_bounds(replicas, weights, bounds, near):
    division = divide(replicas, weights, bounds, tie_break=ORDER, near=near)
    assert sum(division.shares.values()) + division.unplaced == replicas
    mosts = [bounds.get(name, Bounds()).most for name in weights]
    for name, share in division.shares.items():
        most = bounds.get(name, Bounds()).most
        assert most is None or share <= most
    if None in mosts or sum(mosts) >= replicas:
        assert not division.unplaced


@given(st.integers(0, 60), weight_maps, bound_maps)
def test_one_more_replica_never_shrinks_anybody(replicas, weights, bounds):
    before = divide(replicas, weights, bounds, tie_break=ORDER).shares
    after = divide(replicas + 1, weights, bounds, tie_break=ORDER).shares
    assert all(after.get(name, 0) >= share for name, share in before.items())


@given(st.integers(0, 60), weight_maps, bound_maps, st.sampled_from(ORDER))
def test_a_cluster_that_goes_shrinks_nobody(replicas, weights, bounds, gone):
    rest = {name: weight for name, weight in weights.items() if name != gone}
    before = divide(replicas, weights, bounds, tie_break=ORDER).shares
    after = divide(replicas, rest, bounds, tie_break=ORDER).shares
    assert all(after.get(name, 0) >= before.get(name, 0) for name in rest)


@given(st.integers(0, 60), weight_maps, bound_maps)
def test_dividing_again_near_the_result_changes_nothing(replicas, weights, bounds):
    first = divide(replicas, weights, bounds, tie_break=ORDER)
    assert divide(replicas, weights, bounds, tie_break=ORDER, near=first.shares) == first


def layouts(replicas, names):
    for layout in itertools.product(range(replicas + 1), repeat=len(names)):
        if sum(layout) == replicas:
            yield dict(zip(names, layout, strict=True))


small_weights = st.dictionaries(st.sampled_from(ORDER[:4]), st.integers(1, 9), min_size=1)
small_bounds = st.dictionaries(
    st.sampled_from(ORDER[:4]), st.builds(Bounds, st.just(0), st.none() | st.integers(0, 5))
)


@settings(max_examples=60)
@given(st.integers(0, 7), small_weights, small_bounds)
def test_no_other_layout_is_closer_to_the_weights(replicas, weights, bounds):
    """Webster's shares have the least squared distance to their proportion, per weight."""
    division = divide(replicas, weights, bounds, tie_break=ORDER)

    def distance(layout):
        return sum(layout.get(name, 0) ** 2 / weight for name, weight in weights.items())

    if not division.unplaced:
        possible = [
            layout
            for layout in layouts(replicas, list(weights))
            if all(
                bounds.get(name, Bounds()).most is None or share <= bounds[name].most
                for name, share in layout.items()
            )
        ]
        assert distance(division.shares) <= min(map(distance, possible)) + 1e-9


small_rooms = st.dictionaries(st.sampled_from(ORDER[:4]), st.integers(0, 5), min_size=1)


@settings(max_examples=60)
@given(st.integers(0, 8), small_rooms, st.data())
def test_what_is_kept_moves_the_fewest(replicas, free, data):
    now = data.draw(st.dictionaries(st.sampled_from(sorted(free)), st.integers(0, 4)))
    packed = data.draw(st.booleans())
    most = {name: now.get(name, 0) + room for name, room in free.items()}
    claims = Claims(weights=free, now=now, bounds={}, most=most, dynamic=True)
    scores = dict.fromkeys(free, 1) if packed else None
    division = divide_keeping(replicas, claims, list(free), order=ORDER, scores=scores)

    def removed(layout):
        return sum(max(0, share - layout.get(name, 0)) for name, share in now.items())

    assert division.unplaced == max(0, replicas - sum(most.values()))
    if not division.unplaced:
        possible = [
            layout
            for layout in layouts(replicas, list(free))
            if all(share <= most[name] for name, share in layout.items())
        ]
        fewest = min(map(removed, possible))
        assert removed(division.shares) == fewest
        if packed:
            kept = [layout for layout in possible if removed(layout) == fewest]
            used = min(sum(share > 0 for share in layout.values()) for layout in kept)
            assert sum(share > 0 for share in division.shares.values()) == used


@settings(max_examples=60)
@given(
    st.integers(1, 12),
    st.dictionaries(st.sampled_from(ORDER), st.integers(0, 6), min_size=1),
    st.dictionaries(st.sampled_from(ORDER), st.integers(0, 3)),
)
def test_the_fewest_clusters_are_packed_and_of_these_the_best_liked(replicas, free, liked):
    scores = {name: liked.get(name, 0) for name in free}
    packed = pack(replicas, free, scores, holders=(), order=ORDER)
    if sum(free.values()) < replicas:
        assert packed == {name: room for name, room in free.items() if room}
        return
    enough = [
        names
        for size in range(1, len(free) + 1)
        for names in itertools.combinations(free, size)
        if sum(free[name] for name in names) >= replicas
    ]
    fewest = min(map(len, enough))
    best = max(
        sorted((scores[name] for name in names), reverse=True)
        for names in enough
        if len(names) == fewest
    )
    assert len(packed) == fewest
    assert sorted((scores[name] for name in packed), reverse=True) == best


MANY = [f"m{number:02d}" for number in range(40)]


@given(
    st.integers(0, 9),
    st.fixed_dictionaries({name: st.integers(0, 5) for name in MANY}),
    st.dictionaries(st.sampled_from(MANY), st.integers(0, 3), max_size=4),
    st.permutations(MANY),
)
def test_few_replicas_among_many_go_where_one_after_the_other_would(replicas, weights, near, order):
    shares = dict.fromkeys(MANY, 0)
    for _ in range(replicas if any(weights.values()) else 0):
        claims = [
            (
                -weights[name] / (2 * shares[name] + 1),
                near.get(name, 0) <= shares[name],
                place,
                name,
            )
            for place, name in enumerate(order)
            if weights[name]
        ]
        shares[min(claims)[3]] += 1
    found = divide(replicas, weights, {}, tie_break=order, near=near)
    assert found.shares == {name: share for name, share in shares.items() if share}
