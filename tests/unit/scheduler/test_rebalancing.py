"""Workloads that are placed anew because a WorkloadRebalancer says so, each once."""

import pytest

from services.scheduler.reconcilers.rebalances import RebalancerReconciler, rebalancer_keys
from shared.api.meta import API_VERSION, read
from shared.api.rebalancer import WorkloadRebalancer
from shared.apimachinery.manifest import copy
from shared.controller.result import Again
from shared.store.port import Change, ChangeType
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_config_map,
    a_deployment,
    a_policy,
    divided,
    key_of,
)

WEB = a_deployment(replicas=4, cpu="1")
WEB_NAMED = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"}
ROOM = {"cpu": "8", "pods": "50"}
CREATED = "2026-03-01T12:00:05Z"


def a_rebalancer(*workloads, ttl=None, created=CREATED, name="again"):
    spec = {"workloads": list(workloads)}
    if ttl is not None:
        spec["ttlSecondsAfterFinished"] = ttl
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkloadRebalancer",
        "metadata": {"name": name, "generation": 1, "creationTimestamp": created},
        "spec": spec,
    }


class World(SchedulerWorld):
    """Runs rebalancers beside the rest."""

    def start(self):
        super().start()
        self.rebalancers = RebalancerReconciler(
            self.store, self.federation, self.asked, self.clock, self.woken.append
        )

    async def rebalance(self, rebalancer):
        """Reconcile it until it asks for nothing more now; returns its status."""
        for _ in range(9):
            result = await self.rebalancers.reconcile(key_of(rebalancer))
            if not self.woken:
                break
            await self.settle()
        self.result = result
        return self.status(rebalancer)

    def status(self, rebalancer):
        stored = self.store.mirror.get(key_of(rebalancer))
        return read(stored.manifest, WorkloadRebalancer).status if stored is not None else None


@pytest.fixture
async def world():
    """Four replicas by room, all in eu: us joined afterwards."""
    found = World()
    by_room = a_policy(replicaScheduling=divided(dynamic=True))
    await found.put(a_cluster("eu", nodes=[{"cpu": "4", "pods": "50"}]), by_room, WEB)
    await found.settle()
    await found.report(WEB, eu=4)
    await found.put(
        a_cluster("eu", nodes=[{"cpu": "0", "pods": "46"}]), a_cluster("us", nodes=[ROOM])
    )
    await found.settle()
    # Those under way are in the rooms by now.
    await found.wait(121)
    assert found.shares(WEB) == {"eu": 4}
    return found


async def test_it_goes_where_it_would_go_if_it_were_new_and_nothing_is_lost_on_the_way(world):
    again = a_rebalancer(WEB_NAMED)
    await world.put(again)
    status = await world.rebalance(again)
    assert [(one.result, one.reason) for one in status.observed_workloads] == [("Successful", "")]
    assert status.finish_time == "2026-03-01T12:02:01Z"
    assert world.shares(WEB) == {"eu": 4, "us": 3}
    assert world.outbox.facts[-1].trigger == "Rebalanced"
    await world.report(WEB, eu=4, us=3)
    assert world.shares(WEB) == {"eu": 1, "us": 3}
    assert world.binding(WEB).spec.rebalancing == {}


async def test_it_is_done_once_whoever_looks_again(world):
    again = a_rebalancer(WEB_NAMED)
    await world.put(again)
    await world.rebalance(again)
    await world.report(WEB, eu=4, us=3)
    written = world.binding(WEB)
    world.start()
    await world.settle()
    await world.rebalance(again)
    assert world.shares(WEB) == {"eu": 1, "us": 3}
    assert world.binding(WEB) == written


async def test_a_process_that_begins_goes_on_where_another_ended(world):
    again = a_rebalancer(WEB_NAMED)
    await world.put(again)
    await world.rebalancers.reconcile(key_of(again))
    assert world.status(again).finish_time is None
    world.start()
    await world.settle()
    assert world.shares(WEB) == {"eu": 4}
    await world.rebalance(again)
    assert world.shares(WEB) == {"eu": 4, "us": 3}


async def test_what_is_not_there_fails_and_the_others_go_on(world):
    named = [{**WEB_NAMED, "name": "nobody"}, {**WEB_NAMED, "namespace": "other"}, WEB_NAMED]
    again = a_rebalancer(*named)
    await world.put(again)
    status = await world.rebalance(again)
    found = {
        (one.workload.namespace, one.workload.name): (one.result, one.reason)
        for one in status.observed_workloads
    }
    assert found == {
        ("shop", "nobody"): ("Failed", "ReferencedBindingNotFound"),
        ("other", "web"): ("Failed", "ReferencedBindingNotFound"),
        ("shop", "web"): ("Successful", ""),
    }


async def test_what_is_named_later_is_done_and_what_was_done_is_remembered(world):
    settings = a_config_map()
    await world.put(settings)
    await world.settle()
    again = a_rebalancer(WEB_NAMED)
    await world.put(again)
    await world.rebalance(again)
    stored = await world.store.get(key_of(again))
    changed = copy(stored.manifest)
    changed["metadata"]["generation"] = 2
    changed["spec"]["workloads"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "settings"}
    ]
    await world.store.update(stored.key, changed, expected=stored.revision)
    status = await world.rebalance(again)
    assert {one.workload.kind: one.result for one in status.observed_workloads} == {
        "ConfigMap": "Successful",
        "Deployment": "Successful",
    }
    assert status.observed_generation == 2


async def test_an_older_rebalancer_does_nothing_after_a_newer_one(world):
    newer = a_rebalancer(WEB_NAMED)
    await world.put(newer)
    await world.rebalance(newer)
    older = a_rebalancer(WEB_NAMED, created="2026-03-01T12:00:04Z", name="older")
    await world.put(older)
    status = await world.rebalance(older)
    assert status.observed_workloads[0].result == "Successful"
    assert world.binding(WEB).spec.reschedule_triggered_at == CREATED


async def test_it_goes_when_its_time_is_over(world):
    again = a_rebalancer(WEB_NAMED, ttl=60)
    await world.put(again)
    await world.rebalance(again)
    assert isinstance(world.result, Again)
    assert world.result.after.total_seconds() == 60
    world.clock.moment += world.result.after
    await world.rebalance(again)
    assert world.status(again) is None


async def test_its_own_status_wakes_nobody(world):
    again = a_rebalancer(WEB_NAMED)
    await world.put(again)
    before = await world.store.get(key_of(again))
    await world.rebalance(again)
    after = await world.store.get(key_of(again))
    assert not rebalancer_keys(Change(ChangeType.MODIFIED, after, before))
    assert rebalancer_keys(Change(ChangeType.ADDED, before)) == (key_of(again),)
