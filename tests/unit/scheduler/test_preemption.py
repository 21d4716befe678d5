"""Who gives way to whom where room is short: recorded, answered, bounded and not undone."""

from datetime import timedelta

import pytest

from services.scheduler.core.preemption.rank import Rank, Ranks
from services.scheduler.deciding.deciding import Deciding
from services.scheduler.deciding.plugins import Plugins
from shared.api.meta import read
from shared.api.policy import PropagationPolicy
from shared.api.priority import SchedulePriority
from shared.bus.memory import MemoryBus
from shared.interpreter.registry import BUILT_IN
from tests.unit.scheduler.placement_worlds import GRACE
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    divided,
    key_of,
)


def a_class(name, value, **fields: object):
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        **fields,
    }


def a_workload(name, replicas, priority="", *, cpu="1", generation=1):
    template = a_deployment(name, replicas=replicas, cpu=cpu, generation=generation)
    if priority:
        template["spec"]["template"]["spec"]["priorityClassName"] = priority
    return template


def room(cpu):
    return [{"cpu": str(cpu), "pods": "50"}]


HIGH, MIDDLE = a_class("high", 1000), a_class("middle", 500)
LOW = a_workload("low", 4)


async def a_world(*clusters, low=LOW, **policy: object):
    """Four replicas without a priority that have filled eu, as its room says by now."""
    world = SchedulerWorld()
    rules = policy or {"replicaScheduling": divided(dynamic=True)}
    await world.put(HIGH, MIDDLE, a_cluster("eu", nodes=room(4)), a_policy(**rules), low)
    await world.settle()
    await world.report(low, eu=4)
    await world.put(a_cluster("eu", nodes=room(0)), *clusters)
    await world.settle()
    await world.wait(121)
    assert world.shares(low) == {"eu": 4}
    return world


async def test_who_has_no_other_place_stops_and_the_reason_is_on_record():
    world = await a_world()
    web = a_workload("web", 2, "high")
    await world.put(web)
    await world.settle()
    assert (world.shares(web), world.shares(LOW)) == ({"eu": 2}, {"eu": 2})
    assert world.condition(LOW).reason == "Preempted"
    assert "2 in eu: it gives way to Deployment shop/web, of priority 1000 over 0" in (
        world.condition(LOW).message
    )
    (ceiling,) = world.binding(LOW).spec.ceilings
    assert (ceiling.cluster, ceiling.replicas, ceiling.gave) == ("eu", 2, 2)
    facts = {one.name: one for one in world.outbox.facts}
    assert facts["low"].trigger == "Preempted"
    told = [one.message for one in world.outbox.facts if one.name == "web"]
    assert any("2 of Deployment shop/low give way in eu: priority 0 under 1000" in t for t in told)
    # What has been answered is asked no more.
    assert world.binding(web).spec.preempting == ()
    assert world.binding(web).spec.priority == 1000


async def test_who_has_another_place_goes_there_and_leaves_only_then():
    world = await a_world(a_cluster("us", nodes=room(1)))
    web = a_workload("web", 3, "high")
    await world.put(web)
    await world.settle()
    # One of its own three fits into us; for two others must give way.
    assert world.shares(web) == {"eu": 2, "us": 1}
    assert world.shares(LOW) == {"eu": 2}
    await world.put(a_cluster("us", nodes=room(9)))
    await world.settle()
    await world.wait(61)
    assert world.shares(LOW) == {"eu": 2, "us": 2}


async def test_a_move_away_loses_nothing_on_the_way():
    world = await a_world()
    web = a_workload("web", 2, "high")
    only_eu = a_policy(
        "pinned",
        selectors=[{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}],
        replicaScheduling=divided(dynamic=True),
        clusterAffinity={"clusterNames": ["eu"]},
    )
    await world.put(a_cluster("us", nodes=room(9)), only_eu, web)
    await world.settle()
    assert world.shares(web) == {"eu": 2}
    assert world.shares(LOW) == {"eu": 4, "us": 2}
    await world.report(LOW, eu=4, us=2)
    assert world.shares(LOW) == {"eu": 2, "us": 2}


@pytest.mark.parametrize(
    ("mine", "classes"),
    [
        ("none", ()),
        ("polite", (a_class("polite", 2000, preemptionPolicy="Never"),)),
        ("same", (a_class("same", 0),)),
        ("less", (a_class("less", -5),)),
    ],
)
async def test_nobody_gives_way_to_them(mine, classes):
    world = await a_world()
    web = a_workload("web", 2, mine if classes else "")
    await world.put(*classes, web)
    await world.settle()
    assert world.shares(web) == {}
    assert world.condition(web).reason == "Unschedulable"
    assert world.shares(LOW) == {"eu": 4}


async def test_who_only_looks_takes_nobodys_turn():
    world = await a_world()
    web = a_workload("web", 2, "high")
    await world.put(web)
    plugins = Plugins(MemoryBus(), world.clock, timedelta(seconds=5), world.woken.append)
    shown = Deciding(world.federation, world.clock, GRACE, interpreters=BUILT_IN, plugins=plugins)
    policy = read(a_policy(replicaScheduling=divided(dynamic=True)), PropagationPolicy)
    for _ in range(2):
        _, decision = shown.decide(key_of(web), web, policy, None)
        assert [one.replicas for one in decision.preempting] == [2]
    await world.settle()
    assert world.shares(web) == {"eu": 2}


async def test_nobody_gives_way_where_that_is_not_enough():
    world = await a_world()
    web = a_workload("web", 5, "high")
    await world.put(web)
    await world.settle()
    assert (world.shares(web), world.shares(LOW)) == ({}, {"eu": 4})


async def test_smaller_ones_do_not_give_way_for_it_is_not_known_where_they_are():
    world = await a_world(low=a_workload("low", 4, cpu="500m"))
    web = a_workload("web", 1, "high")
    await world.put(web)
    await world.settle()
    assert (world.shares(web), world.shares(LOW)) == ({}, {"eu": 4})


async def test_who_gave_way_comes_back_when_there_is_room_and_pushes_nobody_out():
    world = await a_world()
    web = a_workload("web", 2, "high")
    await world.put(web)
    await world.settle()
    for _ in range(5):
        await world.wait(200)
        assert (world.shares(web), world.shares(LOW)) == ({"eu": 2}, {"eu": 2})
    await world.put(a_cluster("eu", nodes=room(2)))
    await world.settle()
    await world.wait(2)
    assert world.shares(LOW) == {"eu": 4}
    assert world.condition(LOW).status == "True"


async def test_what_has_come_back_is_no_reason_for_what_is_short_later():
    world = await a_world()
    web = a_workload("web", 2, "high")
    await world.put(web)
    await world.settle()
    await world.wait(200)
    await world.put(a_cluster("eu", nodes=room(2)))
    await world.settle()
    await world.wait(2)
    await world.put(a_workload("low", 9, generation=2), a_cluster("eu", nodes=room(0)))
    await world.settle()
    assert world.shares(LOW) == {"eu": 4}
    assert world.condition(LOW).reason == "Unschedulable"


async def test_by_weights_it_does_not_come_back_before_there_is_room_either():
    by_weight = a_policy(
        "weights",
        selectors=[{"apiVersion": "apps/v1", "kind": "Deployment", "name": "low"}],
        replicaScheduling=divided(),
    )
    world = await a_world()
    await world.put(by_weight)
    await world.settle()
    web = a_workload("web", 2, "high")
    await world.put(web)
    await world.settle()
    await world.wait(700)
    assert world.shares(LOW) == {"eu": 2}
    await world.put(a_cluster("eu", nodes=room(2)))
    await world.settle()
    await world.wait(2)
    assert world.shares(LOW) == {"eu": 4}


async def test_the_lowest_priority_gives_way_first():
    world = await a_world(low=a_workload("low", 4, "middle"))
    other = a_workload("other", 3)
    await world.put(a_cluster("us", nodes=room(3)), other)
    await world.settle()
    await world.report(other, us=3)
    await world.put(a_cluster("us", nodes=room(0)))
    await world.settle()
    await world.wait(121)
    web = a_workload("web", 4, "high")
    await world.put(web)
    await world.settle()
    assert world.shares(web) == {"eu": 1, "us": 3}
    assert (world.shares(other), world.shares(LOW)) == ({}, {"eu": 3})


async def test_a_process_that_begins_has_them_give_way_all_the_same():
    world = await a_world()
    web = a_workload("web", 2, "high")
    await world.put(web)
    while not world.binding(web) or not world.binding(web).spec.preempting:
        await world.templates.reconcile(world.woken.pop(0))
    assert world.shares(LOW) == {"eu": 4}
    world.start()
    await world.settle()
    assert world.shares(LOW) == {"eu": 2}
    assert world.binding(web).spec.preempting == ()


async def test_who_is_gone_before_has_asked_for_nothing():
    world = await a_world()
    web = a_workload("web", 2, "high")
    await world.put(web)
    while not world.binding(web) or not world.binding(web).spec.preempting:
        await world.templates.reconcile(world.woken.pop(0))
    await world.remove(web)
    world.woken.clear()
    world.start()
    await world.settle()
    assert world.shares(LOW) == {"eu": 4}


async def test_many_of_every_priority_come_to_rest():
    world = SchedulerWorld()
    classes = [a_class(f"c{number}", number * 10) for number in range(4)]
    clusters = [a_cluster(name, nodes=room(4)) for name in ("ap", "eu", "us")]
    await world.put(*classes, *clusters, a_policy(replicaScheduling=divided(dynamic=True)))
    works = [a_workload(f"w{number}", 4, f"c{number % 4}") for number in range(12)]
    for work in works:
        await world.put(work)
        await world.settle()
    for _ in range(3):
        await world.wait(130)
    kept = {number: world.shares(works[number]) for number in range(12)}
    # The three of the highest priority have all the room there is.
    assert all(sum(kept[number].values()) == 4 for number in (3, 7, 11))
    assert {name for number in (3, 7, 11) for name in kept[number]} == {"ap", "eu", "us"}


async def test_only_so_many_give_way_at_once():
    world = await a_world()
    world.federation.priorities._giving_way_max = 0
    web = a_workload("web", 2, "high")
    await world.put(web)
    await world.settle()
    assert "it waits for its turn" in world.condition(web).message
    assert world.shares(LOW) == {"eu": 4}
    world.federation.priorities._giving_way_max = 1
    await world.wait(2)
    assert world.shares(LOW) == {"eu": 2}


async def test_a_class_that_is_not_there_counts_for_nothing_and_is_told():
    world = await a_world()
    web = a_workload("web", 2, "nobody")
    await world.put(web)
    await world.settle()
    assert "its PriorityClass nobody is not known" in world.condition(web).message
    await world.put(a_class("nobody", 7))
    await world.settle()
    assert world.shares(web) == {"eu": 2}


def test_whose_class_counts():
    ranks = Ranks()
    for one in (a_class("high", 9), a_class("usual", 3, globalDefault=True)):
        ranks.put(one)
    ranks.put(a_class("lower", 2, globalDefault=True, preemptionPolicy="Never"))
    high, plain = a_workload("web", 1, "high"), a_workload("web", 1)
    assert ranks.of(high, None) == Rank(9, preempts=True)
    assert ranks.of(plain, None) == Rank(2, preempts=False)
    named = SchedulePriority(priority_class_source="KubePriorityClass", priority_class_name="usual")
    assert ranks.of(high, named) == Rank(3, preempts=True)
    assert ranks.of(high, SchedulePriority()) == Rank(9, preempts=True)
    critical = a_workload("web", 1, "system-cluster-critical")
    assert ranks.of(critical, None).priority == 2_000_000_000
    ranks.drop("lower")
    assert ranks.of(plain, None) == Rank(3, preempts=True)
    assert ranks.of({"spec": None}, None) == Rank(3, preempts=True)
