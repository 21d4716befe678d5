"""What a workload refers to and nobody has at the hub is told, and holds nothing up."""

from services.scheduler.reconcilers.references import ReferenceReconciler
from shared.api.binding import REFERENCES_FOUND
from shared.api.conditions import find_condition
from shared.controller.result import Again, Done
from tests.unit.scheduler.scheduler_world import SchedulerWorld, a_cluster, a_policy, key_of
from tests.unit.scheduler.test_dependencies import SETTINGS, a_user


async def a_world(web, **policy):
    world = SchedulerWorld()
    await world.put(a_cluster("a"), a_policy(**policy), web)
    await world.settle()
    assert world.shares(web), "it is placed all the same"
    return world, ReferenceReconciler(world.store, world.federation, world.outbox, world.clock)


def condition(world, web):
    return find_condition(world.binding(web).status.conditions, REFERENCES_FOUND)


async def test_it_is_told_until_it_is_there():
    web = a_user("web")
    world, references = await a_world(web)
    told = len(world.outbox.messages)
    for _ in range(2):
        assert isinstance(await references.reconcile(key_of(web)), Again)
    assert condition(world, web).status == "False"
    assert "ConfigMap shop/settings;" in condition(world, web).message
    assert len(world.outbox.messages) == told + 1, "once"

    await world.put(SETTINGS)
    await world.settle()
    assert isinstance(await references.reconcile(key_of(web)), Done)
    assert condition(world, web).status == "True"


async def test_what_may_be_missing_is_not_told_of():
    web = a_user("web")
    web["spec"]["template"]["spec"]["volumes"][0]["configMap"]["optional"] = True
    world, references = await a_world(web)
    assert isinstance(await references.reconcile(key_of(web)), Done)
    assert condition(world, web) is None
