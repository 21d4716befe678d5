"""What a WorkloadRebalancer has placed anew under a policy that optimises is placed together."""

from datetime import timedelta

import pytest

from services.scheduler.deciding.deciding import Deciding
from services.scheduler.deciding.plugins import Plugins
from services.scheduler.doors.plan_door import PlanDoor
from shared.bus.memory import MemoryBus
from shared.events.planning import PlanRequest
from shared.interpreter.registry import BUILT_IN
from tests.unit.scheduler.placement_worlds import GRACE
from tests.unit.scheduler.scheduler_world import a_cluster, a_deployment, a_policy, divided
from tests.unit.scheduler.test_rebalancing import World, a_rebalancer

BIG = a_deployment("big", replicas=1, cpu="3")
SMALL = a_deployment("small", replicas=2, cpu="2")
BOTH = [
    {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": name}
    for name in ("big", "small")
]


def with_price(cluster, cpu):
    return {**cluster, "spec": {**cluster["spec"], "price": {"cpu": cpu}}}


async def a_world(**placement):
    """Both run where it is dear; where it is cheap there is room for either, not for both."""
    found = World()
    rules = {"replicaScheduling": divided(dynamic=True), **placement}
    dear = a_cluster("dear", nodes=[{"cpu": "9", "pods": "50"}])
    await found.put(with_price(dear, "2"), a_policy(**rules), BIG, SMALL)
    await found.settle()
    await found.report(BIG, dear=1)
    await found.report(SMALL, dear=2)
    cheap = a_cluster("cheap", nodes=[{"cpu": "4", "pods": "50"}])
    await found.put(with_price(cheap, "1"))
    await found.settle()
    # What is under way is in the rooms by now.
    await found.wait(121)
    return found


@pytest.mark.parametrize("objective", ["Cost", "Packing"])
async def test_those_named_together_go_where_they_are_best_together(objective):
    world = await a_world(optimise={"objective": objective, "gatherSeconds": 0})
    again = a_rebalancer(*BOTH)
    await world.put(again)
    status = await world.rebalance(again)
    for template, share in ((BIG, 1), (SMALL, 2)):
        for name in list(world.shares(template)):
            await world.report(template, **{name: share})
    assert world.shares(BIG) == {"dear": 1}
    assert world.shares(SMALL) == ({"cheap": 2} if objective == "Cost" else {"dear": 2})
    assert [one.result for one in status.observed_workloads] == ["Successful"] * 2
    if objective == "Cost":
        told = [fact for fact in world.outbox.facts if fact.trigger == "Rebalanced"]
        assert all("placed together, 2 workloads at 10.0000 an hour" in one.message for one in told)
        why = "a WorkloadRebalancer had it placed anew: placed together, 2 workloads"
        assert [one.trigger_message.startswith(why) for one in told] == [True] * 2


async def test_without_the_policys_word_each_is_placed_by_itself():
    world = await a_world()
    again = a_rebalancer(*BOTH)
    await world.put(again)
    await world.rebalance(again)
    assert not any("together" in fact.message for fact in world.outbox.facts)


async def planned(world, **asked: object):
    bus, second = MemoryBus(), timedelta(seconds=1)
    plugins = Plugins(bus, world.clock, second, world.woken.append)
    deciding = Deciding(
        world.federation, world.clock, GRACE, interpreters=BUILT_IN, plugins=plugins
    )
    door = PlanDoor(bus, world.store.mirror, world.federation, deciding, world.clock)
    return await door.plan(PlanRequest(**asked))


async def test_a_plan_shows_what_would_move_and_what_it_saves():
    world = await a_world(optimise={"gatherSeconds": 0})
    plan = await planned(world, optimise=True)
    (change,) = plan.changes
    assert (change.name, change.fits) == ("small", True)
    assert [(one.cluster, one.replicas) for one in change.after] == [("cheap", 2)]
    assert (plan.cost_before, plan.cost_after, plan.moved) == (14.0, 10.0, 2)
    assert plan.message.startswith("policy everywhere: placed together, 2 workloads at 10.0000")
    # Nothing was asked for, and nothing is written.
    assert not (await planned(world)).changes
    assert world.shares(SMALL) == {"dear": 2}
