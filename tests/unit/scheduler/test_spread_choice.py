"""The choice of clusters under spread constraints is the best there is: every choice is tried."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.core.choice.favourites import Field, choose_favourites
from services.scheduler.core.choice.measure import STEPS_OF_MANY, Candidate
from services.scheduler.core.choice.spread import select
from shared.api.placement import SpreadConstraint

KEYS = ("cluster", "region", "zone")


@st.composite
def problems(draw):
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True))
    constraints = []
    for key in keys:
        least = draw(st.integers(0, 3))
        most = draw(st.sampled_from([0, least, least + 1]))
        skew = draw(st.sampled_from([0, 0, 1, 2]))
        if any(one.max_skew for one in constraints):
            skew = 0
        constraints.append(
            SpreadConstraint(spread_by_field=key, min_groups=least, max_groups=most, max_skew=skew)
        )
    needed = draw(st.sampled_from([0, 3, 8]))
    candidates = []
    for name in "abcdef"[: draw(st.integers(1, 6))]:
        place = {
            "cluster": name,
            "region": draw(st.sampled_from(["r1", "r2", "r3"])),
            "zone": draw(st.sampled_from(["z1", "z2"])),
        }
        candidates.append(
            Candidate(
                name,
                tuple(place[key] for key in keys),
                draw(st.integers(1, 5)) if needed else 0,
                draw(st.sampled_from([0, 0, 1, 2])),
                draw(st.integers(0, 2)),
            )
        )
    return candidates, constraints, needed, draw(st.booleans()) and not needed


def holds(chosen, constraints, *, whole):
    for number, constraint in enumerate(constraints):
        sizes = {}
        for one in chosen:
            sizes[one.groups[number]] = sizes.get(one.groups[number], 0) + 1
        if len(sizes) < constraint.min_groups:
            return False
        if constraint.max_groups and len(sizes) > constraint.max_groups:
            return False
        skew = max(sizes.values()) - min(sizes.values())
        if whole and constraint.max_skew and skew > constraint.max_skew:
            return False
    return True


def room(chosen, constraints, needed):
    """How many of the replicas find room, no group holding more than the skew beyond another."""
    most = sum(one.capacity for one in chosen)
    for number, constraint in enumerate(constraints):
        if constraint.max_skew:
            sizes = {}
            for one in chosen:
                sizes[one.groups[number]] = sizes.get(one.groups[number], 0) + one.capacity
            level = min(sizes.values()) + constraint.max_skew
            most = min(most, sum(min(size, level) for size in sizes.values()))
    return min(most, needed)


def worth(chosen, candidates, constraints, needed, *, whole):
    """The stated measure, anew."""
    groups = sum(
        len({one.groups[number] for one in chosen})
        for number, constraint in enumerate(constraints)
        if constraint.spread_by_field != "cluster"
    )
    names = {one.name for one in chosen}
    return (
        0 if whole else room(chosen, constraints, needed),
        sum(one.kept for one in chosen),
        sum(one.score for one in chosen),
        groups,
        len(chosen),
        sum(one.capacity for one in chosen),
        [one.name in names for one in candidates],
    )


@settings(max_examples=400, deadline=None)
@given(problems())
def test_no_other_choice_is_better(problem):
    candidates, constraints, needed, whole = problem
    found = select(candidates, constraints, needed=needed, whole=whole)
    possible = [
        chosen
        for size in range(1, len(candidates) + 1)
        for chosen in itertools.combinations(candidates, size)
        if holds(chosen, constraints, whole=whole)
    ]
    if not possible:
        assert found.unmet
        return
    assert not found.unmet
    chosen = [one for one in candidates if one.name in set(found.names)]
    assert holds(chosen, constraints, whole=whole)
    best = max(worth(one, candidates, constraints, needed, whole=whole) for one in possible)
    assert worth(chosen, candidates, constraints, needed, whole=whole) == best


@settings(max_examples=400, deadline=None)
@given(problems())
def test_favourites_are_not_beaten_where_room_is_not_compared_to_the_last(problem):
    candidates, constraints, needed, whole = problem
    numbers = [n for n, one in enumerate(constraints) if one.spread_by_field != "cluster"]
    names = [one.name for one in candidates]
    field = Field(
        names=names,
        groups={one.name: one.groups for one in candidates},
        sorts={one.name: tuple(one.groups[n] for n in numbers) for one in candidates},
        capacities={one.name: min(one.capacity, needed) for one in candidates},
        kept={one.name: one.kept for one in candidates if one.kept},
        scores={one.name: one.score for one in candidates},
        needed=needed,
        whole=whole,
        order=sorted,
    )
    found = choose_favourites(field, constraints)
    if found is None:
        return
    candidates = field.candidates(names)
    chosen = [one for one in candidates if one.name in set(found)]
    assert holds(chosen, constraints, whole=whole)

    def measured(some):
        return worth(some, candidates, constraints, needed, whole=whole)[:STEPS_OF_MANY]

    for size in range(1, len(candidates) + 1):
        for other in itertools.combinations(candidates, size):
            if holds(other, constraints, whole=whole):
                assert measured(other) <= measured(chosen)


def test_favourites_settle_what_is_easily_told():
    groups = {f"c{n:02}": (f"r{n % 4}",) for n in range(40)}
    field = Field(
        names=list(groups),
        groups=groups,
        sorts=groups,
        capacities=dict.fromkeys(groups, 2),
        kept={"c07": 2, "c11": 1},
        scores=dict.fromkeys(groups, 1),
        needed=9,
        whole=False,
        order=sorted,
    )
    by_region = SpreadConstraint(spread_by_field="region", min_groups=2, max_groups=2)
    found = choose_favourites(field, [by_region])
    assert found is not None
    assert {groups[name] for name in found} == {("r3",), ("r0",)}


def test_who_names_no_group_takes_no_part():
    candidates = [Candidate("a", ("",)), Candidate("b", ("eu",))]
    found = select(candidates, [SpreadConstraint(spread_by_field="region")])
    assert found.names == ["b"]
    assert found.ungrouped == {"a": "region"}


@pytest.mark.parametrize("number", [100, 1_000])
def test_many_clusters_are_chosen_from_within_bounds(number):
    candidates = [
        Candidate(f"c{n}", (f"c{n}", f"r{n % 20}", f"z{n % 60}", f"p{n % 3}"), 1 + n % 7, 0, n % 4)
        for n in range(number)
    ]
    constraints = [
        SpreadConstraint(spread_by_field="cluster", max_groups=9),
        SpreadConstraint(spread_by_field="region", min_groups=3, max_groups=4),
        SpreadConstraint(spread_by_field="zone", min_groups=5),
        SpreadConstraint(spread_by_field="provider", min_groups=2),
    ]
    found = select(candidates, constraints, needed=30)
    by_name = {one.name: one for one in candidates}
    chosen = [by_name[name] for name in found.names]
    assert holds(chosen, constraints, whole=False)
    assert sum(one.capacity for one in chosen) >= 30
