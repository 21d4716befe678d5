"""Laws of the split, over random fleets and policies; HANSE_LAW_EXAMPLES says over how many."""

import os
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from services.traffic.core.places import Nearness, Place, Terms, Weight, regions_of
from services.traffic.core.split import able_of, in_whole_parts, parts_of, split
from shared.api.traffic_policy import WHOLE

LAW = settings(max_examples=int(os.environ.get("HANSE_LAW_EXAMPLES", "30")))
NAMES = ("eu-1", "eu-2", "us-1", "us-2", "ap-1")
_names = st.frozensets(st.sampled_from(NAMES))


@st.composite
def fleets(draw: st.DrawFn, least: int = 0) -> tuple[Place, ...]:
    return tuple(
        Place(
            cluster=name,
            region=draw(st.sampled_from(["", name[:2], "ap"])),
            ready=draw(st.integers(least, 9)),
            wanted=draw(st.integers(0, 12)),
            reachable=bool(least) or draw(st.booleans()),
            drained=draw(st.booleans()),
        )
        for name in NAMES
    )


@st.composite
def weight_lists(draw: st.DrawFn) -> tuple[Weight, ...]:
    left, found = frozenset(NAMES), []
    for named in draw(st.lists(_names, max_size=4)):
        found.append(Weight(clusters=named & left, weight=draw(st.integers(0, 9))))
        left -= named
    return tuple(found)


@st.composite
def nearnesses(draw: st.DrawFn, *, with_room: bool = True) -> Nearness:
    sources = st.sampled_from(["eu", "us", "ap"])
    rates = st.integers(0, 20) if with_room else st.just(0)
    return Nearness(
        min_ready_percent=draw(st.integers(1, 100)),
        rate=draw(rates),
        latency=draw(
            st.dictionaries(st.tuples(sources, st.sampled_from(NAMES)), st.integers(0, 300))
        ),
        demand=draw(st.dictionaries(sources, st.integers(0, 200))),
    )


@st.composite
def all_terms(draw: st.DrawFn) -> Terms:
    groups = tuple(draw(st.lists(_names, max_size=3)))
    return Terms(
        weights=draw(weight_lists()),
        nearness=draw(st.none() | nearnesses()),
        groups=groups,
        active=draw(st.integers(0, max(0, len(groups) - 1))),
        shift_to=draw(st.none() | _names),
        percentage=draw(st.integers(0, 100)),
    )


_regions = st.sampled_from(["", "eu", "us", "ap", "elsewhere"])


@LAW
@given(all_terms(), fleets(), _regions)
def test_shares_sum_to_one_unless_nobody_can_take_any(
    terms: Terms, fleet: Sequence[Place], region: str
) -> None:
    parts = parts_of(terms, able_of(terms, fleet), region)
    shares = split(terms, fleet, region)

    able = able_of(terms, fleet)
    assert sum(parts.values()) == (1 if able else 0)
    assert sum(one.share for one in shares) == (WHOLE if able else 0)
    assert [one.name for one in shares] == sorted(NAMES)


@LAW
@given(all_terms(), fleets(), _regions)
def test_the_dead_get_nothing_and_the_drained_only_where_nobody_else_can(
    terms: Terms, fleet: Sequence[Place], region: str
) -> None:
    shares = {one.name: one for one in split(terms, fleet, region)}

    for place in fleet:
        if not place.alive:
            assert shares[place.cluster].share == 0
            assert shares[place.cluster].reason in {"Unreachable", "NoEndpoints"}
    taking = [place for place in fleet if shares[place.cluster].share]
    assert all(one.drained for one in taking) or not any(one.drained for one in taking)


@LAW
@given(all_terms(), fleets(), _regions, st.data())
def test_more_weight_never_means_less(
    terms: Terms, fleet: Sequence[Place], region: str, data: st.DataObject
) -> None:
    if not terms.weights:
        return
    number = data.draw(st.integers(0, len(terms.weights) - 1))
    raised = terms.weights[number].weight + data.draw(st.integers(1, 9))
    weights = list(terms.weights)
    weights[number] = replace(weights[number], weight=raised)
    # Whose weight is nothing may come in only to find that it is not its turn.
    more = replace(terms, weights=tuple(weights), groups=(), shift_to=None)
    less = replace(more, weights=terms.weights)
    # With what the near ones lack, a place that comes in changes what is near.
    if not terms.weights[number].weight:
        more, less = (replace(one, nearness=None) for one in (more, less))

    def taken(asked: Terms) -> Fraction:
        parts = parts_of(asked, able_of(asked, fleet), region)
        return sum((parts.get(name, Fraction(0)) for name in weights[number].clusters), Fraction(0))

    drained = any(one.drained for one in able_of(less, fleet))
    if able_of(less, fleet) and not drained:
        assert taken(more) >= taken(less)


@LAW
@given(weight_lists(), nearnesses(with_room=False), fleets(least=1), _regions, st.data())
def test_one_endpoint_more_moves_little(
    weights: Sequence[Weight],
    nearness: Nearness,
    fleet: Sequence[Place],
    region: str,
    data: st.DataObject,
) -> None:
    terms = Terms(weights=tuple(weights), nearness=nearness)
    number = data.draw(st.integers(0, len(fleet) - 1))
    one = fleet[number]
    after = [*fleet]
    after[number] = replace(one, ready=one.ready + 1, wanted=max(one.wanted, one.ready + 1))
    before = [*fleet]
    before[number] = replace(one, wanted=after[number].wanted)

    def parts(places: Sequence[Place]) -> dict[str, Fraction]:
        return dict(parts_of(terms, able_of(terms, places), region))

    old, new = parts(before), parts(after)
    moved = sum(abs(new.get(name, 0) - old.get(name, 0)) for name in NAMES) / 2
    # By no more than one endpoint weighs in its own region, twice over: among those that share
    # with it, and in what its level keeps.
    homes = [
        place for place in before if place.region == one.region and place.drained == one.drained
    ]
    ready = sum(place.ready for place in homes)
    assert moved <= Fraction(1, one.ready + 1) + Fraction(100, nearness.min_ready_percent * ready)


@LAW
@given(
    st.dictionaries(st.sampled_from(NAMES), st.integers(1, 10**9), min_size=1),
)
def test_rounding_is_exact_in_sum_and_within_one_part(weights: dict[str, int]) -> None:
    total = sum(weights.values())
    parts = {name: Fraction(weight, total) for name, weight in weights.items()}
    rounded = in_whole_parts(parts)

    assert sum(rounded.values()) == WHOLE
    assert all(abs(rounded[name] - parts[name] * WHOLE) < 1 for name in parts)


@LAW
@given(all_terms(), fleets(), _regions, st.randoms())
def test_the_order_of_the_fleet_does_not_matter(
    terms: Terms, fleet: Sequence[Place], region: str, random: object
) -> None:
    shuffled = list(fleet)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert split(terms, shuffled, region) == split(terms, fleet, region)


def test_regions_are_those_of_the_fleet_and_anywhere_else() -> None:
    fleet = [Place(cluster=name, region=name[:2]) for name in NAMES]
    assert regions_of([*fleet, Place(cluster="x")]) == ("", "ap", "eu", "us")
