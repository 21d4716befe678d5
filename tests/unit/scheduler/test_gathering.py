"""Newcomers under a policy that optimises wait for one another, and are placed together."""

import asyncio
from datetime import timedelta

import pytest

from services.scheduler.deciding.gathering import SET_MAX
from shared.events.planning import SupposedTemplate
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_config_map,
    a_deployment,
    a_policy,
    key_of,
)
from tests.unit.scheduler.test_placed_together import planned, with_price

# In the order of their names the first takes what is cheap from those that would fill it.
FIRST = a_deployment("a-first", replicas=1, cpu="3")
THEN = [a_deployment(name, replicas=1, cpu="2") for name in ("b-second", "c-third")]
ALL = (FIRST, *THEN)
BY_PRICE = {"replicaSchedulingType": "Divided", "weightPreference": {"dynamicWeight": "Price"}}


async def until(is_so):
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0)


async def a_world(**optimise):
    """Room for four cores where it is cheap, for many where it is dear."""
    world = SchedulerWorld()
    await world.put(
        with_price(a_cluster("cheap", nodes=[{"cpu": "4", "pods": "50"}]), "1"),
        with_price(a_cluster("dear", nodes=[{"cpu": "32", "pods": "200"}]), "2"),
        a_policy(replicaScheduling=BY_PRICE, optimise=optimise),
    )
    await world.settle()
    return world


def places(world, *templates):
    return [next(iter(world.shares(one))) for one in templates]


async def test_those_that_come_at_once_are_placed_together():
    world = await a_world()
    await world.put(*ALL)
    await world.settle()
    assert [world.binding(one) for one in ALL] == [None] * 3
    await world.gather(*ALL)
    assert places(world, *ALL) == ["dear", "cheap", "cheap"]
    told = "placed together, 3 workloads at 10.0000 an hour in all, 11.0000 one by one"
    assert all(told in world.condition(one).message for one in ALL)
    facts = world.outbox.facts
    assert [one.trigger for one in facts] == ["Created"] * 3
    assert all(one.trigger_message.endswith(told) for one in facts)
    # Deciding again what is decided changes nothing.
    world.woken += [key_of(one) for one in ALL]
    await world.settle()
    assert len(world.outbox.facts) == 3


async def test_one_alone_is_a_set_of_one():
    world = await a_world()
    web = a_deployment(replicas=3, cpu="1")
    await world.put(web)
    await world.gather(web)
    assert world.shares(web) == {"cheap": 3}
    told = "placed together, 1 workload at 3.0000 an hour in all, 4.0000 one by one"
    assert told in world.condition(web).message


async def test_a_set_that_is_full_waits_for_nobody():
    world = await a_world(gatherSeconds=60)
    many = [a_deployment(f"web-{number}", replicas=1, cpu="10m") for number in range(SET_MAX + 1)]
    began = world.clock.moment
    await world.put(*many)
    await world.gather(*many[:SET_MAX])
    assert world.clock.moment == began
    await world.gather(many[-1])
    assert world.shares(many[-1])


@pytest.mark.parametrize("gather", [{"gatherSeconds": 0}, {}])
async def test_what_a_solver_cannot_be_told_of_waits_for_nobody(gather):
    world = await a_world(**gather)
    settings = a_config_map()
    await world.put(settings, *(THEN if gather else ()))
    await world.settle()
    assert world.binding(settings) is not None
    assert all(world.binding(one) for one in THEN if gather)


async def test_one_that_goes_meanwhile_is_not_waited_for():
    world = await a_world()
    await world.put(*ALL)
    await world.settle()
    await world.remove(FIRST)
    await world.gather(*THEN)
    assert places(world, *THEN) == ["cheap", "cheap"]
    assert world.binding(FIRST) is None


async def test_who_is_under_another_policy_by_then_waits_no_more():
    world = await a_world(gatherSeconds=60)
    await world.put(*ALL)
    await world.settle()
    near = {"clusterAffinity": {"clusterNames": ["dear"]}}
    everywhere = a_policy(replicaScheduling={"replicaSchedulingType": "Divided"}, **near)
    everywhere["metadata"]["generation"] = 2
    await world.put(everywhere)
    await world.settle()
    assert places(world, *ALL) == ["dear"] * 3
    # What the first set comes to is for nobody any more.
    running = asyncio.create_task(world.templates.gathering.run())
    while not world.woken:
        await asyncio.sleep(0)
    await world.settle()
    running.cancel()
    assert places(world, *ALL) == ["dear"] * 3


async def test_whoever_begins_anew_gathers_anew():
    world = await a_world()
    await world.put(*ALL)
    await world.settle()
    world.start()
    await world.gather(*ALL)
    assert places(world, *ALL) == ["dear", "cheap", "cheap"]


async def test_what_took_the_room_meanwhile_keeps_it():
    world = await a_world()
    await world.put(*ALL)
    await world.settle()
    running = asyncio.create_task(world.templates.gathering.run())
    while not world.woken:
        await asyncio.sleep(0)
    # They have been worked out, and not been decided yet.
    await world.put(with_price(a_cluster("cheap", nodes=[{"cpu": "2", "pods": "50"}]), "1"))
    await world.settle()
    running.cancel()
    assert sorted(places(world, *ALL)) == ["cheap", "dear", "dear"]
    assert "together" not in world.condition(THEN[1]).message


async def test_a_plan_places_newcomers_together_too():
    world = await a_world()
    templates = [
        SupposedTemplate(resource="deployments", namespace="shop", manifest=one) for one in ALL
    ]
    plan = await planned(world, templates=tuple(templates))
    assert [one.after[0].cluster for one in plan.changes] == ["dear", "cheap", "cheap"]
    assert "placed together, 3 workloads" in plan.message


async def test_who_comes_after_a_change_of_the_policy_waits_in_a_set_of_its_own():
    world = await a_world(gatherSeconds=60)
    await world.put(FIRST)
    await world.settle()
    changed = a_policy(optimise={"gatherSeconds": 1}, replicaScheduling=BY_PRICE)
    changed["metadata"]["generation"] = 2
    began = world.clock.moment
    await world.put(changed)
    await world.settle()
    # It waited long enough for the policy that there was.
    assert places(world, FIRST) == ["cheap"]
    await world.put(*THEN)
    await world.settle()
    assert [world.binding(one) for one in THEN] == [None] * 2
    await world.gather(*THEN)
    assert (world.clock.moment - began).seconds == 1
    assert "2 workloads" in world.condition(THEN[0]).message


async def test_a_set_that_is_due_sooner_waits_for_no_other_one():
    """Whoever sleeps is woken a second later, by hand."""
    world = await a_world(gatherSeconds=60)
    asleep: list[tuple[float, asyncio.Future[None]]] = []

    async def sleep(seconds):
        asleep.append((seconds, woken := asyncio.Future()))
        await woken

    world.clock.sleep = sleep
    selector = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "b-second"}
    placement = {"optimise": {"gatherSeconds": 1}, "replicaScheduling": BY_PRICE}
    soon = a_policy("soon", selectors=[selector], priority=1, **placement)
    await world.put(soon, FIRST)
    await world.settle()
    running = asyncio.create_task(world.templates.gathering.run())
    await until(lambda: asleep)
    await world.put(THEN[0])
    await world.settle()
    await until(lambda: len(asleep) > 1)
    assert [seconds for seconds, _ in asleep] == [60, 1]
    world.clock.moment += timedelta(seconds=1)
    asleep[1][1].set_result(None)
    await until(lambda: world.woken)
    await world.settle()
    running.cancel()
    assert world.binding(THEN[0]) is not None
    assert world.binding(FIRST) is None
