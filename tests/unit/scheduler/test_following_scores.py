"""What follows scores moves where that gains enough, once, and waits for what is under way."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.core.circumstances import Circumstances
from services.scheduler.core.decision import Scheduled
from services.scheduler.core.planning import as_if_done, rehearse
from services.scheduler.core.signals.pricing import Amounts
from services.scheduler.core.signals.values import ClusterSignals, Signals, changed_signals
from shared.api.meta import read
from shared.api.policy import PropagationPolicy
from shared.apiserver.rules.policies import check_policy
from tests.unit.scheduler.placement_worlds import NOW
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    divided,
)
from tests.unit.scheduler.test_signal_laws import a_signalled_world

WEB = a_deployment(replicas=4, cpu="1")
CARBON = {"name": "carbon", "weight": 50, "best": 0, "worst": 400}
ONE = {"spreadByField": "cluster", "maxGroups": 1}


def a_following_policy(gain=10, **placement):
    policy = a_policy(**{"scores": [CARBON], "spreadConstraints": [ONE], **placement})
    policy["spec"]["reschedulePolicy"] = {"rescheduleWhen": {"scoreGain": gain}}
    return policy


async def a_world(policy, **carbon):
    world = SchedulerWorld()
    clusters = [a_cluster(name, carbonIntensity=grams) for name, grams in carbon.items()]
    await world.put(*clusters, policy, WEB)
    await world.settle()
    return world


async def says(world, **carbon):
    """Other values are published, and what follows them is looked at."""
    for name, grams in carbon.items():
        world.federation.signals.note_score("carbon", name, grams)
    for template in world.federation.following_scores(frozenset({"carbon"})):
        world.woken.append(template)
    await world.settle()


async def arrives(world, **running):
    """What is ordered runs, and the members say so."""
    for _ in range(3):
        await world.report(WEB, **running)
        await world.settle()


@pytest.mark.parametrize("rules", [divided(), {"replicaSchedulingType": "Duplicated"}])
async def test_it_goes_where_it_gains_enough_and_comes_to_rest_there(rules):
    world = await a_world(a_following_policy(replicaScheduling=rules), eu=40, us=300)
    assert [*world.shares(WEB)] == ["eu"]
    # 80 grams of 400 by 50 are ten points: nine are too few.
    await says(world, eu=372)
    assert [*world.shares(WEB)] == ["eu"]
    await says(world, eu=380)
    assert "us" in world.shares(WEB)
    await arrives(world, eu=4, us=4)
    assert [*world.shares(WEB)] == ["us"]
    assert world.leaving(WEB) == {}
    # The way back asks for as much again.
    await says(world, eu=300)
    assert [*world.shares(WEB)] == ["us"]


async def test_what_moves_is_let_finish_first():
    world = await a_world(a_following_policy(replicaScheduling=divided()), eu=40, us=300)
    await says(world, eu=400)
    under_way = world.shares(WEB)
    assert "us" in under_way
    await says(world, eu=0)
    assert world.shares(WEB) == under_way
    await arrives(world, eu=4, us=4)
    # It has arrived, and goes back for the same reason.
    await says(world, eu=0)
    assert "eu" in world.shares(WEB)


async def test_division_by_price_follows_prices():
    price = {"name": "price", "weight": 100, "best": 0.0, "worst": 0.1}
    rules = {"replicaSchedulingType": "Divided", "weightPreference": {"dynamicWeight": "Price"}}
    policy = a_following_policy(
        gain=5, scores=[price], spreadConstraints=[], replicaScheduling=rules
    )
    world = SchedulerWorld()
    rooms = [{"cpu": "9", "pods": "99"}]
    cheap, dear = {"price": {"cpu": "0.02"}}, {"price": {"cpu": "0.06"}}
    await world.put(a_cluster("eu", nodes=rooms, **cheap), a_cluster("us", nodes=rooms, **dear))
    await world.put(policy, WEB)
    await world.settle()
    assert world.shares(WEB) == {"eu": 3, "us": 1}
    await world.put(a_cluster("eu", nodes=rooms, **dear), a_cluster("us", nodes=rooms, **cheap))
    world.woken += world.federation.following_scores(frozenset({"price"}))
    await world.settle()
    await arrives(world, eu=3, us=3)
    assert world.shares(WEB) == {"eu": 1, "us": 3}


async def test_without_the_word_nothing_follows_and_nobody_wakes():
    policy = a_policy(scores=[CARBON], spreadConstraints=[ONE])
    world = await a_world(policy, eu=40, us=300)
    assert world.federation.following_scores(frozenset({"carbon"})) == []
    other = await a_world(a_following_policy(), eu=40, us=300)
    assert other.federation.following_scores(frozenset({"price"})) == []
    assert len(other.federation.following_scores(frozenset({"carbon", "price"}))) == 1


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6))
def test_what_follows_comes_to_rest(seed):
    workload, fleet = a_signalled_world(seed)
    workload = replace(workload, circumstances=Circumstances(score_gain=3), reports=())
    if workload.evictions or any(one.since for one in workload.current):
        return
    decision = rehearse(workload, fleet, NOW).last
    if isinstance(decision, Scheduled) and not decision.evictions:
        settled = as_if_done(workload, decision, NOW)
        again = rehearse(settled, fleet, NOW).last
        assert again.clusters == decision.clusters


def test_which_signals_have_changed():
    rates = ClusterSignals(rates=Amounts(1.0))
    faster = ClusterSignals(rates=Amounts(1.0), latency=3)
    before = Signals({"eu": rates}, {"fitness": {"eu": 1.0}})
    assert changed_signals(before, before) == frozenset()
    assert changed_signals(before, Signals({"eu": faster}, {})) == {"latency", "fitness"}
    assert changed_signals(before, Signals({}, {"fitness": {"eu": 1.0}})) == {"price"}


@pytest.mark.parametrize(
    ("gain", "scores", "field"),
    [
        (0, [CARBON], "spec.reschedulePolicy.rescheduleWhen.scoreGain"),
        (5, [], "spec.reschedulePolicy.rescheduleWhen.scoreGain"),
        (5, [CARBON, {"name": "price"}], "spec.placement.scores[1].best"),
        (5, [CARBON], ""),
    ],
)
def test_what_can_be_followed(gain, scores, field):
    policy = read(a_following_policy(gain, scores=scores), PropagationPolicy)
    assert [one.path for one in check_policy(policy)] == ([field] if field else [])
