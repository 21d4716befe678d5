"""Quotas of namespaces and of groups of clusters, as they are kept in decisions."""

import pytest

from services.scheduler.reconcilers.quotas import QuotaReconciler
from shared.api.binding import BindingSpec
from shared.api.cluster_group import ClusterGroup
from shared.api.meta import API_VERSION, read
from shared.api.quota import FederatedResourceQuota
from shared.errors import StaleRevision
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    divided,
    key_of,
)

WEB = a_deployment(replicas=4, cpu="1")
API = a_deployment("api", replicas=4, cpu="1")


def a_quota(*, namespace="shop", assignments=None, **overall: str):
    spec = {"overall": overall}
    if assignments:
        spec["staticAssignments"] = [
            {"clusterName": name, "hard": hard} for name, hard in assignments.items()
        ]
    return {
        "apiVersion": API_VERSION,
        "kind": "FederatedResourceQuota",
        "metadata": {"name": "team", "namespace": namespace, "generation": 1},
        "spec": spec,
    }


def a_group(*, namespaces=(), clusters=("eu",), **hard: str):
    return {
        "apiVersion": API_VERSION,
        "kind": "ClusterGroup",
        "metadata": {"name": "europe", "generation": 1},
        "spec": {
            "clusterNames": list(clusters),
            "namespaces": list(namespaces),
            "quota": {"hard": hard},
        },
    }


async def a_world(*objects: dict, **placement: object):
    world = SchedulerWorld()
    policy = a_policy(**(placement or {"replicaScheduling": divided()}))
    await world.put(a_cluster("eu"), a_cluster("us"), policy, *objects)
    await world.settle()
    return world


async def status(world, manifest, struct):
    await QuotaReconciler(world.store, world.federation).reconcile(key_of(manifest))
    return read(world.store.mirror.get(key_of(manifest)).manifest, struct).status


async def test_what_exceeds_the_quota_of_its_namespace_waits_until_there_is_room():
    world = await a_world(a_quota(cpu="6"))
    await world.put(WEB)
    await world.settle()
    await world.put(API)
    await world.settle()
    assert world.condition(API).reason == "QuotaExceeded"
    assert world.condition(API).message.startswith("quota shop/team leaves 2 of 4 replicas")
    await world.put(a_deployment(replicas=2, cpu="1", generation=2))
    await world.settle()
    assert world.shares(API) == {"eu": 2, "us": 2}


async def test_a_quota_that_is_raised_or_goes_lets_it_in():
    quota = a_quota(cpu="2")
    world = await a_world(quota, WEB)
    assert world.condition(WEB).reason == "QuotaExceeded"
    await world.put(a_quota(cpu="4"))
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    await world.put(API)
    await world.settle()
    assert world.condition(API).reason == "QuotaExceeded"
    await world.remove(quota)
    await world.settle()
    assert world.shares(API) == {"eu": 2, "us": 2}


async def test_other_namespaces_are_not_bound_by_it():
    world = await a_world(a_quota(namespace="other", cpu="1"), WEB)
    assert world.shares(WEB) == {"eu": 2, "us": 2}


async def test_each_copy_counts():
    world = await a_world(a_quota(cpu="6"), WEB, replicaScheduling=None)
    assert len(world.shares(WEB)) == 1
    rejected = {one.cluster: one.code for one in world.outbox.facts[-1].rejected}
    assert list(rejected.values()) == ["QuotaExceeded"]


async def test_an_assignment_bounds_one_cluster():
    quota = a_quota(cpu="9", assignments={"eu": {"cpu": "1"}})
    world = await a_world(quota, WEB)
    assert world.shares(WEB) == {"eu": 1, "us": 3}
    found = await status(world, quota, FederatedResourceQuota)
    assert (found.overall_used, found.aggregated_status[0].used) == ({"cpu": "4"}, {"cpu": "1"})


async def test_a_group_gets_no_more_than_its_quota_whoever_asks():
    group = a_group(cpu="3")
    world = await a_world(group, WEB, API)
    found = [world.shares(WEB).get("eu", 0), world.shares(API).get("eu", 0)]
    assert sum(found) == 3
    assert (await status(world, group, ClusterGroup)).quota.used == {"cpu": "3"}


async def test_a_group_with_namespaces_counts_what_is_theirs():
    other = a_deployment("far", "other", replicas=4, cpu="1")
    group = a_group(namespaces=("shop",), clusters=("eu", "us"), cpu="4")
    world = await a_world(group, a_policy(namespace="other", replicaScheduling=divided()), other)
    await world.put(WEB)
    await world.settle()
    assert (world.shares(other), world.shares(WEB)) == ({"eu": 2, "us": 2}, {"eu": 2, "us": 2})
    assert (await status(world, group, ClusterGroup)).quota.used == {"cpu": "4"}


async def test_a_group_without_a_quota_any_more_says_nothing_of_it():
    group = a_group(cpu="3")
    world = await a_world(group, WEB)
    assert (await status(world, group, ClusterGroup)).quota is not None
    del group["spec"]["quota"]
    await world.put(group)
    await world.settle()
    assert (await status(world, group, ClusterGroup)).quota is None


async def test_a_process_that_begins_knows_what_is_used():
    world = await a_world(a_quota(cpu="6"), WEB)
    world.start()
    await world.settle()
    await world.put(API)
    await world.settle()
    assert world.condition(API).reason == "QuotaExceeded"


def a_spec(**shares: int):
    resource = {"apiVersion": "apps/v1", "kind": "Deployment", "resource": "deployments"}
    spec = {
        "resource": {**resource, "namespace": "shop", "name": "web"},
        "replicas": sum(shares.values()),
        "clusters": [{"name": name, "replicas": share} for name, share in shares.items()],
    }
    return read(spec, BindingSpec)


async def test_of_two_decisions_at_the_same_time_the_second_is_made_again():
    world = await a_world(a_quota(cpu="6"), WEB)
    key, fleet = world.federation.bound(key_of(WEB)).stored.key, world.federation.fleet()
    with (
        pytest.raises(StaleRevision, match="quota shop/team left has been taken"),
        world.federation.writing(key, a_spec(eu=5, us=2), fleet),
    ):
        pass


async def test_what_was_not_written_is_not_used():
    quota = a_quota(cpu="6")
    world = await a_world(quota, WEB)
    key, fleet = world.federation.bound(key_of(WEB)).stored.key, world.federation.fleet()
    with pytest.raises(RuntimeError), world.federation.writing(key, a_spec(eu=1), fleet):
        raise RuntimeError("not written")
    assert (await status(world, quota, FederatedResourceQuota)).overall_used == {"cpu": "4"}
