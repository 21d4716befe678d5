"""What is to be near a workload waits for it, where both come at once."""

from datetime import timedelta

from shared.controller.result import Again
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    key_of,
)

API, DB = a_deployment("api"), a_deployment("db")
ONE = [{"spreadByField": "cluster", "maxGroups": 1}]


def selecting(name, **placement: object):
    selector = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return a_policy(name, selectors=[selector], **placement)


def near(name, other):
    scores = [{"name": "latency", "weight": 50, "fromWorkload": {"name": other}}]
    return selecting(name, scores=scores, spreadConstraints=ONE)


async def a_world(*policies):
    world = SchedulerWorld()
    clusters = [a_cluster(name) for name in ("a", "b", "c")]
    clusters[0]["spec"]["latencies"] = [
        {"cluster": "b", "milliseconds": 90},
        {"cluster": "c", "milliseconds": 9},
    ]
    await world.put(*clusters, *policies)
    await world.settle()
    return world


async def test_it_comes_after_what_it_is_to_be_near():
    there = selecting("db", clusterAffinity={"clusterNames": ["a"]})
    api = near("api", "db")
    api["spec"]["placement"]["clusterAffinity"] = {"exclude": ["a"]}
    world = await a_world(api, there)
    await world.put(API, DB)
    result = await world.templates.reconcile(key_of(API))
    assert (result, world.binding(API)) == (Again(timedelta(milliseconds=200)), None)
    await world.settle()
    await world.wait(1)
    assert list(world.shares(API)) == ["c"]


async def test_what_follows_its_scores_follows_the_workload_that_it_is_near():
    there = selecting("db", clusterAffinity={"clusterNames": ["a"]})
    api = near("api", "db")
    api["spec"]["placement"]["scores"][0] |= {"best": 0, "worst": 100}
    api["spec"]["reschedulePolicy"] = {"rescheduleWhen": {"scoreGain": 10}}
    world = await a_world(api, there)
    await world.put(DB)
    await world.settle()
    await world.put(API)
    await world.settle()
    assert list(world.shares(API)) == ["a"]
    there["spec"]["placement"]["clusterAffinity"] = {"clusterNames": ["b"]}
    there["metadata"]["generation"] = 2
    await world.report(API, a="Healthy")
    await world.put(there)
    await world.settle()
    assert "b" in world.shares(DB)
    await world.report(DB, a="Healthy", b="Healthy")
    await world.settle()
    assert list(world.shares(DB)) == ["b"]
    assert "b" in world.shares(API)


async def test_two_that_are_to_be_near_one_another_do_not_wait_for_ever():
    world = await a_world(near("api", "db"), near("db", "api"))
    await world.put(API, DB)
    await world.settle()
    assert (world.binding(API), world.binding(DB)) == (None, None)
    await world.wait(6)
    assert world.shares(API).keys() == world.shares(DB).keys() != set()


async def test_what_no_policy_places_is_not_waited_for():
    world = await a_world(near("api", "db"))
    await world.put(API, DB)
    await world.settle()
    assert len(world.shares(API)) == 1
