"""Moves that nothing forces wait for their turn; what somebody needs does not."""

from datetime import timedelta

from services.scheduler.core.change.restraint import Restraint
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    divided,
    unreachable,
)

NAMES = ("one", "two", "three")
REPLICAS = 6


async def a_world(**restraint: object):
    """Three workloads, each in two clusters by halves."""
    world = SchedulerWorld(restraint=Restraint(**restraint))
    await world.put(a_cluster("eu"), a_cluster("us"), a_policy(replicaScheduling=divided()))
    await world.put(*(a_deployment(name, replicas=REPLICAS) for name in NAMES))
    await world.settle()
    return world


def moved(world):
    """Those that are in the cluster that joined."""
    return [name for name in NAMES if "ap" in world.shares(a_deployment(name))]


async def all_run(world):
    for name in NAMES:
        template = a_deployment(name)
        await world.report(template, **world.shares(template))


async def test_so_many_move_at_once_and_the_others_after_them():
    world = await a_world(moves_max=1)
    await all_run(world)
    await world.put(a_cluster("ap"))
    await world.settle()
    assert len(moved(world)) == 1
    await world.wait(60)
    assert len(moved(world)) == 1
    for done in (2, 3):
        await all_run(world)
        await world.wait(5)
        assert len(moved(world)) == done
    await all_run(world)
    for name in NAMES:
        assert world.shares(a_deployment(name)) == {"ap": 2, "eu": 2, "us": 2}


async def test_without_a_limit_all_move():
    world = await a_world()
    await world.put(a_cluster("ap"))
    await world.settle()
    assert len(moved(world)) == len(NAMES)


async def test_what_a_user_asks_for_does_not_wait():
    world = await a_world(moves_max=1, rest=timedelta(hours=1))
    await world.put(a_cluster("ap"))
    await world.settle()
    assert moved(world) == []
    await world.put(a_deployment("one", replicas=9, generation=2))
    await world.settle()
    assert world.shares(a_deployment("one"))["ap"] == 3


async def test_what_is_lost_does_not_wait():
    world = await a_world(moves_max=1, rest=timedelta(hours=1))
    await world.put(a_cluster("us", ready=False, taints=[unreachable()]))
    await world.settle()
    await world.wait(3600)
    for name in NAMES:
        assert world.shares(a_deployment(name)) == {"eu": REPLICAS}
    await world.remove(a_cluster("us"))
    await world.settle()
    assert world.leaving(a_deployment("one")) == {}


async def test_another_policy_does_not_wait():
    world = await a_world(moves_max=1, rest=timedelta(hours=1))
    weights = a_policy(replicaScheduling=divided({"eu": 2, "us": 1}))
    weights["metadata"]["generation"] = 2
    await world.put(weights)
    await world.settle()
    assert all(world.shares(a_deployment(name))["eu"] == 4 for name in NAMES)


async def test_moves_wait_for_the_fleet_to_come_to_rest():
    world = await a_world(rest=timedelta(minutes=10))
    await world.put(a_cluster("ap"))
    await world.settle()
    assert moved(world) == []
    await world.wait(9 * 60)
    await world.put(a_cluster("sa"))
    await world.settle()
    await world.wait(9 * 60)
    assert moved(world) == []
    await world.wait(2 * 60)
    assert len(moved(world)) == len(NAMES)
