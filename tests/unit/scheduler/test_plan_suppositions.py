"""What a plan may suppose: quotas, what is deleted, and what of it costs."""

import pytest

from shared.apiserver.status_errors import ApiFault
from shared.events.planning import SupposedAbsence, SupposedTemplate
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    divided,
)
from tests.unit.scheduler.test_placed_together import planned, with_price
from tests.unit.scheduler.test_quotas import a_quota

WEB = a_deployment(replicas=4, cpu="1")
API = a_deployment("api", replicas=2, cpu="1")
ROOM = [{"cpu": "8", "pods": "50"}]


async def a_world(*templates):
    world = SchedulerWorld()
    await world.put(
        with_price(a_cluster("eu-1", nodes=ROOM * 2), "2"),
        with_price(a_cluster("us-1", nodes=ROOM), "1"),
        a_policy(replicaScheduling=divided({"eu-1": 1, "us-1": 1})),
        *templates,
    )
    await world.settle()
    return world


def absent(resource, name, group="hanse.dev", namespace="shop"):
    return SupposedAbsence(group=group, resource=resource, namespace=namespace, name=name)


def new(*templates):
    return tuple(
        SupposedTemplate(resource="deployments", namespace="shop", manifest=one)
        for one in templates
    )


async def test_a_quota_that_is_supposed_bounds_what_is_new_all_together():
    world = await a_world(WEB)
    # Of six cores four are taken: the first of two newcomers takes the rest.
    plan = await planned(world, objects=(a_quota(cpu="6"),), templates=new(API, other := again()))
    fits = {one.name: (one.fits, one.reason) for one in plan.changes}
    assert fits == {"api": (True, "Success"), other["metadata"]["name"]: (False, "QuotaExceeded")}
    # What is placed stays, and without the quota all of it fits.
    assert all(one.fits for one in (await planned(world, templates=new(API, other))).changes)


def again():
    return a_deployment("later", replicas=1, cpu="1")


async def test_a_quota_that_there_is_counts_what_the_plan_itself_places():
    world = await a_world(a_quota(cpu="6"), WEB)
    plan = await planned(world, templates=new(API, again()))
    assert {one.name: one.fits for one in plan.changes} == {"api": True, "later": False}
    plan = await planned(
        world,
        templates=new(API, again()),
        without=(absent("federatedresourcequotas", "team"),),
    )
    assert all(one.fits for one in plan.changes)


async def test_what_is_deleted_gives_back_what_it_takes_of_a_quota():
    world = await a_world(a_quota(cpu="6"), WEB)
    gone = absent("deployments", "web", group="apps")
    plan = await planned(world, templates=new(API, again()), without=(gone,))
    changes = {one.name: (one.fits, one.reason) for one in plan.changes}
    assert changes["later"] == (True, "Success")
    assert changes["web"] == (True, "Deleted")
    # Two of four in each, at 2 and 1; then one of two, and one somewhere.
    assert (plan.cost_before, plan.interrupted) == (6.0, 4)


async def test_a_policy_that_is_deleted_leaves_its_objects_to_others_or_to_nobody():
    world = await a_world(WEB)
    gone = absent("propagationpolicies", "everywhere")
    plan = await planned(world, without=(gone,))
    (change,) = plan.changes
    assert (change.reason, change.interrupted, plan.unplaced) == ("NotSelected", 4, 1)
    west = a_policy("west", "", clusterAffinity={"clusterNames": ["us-1"]})
    await world.put(west)
    await world.settle()
    plan = await planned(world, without=(gone,))
    (change,) = plan.changes
    assert plan.unplaced == 0
    assert (change.policy, [one.cluster for one in change.after]) == ("west", ["us-1"])
    assert world.shares(WEB) == {"eu-1": 2, "us-1": 2}


@pytest.mark.parametrize(
    ("gone", "code"),
    [
        (absent("propagationpolicies", "none"), 404),
        (absent("deployments", "none", group="apps"), 404),
        (absent("clusters", "eu-1", namespace=""), 400),
    ],
)
async def test_what_cannot_be_deleted(gone, code):
    world = await a_world()
    with pytest.raises(ApiFault) as refused:
        await planned(world, without=(gone,))
    assert refused.value.code == code


async def test_a_template_alone_is_looked_at_and_nothing_else():
    world = await a_world(WEB, API)
    more = a_deployment(replicas=6, cpu="1")
    plan = await planned(world, templates=new(more), only_templates=True)
    assert (plan.templates, [one.name for one in plan.changes]) == (1, ["web"])
    assert plan.cost_before == 6.0


async def test_a_device_that_no_node_has_is_told_though_nothing_moves():
    world = await a_world(WEB)
    asking = a_deployment(replicas=4, cpu="1", generation=2)
    container = asking["spec"]["template"]["spec"]["containers"][0]
    container["resources"]["requests"]["nvidia.com/gpu"] = "1"
    (change,) = (await planned(world, templates=new(asking))).changes
    note = "no node of eu-1, us-1 has nvidia.com/gpu: its pods start nowhere there"
    assert (change.before, change.notes) == (change.after, (note,))
    await world.put(asking)
    await world.settle()
    assert note in world.condition(WEB).message
    assert world.outbox.facts[-1].notes == (note,)
    # What is said already is no news.
    assert not (await planned(world)).changes


async def test_a_daemonset_costs_a_pod_for_each_node():
    agent = {**a_deployment("agent", cpu="500m"), "kind": "DaemonSet"}
    del agent["spec"]["replicas"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "single", "namespace": "shop"},
        "spec": WEB["spec"]["template"]["spec"],
    }
    world = await a_world()
    supposed = [
        SupposedTemplate(resource=resource, namespace="shop", manifest=one)
        for resource, one in (("daemonsets", agent), ("pods", pod))
    ]
    plan = await planned(world, templates=tuple(supposed))
    costs = {one.name: (one.cost_before, one.cost_after) for one in plan.changes}
    # Two nodes at 2 and one at 1, half a core each; the pod is whole in both clusters.
    assert costs == {"agent": (0.0, 2.5), "single": (0.0, 3.0)}
