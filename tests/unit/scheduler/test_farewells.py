"""A binding that is no longer wanted asks for nothing, and waits for its works to go."""

import pytest

from shared.api.binding import WORKS_FINALIZER
from shared.apimachinery.manifest import copy
from tests.unit.scheduler.scheduler_world import SchedulerWorld, a_cluster, a_deployment, a_policy

WEB = a_deployment()
NOW = "2026-03-01T12:00:00Z"


@pytest.fixture
async def world():
    found = SchedulerWorld()
    await found.put(a_cluster("eu-1"), a_policy(), WEB)
    await found.settle()
    return found


def stored(world):
    return world.store.mirror.get(world.binding_key(WEB)).manifest


async def change_binding(world, change):
    found = world.store.mirror.get(world.binding_key(WEB))
    manifest = copy(found.manifest)
    change(manifest)
    await world.store.update(found.key, manifest, expected=found.revision)


async def test_it_is_held_until_dispatch_lets_it_go(world):
    assert stored(world)["metadata"]["finalizers"] == [WORKS_FINALIZER]
    await world.remove(WEB)
    await world.settle()
    found = stored(world)
    assert found["metadata"]["deletionTimestamp"]
    assert "clusters" not in found["spec"]
    assert "preserveResourcesOnDeletion" not in found["spec"]
    assert world.policy_status(a_policy()).get("selected", 0) == 0
    assert await world.settle() == 0


async def test_without_a_policy_it_asks_for_nothing(world):
    await world.remove(a_policy())
    await world.settle()
    assert "clusters" not in stored(world)["spec"]
    # And is taken up again when one comes before it is gone.
    await world.put(a_policy())
    await world.settle()
    assert set(world.shares(WEB)) == {"eu-1"}
    assert "deletionTimestamp" not in stored(world)["metadata"]


async def test_one_without_the_finalizer_goes_at_once(world):
    await change_binding(world, lambda it: it["metadata"].pop("finalizers"))
    await world.remove(WEB)
    await world.settle()
    assert world.store.mirror.get(world.binding_key(WEB)) is None


async def test_what_the_garbage_collector_marked_is_left_to_dispatch(world):
    await world.remove(WEB)
    before = stored(world)
    await change_binding(world, lambda it: it["metadata"].update(deletionTimestamp=NOW))
    await world.settle()
    assert stored(world)["spec"] == before["spec"]


async def test_of_an_orphaned_template_everything_stays(world):
    going = copy(WEB)
    going["metadata"] |= {"deletionTimestamp": NOW, "finalizers": ["orphan"], "generation": 2}
    await change_binding(world, lambda it: it["metadata"].pop("ownerReferences"))
    await world.put(going)
    await world.settle()
    assert set(world.shares(WEB)) == {"eu-1"}
    await world.remove(WEB)
    await world.settle()
    spec = stored(world)["spec"]
    assert spec["preserveResourcesOnDeletion"] is True
    assert "clusters" not in spec


async def test_one_that_somebody_deleted_is_called_back(world):
    uid = stored(world)["metadata"]["uid"]
    await change_binding(world, lambda it: it["metadata"].update(deletionTimestamp=NOW))
    await world.settle()
    found = stored(world)
    assert "deletionTimestamp" not in found["metadata"]
    assert found["metadata"]["uid"] == uid
    assert set(world.shares(WEB)) == {"eu-1"}


async def test_a_new_template_of_that_name_takes_it_over(world):
    await world.remove(WEB)
    await world.settle()
    again = copy(WEB)
    again["metadata"]["uid"] = "another"
    await world.put(again)
    await world.settle()
    found = stored(world)
    assert set(world.shares(WEB)) == {"eu-1"}
    assert found["metadata"]["ownerReferences"][0]["uid"] == "another"


def leaving(name, how):
    cluster = a_cluster(name)
    cluster["spec"]["leaving"] = how
    return cluster


async def test_a_member_that_is_emptied_counts_as_gone(world):
    await world.put(leaving("eu-1", "Remove"))
    await world.settle()
    assert world.shares(WEB) == {}
    assert world.leaving(WEB) == {}
    assert "leaving the federation" in world.condition(WEB).message
    await world.put(a_cluster("us-1"))
    await world.settle()
    assert set(world.shares(WEB)) == {"us-1"}


async def test_from_a_member_that_leaves_only_what_runs_elsewhere_moves(world):
    await world.put(leaving("eu-1", "Move"))
    await world.settle()
    assert set(world.shares(WEB)) == {"eu-1"}
    await world.put(a_cluster("us-1"))
    await world.settle()
    assert set(world.shares(WEB)) == {"us-1"}
    assert set(world.leaving(WEB)) == {"eu-1"}
    # Whoever thinks better of it stays.
    await world.put(leaving("eu-1", ""))
    await world.settle()
    assert "eu-1" in world.shares(WEB)
