"""A burst of decisions before any member reports: each sees what the others took."""

from datetime import timedelta

import pytest

from services.scheduler.core.reserving import TERM
from shared.apimachinery.manifest import copy
from shared.errors import StaleRevision
from shared.store.memory import MemoryStore
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    divided,
)

FEWEST = {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated"}
ONE, TWO, THREE = (a_deployment(name, replicas=4, cpu="1") for name in ("one", "two", "three"))
CLUSTERS = tuple(a_cluster(name, nodes=[{"cpu": "4", "pods": "99"}]) for name in ("eu", "us"))


class RefusingStore(MemoryStore):
    """Refuses so many creations of bindings."""

    refusals = 0

    async def create(self, key, manifest):
        if key.resource == "resourcebindings" and self.refusals:
            self.refusals -= 1
            raise StaleRevision("somebody was first")
        return await super().create(key, manifest)


@pytest.fixture
async def world():
    world = SchedulerWorld(RefusingStore())
    await world.put(*CLUSTERS, a_policy(replicaScheduling=FEWEST))
    return world


def place_of(world, template):
    (found,) = world.shares(template)
    return found


async def test_two_workloads_do_not_take_the_same_room(world):
    await world.put(ONE, TWO, THREE)
    await world.settle()
    assert {place_of(world, ONE), place_of(world, TWO)} == {"eu", "us"}
    assert world.condition(THREE).reason == "Unschedulable"
    assert world.shares(THREE) == {}


async def test_an_outcome_that_turns_is_told_with_its_own_time(world):
    await world.put(ONE)
    await world.settle()
    where, other = place_of(world, ONE), {"eu": "us", "us": "eu"}[place_of(world, ONE)]
    world.clock.moment += timedelta(minutes=10)
    taint = {"key": "x", "effect": "NoExecute"}
    full = a_cluster(other, nodes=[{"cpu": "0"}])
    await world.put(full, a_cluster(where, nodes=[{"cpu": "0"}], taints=[taint]))
    await world.settle()
    first, last = world.outbox.facts
    assert (last.scheduled, last.clusters) == (False, first.clusters)
    assert last.occurred_at == "2026-03-01T12:10:00Z"


async def test_a_new_process_knows_what_is_under_way(world):
    await world.put(ONE)
    await world.settle()
    world.start()
    await world.put(TWO)
    await world.settle()
    assert place_of(world, TWO) != place_of(world, ONE)


async def test_room_that_a_member_refuses_to_use_is_given_back(world):
    await world.put(ONE, TWO, THREE)
    await world.settle()
    key = world.binding_key(ONE)
    stored = await world.store.get(key)
    manifest = copy(stored.manifest)
    refused = {"cluster": place_of(world, ONE), "applied": False, "message": "forbidden"}
    manifest["status"]["aggregatedStatus"] = [refused]
    await world.store.update(key, manifest, expected=stored.revision)
    await world.settle()
    assert place_of(world, THREE) == place_of(world, ONE)


async def test_room_of_what_is_deleted_is_given_back(world):
    await world.put(ONE, TWO, THREE)
    await world.settle()
    where = place_of(world, ONE)
    await world.remove(ONE)
    await world.settle()
    assert place_of(world, THREE) == where


async def test_room_of_what_never_starts_is_given_back_after_a_while(world):
    await world.put(ONE, TWO, THREE)
    await world.settle()
    await world.wait(TERM.total_seconds() - 1)
    assert world.shares(THREE) == {}
    await world.wait(2)
    assert world.shares(THREE) != {}


async def test_a_decision_that_was_not_written_takes_nothing(world):
    await world.put(ONE)
    world.store.refusals = 1
    with pytest.raises(StaleRevision):
        await world.settle()
    await world.put(TWO, THREE)
    await world.settle()
    assert {place_of(world, TWO), place_of(world, THREE)} == {"eu", "us"}


async def test_reported_room_counts_again_as_it_is_told(world):
    await world.put(ONE)
    await world.settle()
    where = place_of(world, ONE)
    await world.report(ONE, **{where: 4})
    # The member has grown by the time that its room is reckoned.
    await world.put(a_cluster(where, nodes=[{"cpu": "4", "pods": "95"}]))
    await world.put(TWO, THREE)
    await world.settle()
    assert {place_of(world, TWO), place_of(world, THREE)} == {"eu", "us"}


async def test_whole_copies_take_room_too(world):
    whole = a_policy(
        "whole", selectors=[{"apiVersion": "apps/v1", "kind": "Deployment", "name": "one"}]
    )
    await world.put(whole, ONE, TWO)
    await world.settle()
    assert set(world.shares(ONE)) == {"eu", "us"}
    assert world.condition(TWO).reason == "Unschedulable"


async def test_deciding_again_changes_nothing_while_it_is_under_way(world):
    dynamic = a_policy(replicaScheduling=divided(dynamic=True))
    dynamic["metadata"]["generation"] = 2
    await world.put(dynamic, a_deployment("one", replicas=6, cpu="1"))
    await world.settle()
    before = world.binding(ONE).spec
    world.start()
    await world.settle()
    assert world.binding(ONE).spec == before
