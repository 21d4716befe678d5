"""The scheduler's shell follows groups of clusters, and workloads that speak of one another."""

import pytest

from shared.api.meta import API_VERSION
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    key_of,
)

WEB = a_deployment(labels={"set": "x"})
API = a_deployment("api", labels={"set": "x"})
OTHER = a_deployment("other", labels={"set": "y"})
APART = {"antiAffinity": {"groupByLabelKey": "set"}}
ONE = [{"spreadByField": "cluster", "maxGroups": 1}]


def a_group(name="team", **spec):
    return {
        "apiVersion": API_VERSION,
        "kind": "ClusterGroup",
        "metadata": {"name": name},
        "spec": spec,
    }


@pytest.fixture
def world():
    return SchedulerWorld()


async def test_a_namespace_sees_the_clusters_of_its_groups(world):
    await world.put(a_cluster("eu-1"), a_cluster("us-1"), a_policy(), WEB)
    await world.settle()
    await world.put(a_group(clusterNames=["us-1"], namespaces=["shop"]))
    await world.settle()
    assert world.shares(WEB) == {"us-1": None}
    assert world.leaving(WEB) == {"eu-1": None}
    await world.remove(a_group())
    await world.settle()
    assert set(world.shares(WEB)) == {"eu-1", "us-1"}


async def test_a_cluster_that_changes_its_labels_changes_its_groups(world):
    group = a_group(labelSelector={"matchLabels": {"env": "prod"}})
    policy = a_policy(clusterAffinity={"clusterGroups": ["team"]})
    await world.put(group, a_cluster("eu-1", labels={"env": "prod"}), a_cluster("us-1"))
    await world.put(policy, WEB)
    await world.settle()
    assert world.shares(WEB) == {"eu-1": None}
    await world.put(a_cluster("us-1", labels={"env": "prod"}))
    await world.settle()
    assert world.shares(WEB) == {"eu-1": None, "us-1": None}


async def test_a_group_that_changes_moves_what_is_placed_by_it(world):
    policy = a_policy(clusterAffinity={"clusterGroups": ["team"]})
    await world.put(a_group(clusterNames=["eu-1"]), a_cluster("eu-1"), a_cluster("us-1"))
    await world.put(policy, WEB)
    await world.settle()
    await world.put(a_group(clusterNames=["us-1"]))
    await world.settle()
    assert world.shares(WEB) == {"us-1": None}


async def test_a_group_that_cannot_be_read_stays_as_it_was(world):
    await world.put(a_group(clusterNames=["us-1"], namespaces=["shop"]), a_policy(), WEB)
    await world.put(a_cluster("eu-1"), a_cluster("us-1"))
    await world.settle()
    malformed = {"matchExpressions": [{"key": "a", "operator": "In"}]}
    await world.put(a_group(labelSelector=malformed))
    await world.settle()
    assert world.shares(WEB) == {"us-1": None}


async def test_another_process_knows_groups_before_it_decides(world):
    await world.put(a_group(clusterNames=["us-1"], namespaces=["shop"]), a_policy(), WEB)
    await world.put(a_cluster("eu-1"), a_cluster("us-1"))
    world.start()
    await world.settle()
    assert world.shares(WEB) == {"us-1": None}


async def test_what_goes_leaves_its_place_to_those_that_kept_away(world):
    policy = a_policy(workloadAffinity=APART, spreadConstraints=ONE)
    await world.put(a_cluster("eu-1"), policy, API)
    await world.settle()
    await world.put(WEB, OTHER)
    await world.settle()
    assert world.condition(WEB).reason == "NoClusterFit"
    assert world.shares(OTHER) == {"eu-1": None}
    await world.remove(API)
    await world.settle()
    assert world.shares(WEB) == {"eu-1": None}


async def test_two_that_decided_at_once_step_apart_and_come_to_rest(world):
    policy = a_policy(workloadAffinity=APART, spreadConstraints=ONE)
    await world.put(a_cluster("eu-1"), policy, API, WEB)
    await world.settle()
    await world.put(a_cluster("us-1"))
    world.woken += [key_of(WEB), key_of(API)]
    await world.settle()
    assert {*world.shares(WEB), *world.shares(API)} == {"eu-1", "us-1"}


async def test_followers_go_where_the_first_goes(world):
    policy = a_policy(
        workloadAffinity={"affinity": {"groupByLabelKey": "set"}}, spreadConstraints=ONE
    )
    await world.put(a_cluster("eu-1"), a_cluster("us-1"), policy, API)
    await world.settle()
    await world.put(WEB)
    await world.settle()
    assert world.shares(WEB) == world.shares(API)


async def test_who_gets_another_label_is_seen_by_those_that_keep_away_from_it(world):
    policy = a_policy(workloadAffinity=APART, spreadConstraints=ONE)
    await world.put(a_cluster("eu-1"), a_cluster("us-1"), policy, API, OTHER)
    await world.settle()
    together = world.shares(API) == world.shares(OTHER)
    if not together:
        (elsewhere,) = world.shares(API)
        away = "us-1" if elsewhere == "eu-1" else "eu-1"
        await world.put(a_cluster(away, leaving="Remove"))
        await world.settle()
        await world.put(a_cluster(away))
        await world.settle()
    assert world.shares(API) == world.shares(OTHER)
    # The one that comes later in the order of names steps aside.
    changed = a_deployment("api", labels={"set": "y"}, generation=1)
    await world.put(changed)
    await world.settle()
    assert world.shares(API).keys() != world.shares(OTHER).keys()
