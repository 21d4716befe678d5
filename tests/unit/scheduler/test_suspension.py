"""Holding back on purpose: decisions, what is sent, and a policy's changes."""

import pytest

from shared.apimachinery.manifest import copy
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    divided,
    unreachable,
)

WEB = a_deployment(replicas=4)


def a_policy_with(generation=1, names=("eu", "us"), **spec: object):
    policy = a_policy(clusterAffinity={"clusterNames": list(names)}, replicaScheduling=divided())
    policy["metadata"]["generation"] = generation
    policy["spec"] |= spec
    return policy


@pytest.fixture
async def world():
    world = SchedulerWorld()
    await world.put(a_cluster("eu"), a_cluster("us"), a_cluster("ap"))
    return world


async def test_nothing_is_decided_while_scheduling_is_suspended(world):
    await world.put(a_policy_with(), WEB)
    await world.settle()
    await world.put(a_policy_with(2, ("eu",), suspension={"scheduling": True}))
    await world.put(a_cluster("us", taints=[unreachable()]))
    await world.put(a_deployment(replicas=9, generation=2))
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    assert world.condition(WEB).reason == "Suspended"
    assert "it stays in eu (2), us (2)" in world.condition(WEB).message
    await world.put(a_policy_with(3, ("eu",)))
    await world.settle()
    assert world.shares(WEB)["eu"] == 9


async def test_what_is_new_has_no_place_while_scheduling_is_suspended(world):
    await world.put(a_policy_with(suspension={"scheduling": True}), WEB)
    await world.settle()
    assert world.shares(WEB) == {}
    await world.put(a_policy_with(2))
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}


async def test_suspended_dispatch_is_told_where_decisions_are(world):
    await world.put(a_policy_with(suspension={"dispatching": True}), WEB)
    await world.settle()
    assert world.binding(WEB).spec.suspension.dispatching
    assert world.condition(WEB).message.endswith(
        "nothing is sent to any cluster: its policy suspends dispatching"
    )
    some = {"dispatchingOnClusters": {"clusterNames": ["us"]}}
    await world.put(a_policy_with(2, suspension=some))
    await world.settle()
    assert world.condition(WEB).message.endswith("nothing is sent to us: its policy suspends it")
    await world.put(a_policy_with(3))
    await world.settle()
    assert "nothing is sent" not in world.condition(WEB).message


async def test_a_lazy_policy_waits_for_the_template(world):
    await world.put(a_policy_with(activationPreference="Lazy"), WEB)
    await world.settle()
    before = world.binding(WEB).spec
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    await world.put(a_policy_with(2, ("ap",), activationPreference="Lazy"))
    await world.settle()
    assert world.binding(WEB).spec == before
    # The rules that are remembered speak on: a cluster that goes is replaced by them.
    await world.remove(a_cluster("us"))
    await world.settle()
    assert world.shares(WEB) == {"eu": 4}
    assert world.binding(WEB).spec.policy.generation == 1
    await world.put(a_deployment(replicas=5, generation=2))
    await world.settle()
    assert world.shares(WEB)["ap"] == 5
    assert world.binding(WEB).spec.policy.generation == 2


async def test_another_lazy_policy_takes_over_with_the_template_too(world):
    await world.put(a_policy_with(), WEB)
    await world.settle()
    other = copy(a_policy_with(names=("ap",), activationPreference="Lazy", priority=5))
    other["metadata"]["name"] = "other"
    await world.put(other)
    await world.settle()
    assert world.binding(WEB).spec.policy.name == "everywhere"
    await world.put(a_deployment(replicas=4, generation=2))
    await world.settle()
    assert world.binding(WEB).spec.policy.name == "other"


async def test_a_policy_that_is_lazy_no_longer_takes_effect_at_once(world):
    await world.put(a_policy_with(activationPreference="Lazy"), WEB)
    await world.settle()
    await world.put(a_policy_with(2, ("ap",)))
    await world.settle()
    assert world.shares(WEB)["ap"] == 4


BEFORE, AT, AFTER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"


def written(manifest, at):
    """The object as somebody last changed it at that time."""
    manifest = copy(manifest)
    entry = {"manager": "user", "operation": "Update", "time": at}
    manifest["metadata"] |= {"creationTimestamp": BEFORE, "managedFields": [entry]}
    return manifest


async def test_what_was_there_before_a_lazy_policy_waits_for_its_own_change(world):
    policy = written(a_policy_with(activationPreference="Lazy"), AT)
    await world.put(written(WEB, BEFORE), policy)
    await world.settle()
    assert world.binding(WEB) is None
    touched = written(WEB, AFTER)
    touched["metadata"]["annotations"] = {"touched": "yes"}
    await world.put(touched)
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}


async def test_a_label_of_the_template_is_a_change_of_it_too(world):
    await world.put(written(a_policy_with(activationPreference="Lazy"), BEFORE), WEB)
    await world.settle()
    await world.put(written(a_policy_with(2, ("ap",), activationPreference="Lazy"), AT))
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    labelled = written(WEB, AFTER)
    labelled["metadata"]["labels"] = {"touched": "yes"}
    await world.put(labelled)
    await world.settle()
    assert world.shares(WEB)["ap"] == 4


async def test_what_a_lazy_policy_placed_outlives_it_until_it_changes_itself(world):
    policy = a_policy_with(activationPreference="Lazy")
    await world.put(policy, WEB)
    await world.settle()
    await world.remove(policy)
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    await world.remove(a_cluster("us"))
    await world.settle()
    assert world.shares(WEB) == {"eu": 4}
    await world.put(a_deployment(replicas=5, generation=2))
    await world.settle()
    assert world.binding(WEB) is None or world.shares(WEB) == {}


async def test_a_lazy_policy_that_is_made_anew_waits_like_one_that_changed(world):
    policy = a_policy_with(activationPreference="Lazy")
    await world.put(policy, written(WEB, BEFORE))
    await world.settle()
    await world.remove(policy)
    await world.put(written(a_policy_with(names=("ap",), activationPreference="Lazy"), AT))
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}


async def test_a_binding_that_somebody_deletes_is_called_back_though_its_policy_is_lazy(world):
    """Nothing of the template or its policy changed, so nothing of it goes."""
    await world.put(a_policy_with(activationPreference="Lazy"), written(WEB, BEFORE))
    await world.settle()
    await world.put(written(a_policy_with(2, ("ap",), activationPreference="Lazy"), AT))
    await world.settle()
    stored = await world.store.get(world.binding_key(WEB))
    deleted = copy(stored.manifest)
    deleted["metadata"]["deletionTimestamp"] = AT
    await world.store.update(stored.key, deleted, expected=stored.revision)
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    assert world.binding(WEB).metadata.deletion_timestamp is None
