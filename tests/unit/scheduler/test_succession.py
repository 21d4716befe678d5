"""Templates that follow deleted ones under the same name."""

import pytest

from shared.apimachinery.manifest import copy
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
)


def named(uid, **metadata):
    found = copy(a_deployment())
    found["metadata"] |= {"uid": uid, **metadata}
    return found


@pytest.fixture
async def world():
    world = SchedulerWorld()
    await world.put(a_cluster("eu"), a_policy(), named("uid-1"))
    await world.settle()
    assert world.binding(named("uid-1")).spec.former_template == ""
    return world


def former(world):
    return world.binding(named("")).spec.former_template


async def test_what_was_deleted_with_all_that_it_owned_may_make_way(world):
    await world.put(named("uid-2"))
    await world.settle()
    assert former(world) == "Delete"
    # It stands, for a member may be away that holds it yet.
    await world.put(named("uid-2", generation=2))
    await world.settle()
    assert former(world) == "Delete"


async def test_what_was_to_stay_stays_whatever_follows(world):
    policy = a_policy()
    policy["metadata"]["generation"] = 2
    policy["spec"]["preserveResourcesOnDeletion"] = True
    await world.put(policy)
    await world.settle()
    await world.put(named("uid-2"))
    await world.settle()
    assert former(world) == "Keep"
    policy = a_policy()
    policy["metadata"]["generation"] = 3
    await world.put(policy)
    await world.settle()
    await world.put(named("uid-3"))
    await world.settle()
    assert former(world) == "Keep"


async def test_what_was_orphaned_stays(world):
    stored = world.store.mirror.get(world.binding_key(named("uid-1")))
    disowned = copy(stored.manifest)
    # As the garbage collector does for `--cascade=orphan`.
    del disowned["metadata"]["ownerReferences"]
    await world.store.update(stored.key, disowned, expected=stored.revision)
    await world.put(named("uid-2"))
    await world.settle()
    assert former(world) == "Keep"
