"""Replicas that find no node: they leave once, gently, and do not come back at once."""

import pytest

from shared.apimachinery.manifest import copy
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    divided,
)

WEB = a_deployment(replicas=4)


@pytest.fixture
async def world():
    """Four replicas in two clusters by halves, of which one does not start."""
    found = SchedulerWorld()
    policy = a_policy(replicaScheduling=divided())
    policy["spec"]["autoMigration"] = {"when": {"podUnschedulableFor": "5m"}}
    await found.put(a_cluster("eu"), a_cluster("us"), policy, WEB)
    await found.settle()
    await found.report(WEB, eu=1, us=2)
    return found


async def strand(world, count, **available: int):
    """Let health say that so many pods in eu found no node, since now."""
    await world.report(WEB, **available)
    key = world.binding_key(WEB)
    stored = await world.store.get(key)
    manifest = copy(stored.manifest)
    for report in manifest["status"]["aggregatedStatus"]:
        if report["cluster"] == "eu" and count:
            report["unschedulable"] = count
            report["unschedulableSince"] = world.clock.now().isoformat()
    await world.store.update(key, manifest, expected=stored.revision)
    await world.settle()


async def test_they_go_elsewhere_after_the_time_of_the_policy(world):
    await strand(world, 1, eu=1, us=2)
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    await world.wait(301)
    assert world.shares(WEB) == {"eu": 2, "us": 3}
    fact = world.outbox.facts[-1]
    assert (fact.trigger, fact.trigger_message) == (
        "Unschedulable",
        "eu: pods of it found no node there",
    )
    await strand(world, 0, eu=1, us=3)
    assert world.shares(WEB) == {"eu": 1, "us": 3}
    assert "at most 1 in eu" in world.condition(WEB).message


async def test_they_come_back_after_half_an_hour_and_not_before(world):
    await strand(world, 1, eu=1, us=2)
    await world.wait(301)
    await strand(world, 0, eu=1, us=3)
    await world.wait(29 * 60)
    assert world.shares(WEB) == {"eu": 1, "us": 3}
    await world.wait(60)
    await world.report(WEB, eu=2, us=3)
    assert world.shares(WEB) == {"eu": 2, "us": 2}


async def test_a_second_time_it_is_an_hour(world):
    for minutes in (30, 60):
        await strand(world, 1, eu=1, us=2)
        await world.wait(301)
        await strand(world, 0, eu=1, us=3)
        (ceiling,) = world.binding(WEB).spec.ceilings
        assert ceiling.times == minutes // 30
        await world.wait(minutes * 60 - 1)
        assert world.shares(WEB) == {"eu": 1, "us": 3}
        await world.wait(2)
        await world.report(WEB, eu=2, us=2)
        assert world.shares(WEB) == {"eu": 2, "us": 2}


async def test_pods_that_find_a_node_in_time_stay(world):
    await strand(world, 1, eu=1, us=2)
    await world.wait(200)
    await strand(world, 0, eu=2, us=2)
    await world.wait(200)
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    assert not world.binding(WEB).spec.ceilings
