"""What moves what is placed, where a policy switches some of it off."""

from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    divided,
)

WEB = a_deployment(replicas=4)


def a_policy_without(*switches, generation=1, **placement: object):
    policy = a_policy(**{"replicaScheduling": divided(), **placement})
    policy["metadata"]["generation"] = generation
    policy["spec"]["reschedulePolicy"] = {"rescheduleWhen": dict.fromkeys(switches, False)}
    return policy


async def a_world(*switches, **placement: object):
    world = SchedulerWorld()
    await world.put(a_cluster("eu"), a_cluster("us"), a_policy_without(*switches, **placement), WEB)
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    return world


async def test_a_cluster_that_joins_waits_for_a_change_of_the_object():
    world = await a_world("clusterJoined")
    await world.put(a_cluster("ap"))
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    assert "not to move it for a cluster that joined" in world.condition(WEB).message
    await world.put(a_deployment(replicas=6, generation=2))
    await world.settle()
    assert world.shares(WEB) == {"ap": 2, "eu": 2, "us": 2}


async def test_another_placement_waits_and_the_rest_of_the_policy_does_not():
    world = await a_world("policyContentChanged")
    changed = a_policy_without(
        "policyContentChanged", generation=2, clusterAffinity={"clusterNames": ["us"]}
    )
    changed["spec"]["conflictResolution"] = "Overwrite"
    await world.put(changed)
    await world.settle()
    spec = world.binding(WEB).spec
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    assert (spec.conflict_resolution, spec.policy.generation) == ("Overwrite", 2)
    await world.put(a_deployment(replicas=4, generation=2))
    await world.settle()
    assert world.leaving(WEB) == {"eu": 2}


async def test_labels_of_a_cluster_wait_too():
    prod = {"labelSelector": {"matchLabels": {"env": "prod"}}}
    world = SchedulerWorld()
    clusters = [a_cluster(name, labels={"env": "prod"}) for name in ("eu", "us")]
    policy = a_policy_without("clusterLabelsChanged", clusterAffinity=prod)
    await world.put(*clusters, policy, WEB)
    await world.settle()
    await world.put(a_cluster("eu", labels={"env": "test"}))
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    assert not world.leaving(WEB)


async def test_what_found_no_place_is_not_tried_again():
    world = SchedulerWorld()
    policy = a_policy_without("capacityChanged", replicaScheduling=divided(dynamic=True))
    web = a_deployment(replicas=4, cpu="1")
    await world.put(a_cluster("eu", nodes=[{"cpu": "1", "pods": "9"}]), policy, web)
    await world.settle()
    await world.put(a_cluster("eu", nodes=[{"cpu": "9", "pods": "9"}]))
    await world.settle()
    assert world.shares(web) == {}
    assert "not to try again" in world.condition(web).message
    await world.put(a_deployment(replicas=4, cpu="1", generation=2))
    await world.settle()
    assert world.shares(web) == {"eu": 4}


async def test_what_has_begun_to_move_goes_on():
    world = await a_world("clusterTainted", "clusterLabelsChanged")
    await world.put(a_cluster("eu", leaving="Move"))
    await world.settle()
    assert world.leaving(WEB) == {"eu": 2}
    await world.report(WEB, us=4, eu=2)
    assert (world.shares(WEB), world.leaving(WEB)) == ({"us": 4}, {})
