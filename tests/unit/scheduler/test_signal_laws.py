"""What must hold of every decision that looks at prices, latencies and scores."""

import random
from dataclasses import replace

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.scheduler.core.claims import limits_of
from services.scheduler.core.decision import Scheduled
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.replicas import UNBOUNDED
from services.scheduler.core.schedule import schedule
from services.scheduler.core.scores import scores_of
from services.scheduler.core.signals.pricing import Amounts, amounts_of, cost_of, rates_of
from services.scheduler.core.signals.scoring import NEUTRAL, points_of
from services.scheduler.core.signals.values import ClusterSignals, Signals
from services.scheduler.core.signals.weighing import signal_weights
from shared.api.cluster import Price
from shared.api.placement import ReplicaScheduling, WeightPreference
from shared.api.scoring import Score
from tests.unit.scheduler.placement_worlds import NAMES, NOW, a_world, after

finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))
columns = st.dictionaries(st.sampled_from(NAMES), finite, min_size=1)


def a_signalled_world(seed):
    """A world whose policy has scores, and often divides by one."""
    workload, fleet = a_world(seed)
    chance = random.Random(seed)  # noqa: S311 - not for secrets.
    placement = workload.placement
    names = chance.sample(["price", "carbon", "latency", "fitness"], chance.randint(1, 4))
    scores = tuple(Score(name=name, weight=chance.randint(1, 100)) for name in names)
    rules = placement.replica_scheduling
    if workload.divided and chance.random() < 0.7:
        weights = WeightPreference(dynamic_weight=chance.choice(["Price", "Latency"]))
        rules = msgspec.structs.replace(
            rules, replica_division_preference="Weighted", weight_preference=weights
        )
    placement = msgspec.structs.replace(placement, scores=scores, replica_scheduling=rules)
    return replace(workload, placement=placement, signals=some_signals(chance)), fleet


def some_signals(chance):
    clusters = {
        name: ClusterSignals(
            rates=Amounts(chance.choice([0.0, 0.01, 0.02, 0.5])) if chance.random() < 0.8 else None,
            carbon=chance.choice([None, 20.0, 400.0]),
            latency=chance.choice([None, 0, 3, 80]),
        )
        for name in NAMES
    }
    return Signals(clusters, {"fitness": {name: chance.uniform(-9, 9) for name in NAMES[::2]}})


worlds = st.integers(0, 10**6).map(a_signalled_world)


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_deciding_on_its_own_result_changes_nothing(world):
    workload, fleet = world
    first = schedule(workload, fleet, NOW)
    again = schedule(after(workload, first), fleet, NOW)
    assert (again.clusters, again.evictions) == (first.clusters, first.evictions)


@settings(max_examples=150, deadline=None)
@given(worlds, st.integers(0, 99))
@example(a_signalled_world(362), 62)
@example(a_signalled_world(1040), 0)
def test_other_signals_move_nothing_that_has_its_place(world, seed):
    workload, fleet = world
    first = schedule(workload, fleet, NOW)
    if not isinstance(first, Scheduled) or first.evictions or not workload.divided:
        return
    if any(one.since for one in first.clusters) or not workload.placement.scores:
        return
    settled = after(replace(workload, reports=()), first)
    turned = replace(settled, signals=some_signals(random.Random(seed)))  # noqa: S311
    rules = workload.placement.replica_scheduling
    static = rules.weight_preference is None or not rules.weight_preference.dynamic_weight
    if static and rules.replica_division_preference == "Weighted":
        # Shares by static weights follow their rule; what is liked has no part in it.
        assert schedule(turned, fleet, NOW).clusters == schedule(settled, fleet, NOW).clusters
    else:
        assert schedule(turned, fleet, NOW).clusters == first.clusters


@settings(max_examples=200, deadline=None)
@given(worlds)
def test_shares_add_up_within_the_limits(world):
    workload, fleet = world
    workload = replace(workload, current=(), previous_replicas=None, affinity_name="")
    decision = schedule(workload, fleet, NOW)
    if not isinstance(decision, Scheduled) or not workload.divided:
        return
    bounds, _ = limits_of(workload.placement, fleet)
    assert sum(one.replicas for one in decision.clusters) == workload.demand.count
    for one in decision.clusters:
        most = bounds.get(one.name, UNBOUNDED).most
        assert most is None or one.replicas <= most


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_signals_rule_nobody_out(world):
    workload, fleet = world
    rules = workload.placement.replica_scheduling
    if workload.divided and (rules.weight_preference or rules.replica_limits):
        return
    plain = replace(workload, placement=msgspec.structs.replace(workload.placement, scores=()))
    assert isinstance(schedule(workload, fleet, NOW), Scheduled) == isinstance(
        schedule(plain, fleet, NOW), Scheduled
    )


@given(columns, st.booleans())
def test_points_are_between_none_and_a_hundred_and_keep_the_order(values, lowest):
    points = points_of(values, lowest_is_best=lowest)
    assert points.keys() == values.keys()
    assert all(0 <= one <= 100 for one in points.values())
    ordered = sorted(values, key=values.__getitem__, reverse=not lowest)
    ranked = [points[name] for name in ordered]
    assert ranked == sorted(ranked, reverse=True)
    if len(set(values.values())) > 1:
        assert (max(ranked), min(ranked)) == (100, 0)
    else:
        assert set(ranked) == {NEUTRAL}


extreme = st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.sampled_from(NAMES), extreme, min_size=1), extreme, extreme)
@example({"a": 1e308, "b": -1e308, "c": 0.0}, 0.0, 1.0)
@example({"a": 5e-324, "b": 0.0}, 0.0, 1e308)
def test_whatever_is_published_makes_points(values, one, other):
    for scale in (None, (min(one, other), max(one, other))):
        points = points_of(values, lowest_is_best=True, scale=scale)
        assert all(0 <= points[name] <= 100 for name in values)
        ranked = [points[name] for name in sorted(values, key=values.__getitem__)]
        assert ranked == sorted(ranked, reverse=True)


@given(columns)
def test_the_other_direction_gives_the_other_points(values):
    best, worst = (points_of(values, lowest_is_best=lowest) for lowest in (True, False))
    assert all(abs(best[name] + worst[name] - 100) <= 1 for name in values)


@given(columns, st.floats(0.5, 100), finite)
def test_the_unit_of_a_signal_does_not_matter(values, factor, offset):
    others = {name: value * factor + offset for name, value in values.items()}
    points = points_of(values, lowest_is_best=True)
    if max(values.values()) - min(values.values()) >= 1:
        shifted = points_of(others, lowest_is_best=True)
        assert all(abs(shifted[name] - points[name]) <= 1 for name in points)


@given(columns, finite, finite)
def test_on_a_fixed_scale_points_do_not_depend_on_other_clusters(values, one, other):
    scale = min(one, other), max(one, other)
    together = points_of(values, lowest_is_best=True, scale=scale)
    for name, value in values.items():
        alone = points_of({name: value}, lowest_is_best=True, scale=scale)
        assert alone[name] == together[name]
        if scale[0] < scale[1] and value <= scale[0]:
            assert together[name] == 100


def test_a_cheaper_cluster_never_scores_less():
    for seed in range(60):
        workload, fleet = a_signalled_world(seed)
        workload = replace(
            workload,
            placement=msgspec.structs.replace(
                workload.placement,
                scores=(Score(name="price", weight=7),),
                preferred_cluster_affinities=(),
            ),
        )
        scores = scores_of(workload, fleet)
        covered = fleet.covered_by_any(workload.placement.affinities or (None,))
        prices = workload.signals.values("price", covered, demand=workload.demand)
        liked = {name for name, score in scores.items() if score}
        known = sorted((prices[name], -scores[name]) for name in prices if name in liked)
        assert [score for _, score in known] == sorted(score for _, score in known)


def test_what_is_worked_out_for_one_moment_is_of_that_moment():
    # Two fleets, two moments: none is answered with what was remembered of another.
    for seed in range(40):
        workload, fleet = a_signalled_world(seed)
        other = replace(workload.signals, clusters=some_signals(random.Random(seed)).clusters)  # noqa: S311
        later = replace(workload, signals=other)
        smaller = Fleet(list(fleet.members.values())[:-1])
        for one in (workload, later):
            for snapshot in (fleet, smaller, fleet):
                signals = Signals(one.signals.clusters, one.signals.published)
                anew = replace(one, signals=signals)
                assert scores_of(one, snapshot) == scores_of(anew, snapshot)


def weights(rates, **rules):
    workload, _ = a_world(1)
    preference = WeightPreference(dynamic_weight="Price", **rules)
    placement = msgspec.structs.replace(
        workload.placement, replica_scheduling=ReplicaScheduling(weight_preference=preference)
    )
    clusters = {name: ClusterSignals(rates=Amounts(rate)) for name, rate in rates.items()}
    signals = Signals(clusters)
    return signal_weights(replace(workload, placement=placement, signals=signals), [*NAMES])


def test_weights_are_in_inverse_proportion_and_never_nothing():
    found = weights({"a": 0.01, "b": 0.02, "c": 0.04, "d": 0.0})
    assert found["a"] / found["b"] == pytest.approx(2, rel=0.01)
    # What costs nothing counts as a hundredth of the dearest, what is not known as the middle one.
    assert found["d"] / found["c"] == pytest.approx(100, rel=0.01)
    assert found["b"] < found["e"] < found["a"]
    assert all(one > 0 for one in found.values())
    assert set(weights({}).values()) == {1}


def test_what_a_replica_costs():
    amounts = amounts_of({"cpu": "500m", "memory": "2Gi", "nvidia.com/gpu": "1", "pods": "1"})
    assert amounts == Amounts(0.5, 2.0, 1.0)
    assert amounts_of({"gpu.intel.com/i915": "2"}).gpu == 2
    rates = rates_of(Price(cpu="0.04", memory="5m", gpu="2.5"))
    assert rates is not None
    assert cost_of(amounts, rates) == 2.53
    assert rates_of(Price(cpu="cheap")) is None
