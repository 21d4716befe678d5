"""The scheduler's shell: bindings follow templates, policies and clusters, and nothing is lost."""

from contextlib import suppress
from datetime import timedelta

import pytest

from shared.api.meta import GROUP
from shared.apimachinery.manifest import ObjectKey, copy
from shared.errors import RetryableError, StaleRevision
from tests.unit.scheduler.scheduler_world import (
    START,
    SchedulerWorld,
    a_cluster,
    a_config_map,
    a_deployment,
    a_policy,
    divided,
    key_of,
    unreachable,
)

WEB = a_deployment()


@pytest.fixture
def world():
    return SchedulerWorld()


async def test_a_template_that_a_policy_selects_gets_a_binding_of_its_own(world):
    await world.put(a_cluster("eu-1"), a_cluster("us-1"), a_policy(), WEB)
    await world.settle()
    stored = world.store.mirror.get(ObjectKey(GROUP, "resourcebindings", "shop", "web-deployment"))
    metadata = stored.manifest["metadata"]
    (owner,) = metadata["ownerReferences"]
    assert owner["uid"] == "uid-web"
    assert owner["controller"] is True
    assert metadata["uid"]
    assert metadata["generation"] == 1
    assert stored.manifest["kind"] == "ResourceBinding"
    binding = world.binding(WEB)
    assert binding.spec.replicas == 3
    assert binding.spec.policy.name == "everywhere"
    assert world.shares(WEB) == {"eu-1": None, "us-1": None}
    assert (world.condition(WEB).status, world.condition(WEB).reason) == ("True", "Success")


async def test_a_cluster_scoped_template_is_bound_beside_it(world):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    await world.put(a_cluster("eu-1"), a_policy(namespace=""), namespace)
    await world.settle()
    key = ObjectKey(GROUP, "clusterresourcebindings", "", "shop-namespace")
    assert world.store.mirror.get(key).manifest["kind"] == "ClusterResourceBinding"


async def test_a_decision_is_written_once_and_told_once(world):
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    await world.settle()
    revision = world.store.mirror.get(world.binding_key(WEB)).revision
    world.woken.append(key_of(WEB))
    await world.settle()
    assert world.store.mirror.get(world.binding_key(WEB)).revision == revision
    (fact,) = world.outbox.facts
    assert (fact.name, fact.scheduled, fact.clusters[0].cluster) == ("web", True, "eu-1")


async def test_a_fact_that_was_not_told_before_a_crash_is_told_by_the_next_process(world):
    world.outbox.failing = True
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    with pytest.raises(RetryableError):
        await world.settle()
    world.outbox.failing = False
    world.start()
    await world.settle()
    world.start()
    await world.settle()
    first, again = world.outbox.messages
    assert first.headers["ce-id"] == again.headers["ce-id"], "a repeat is the same event"
    assert first.subject.startswith("hanse.events.placement.decided.")


@pytest.mark.parametrize("away", [False, True])
async def test_once_repeats_are_merged_no_more_a_fact_is_told_only_where_it_is_missing(world, away):
    world.outbox.failing = away
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    with suppress(RetryableError):
        await world.settle()
    world.outbox.failing = False
    for _ in range(2):
        world.clock.moment += timedelta(minutes=3)
        world.start()
        await world.settle()
    (fact,) = world.outbox.facts
    assert (fact.trigger == "") == away, "why is known to whoever decided alone"


async def test_what_was_decided_long_ago_is_not_told_again(world):
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    await world.settle()
    world.clock.moment += timedelta(hours=1)
    world.start()
    await world.settle()
    assert len(world.outbox.messages) == 1


async def test_deleting_the_template_deletes_the_binding(world):
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    await world.settle()
    await world.remove(WEB)
    await world.settle()
    assert world.binding(WEB) is None


async def test_a_template_that_went_while_nobody_looked_is_cleaned_up(world):
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    await world.settle()
    await world.remove(WEB)
    world.start()
    await world.settle()
    assert world.binding(WEB) is None


async def test_deleting_the_policy_deletes_the_binding_and_another_policy_takes_over(world):
    other = a_policy("zz", selectors=[{"apiVersion": "v1", "kind": "ConfigMap"}])
    await world.put(a_cluster("eu-1"), a_policy(), other, WEB, a_config_map())
    await world.settle()
    await world.remove(a_policy())
    await world.settle()
    assert world.binding(WEB) is None
    assert world.binding(a_config_map()).spec.policy.name == "zz"


async def test_a_closer_policy_takes_the_template_when_it_comes(world):
    await world.put(a_cluster("eu-1"), a_cluster("us-1"), a_policy(), WEB)
    await world.settle()
    selectors = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}]
    affinity = {"clusterNames": ["us-1"]}
    await world.put(a_policy("closer", selectors=selectors, clusterAffinity=affinity))
    await world.settle()
    assert world.binding(WEB).spec.policy.name == "closer"
    assert set(world.shares(WEB)) == {"us-1"}


class BlindMirror:
    """The mirror of such a store."""

    def __init__(self, mirror) -> None:
        self._mirror = mirror
        self.hidden = set()

    @property
    def revision(self):
        return self._mirror.revision

    def on_change(self, listener):
        return self._mirror.on_change(listener)

    def get(self, key):
        return None if key in self.hidden else self._mirror.get(key)

    def items(self, *scope: object):
        return [stored for stored in self._mirror.items(*scope) if stored.key not in self.hidden]


class LaggingStore:
    """A store whose mirror has not seen some keys yet."""

    def __init__(self, store) -> None:
        self._store = store
        self.mirror = BlindMirror(store.mirror)

    def __getattr__(self, name) -> object:
        return getattr(self._store, name)


@pytest.mark.parametrize(
    "hidden", [WEB, a_policy(), a_cluster("eu-1")], ids=lambda one: one["kind"]
)
async def test_not_seeing_something_deletes_nothing(world, hidden):
    await world.put(a_cluster("eu-1"), a_cluster("us-1"), a_policy(), WEB)
    await world.settle()
    before = world.binding(WEB)
    lagging = LaggingStore(world.store)
    lagging.mirror.hidden.add(key_of(hidden))
    behind = SchedulerWorld(lagging)
    with pytest.raises(StaleRevision, match="has not been seen yet"):
        await behind.settle()
    assert world.binding(WEB) == before


async def test_a_binding_that_has_not_been_seen_is_no_reason_to_give_up(world):
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    await world.settle()
    lagging = LaggingStore(world.store)
    lagging.mirror.hidden.add(world.binding_key(WEB))
    behind = SchedulerWorld(lagging)
    with pytest.raises(StaleRevision, match="has not been seen yet"):
        await behind.settle()


async def test_a_policy_that_cannot_be_read_moves_nothing_and_says_so(world):
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    await world.settle()
    before = world.binding(WEB)
    broken = a_policy(clusterAffinity={"labelSelector": {"matchLabels": {"-": "x"}}})
    await world.put(broken, a_cluster("us-1"))
    world.woken.append(key_of(WEB))
    await world.settle()
    assert world.binding(WEB) == before
    (condition,) = world.policy_status(a_policy())["conditions"]
    assert (condition["reason"], condition["status"]) == ("InvalidPolicy", "False")


async def test_a_cluster_that_cannot_be_read_keeps_what_it_has(world):
    await world.put(a_cluster("eu-1"), a_cluster("us-1"), a_policy(), WEB)
    await world.settle()
    broken = a_cluster("eu-1")
    broken["spec"] = {"mode": "Sideways"}
    await world.put(broken)
    await world.settle()
    assert set(world.shares(WEB)) == {"eu-1", "us-1"}


async def test_a_template_that_cannot_be_read_is_refused_and_what_runs_stays(world):
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    await world.settle()
    broken = a_deployment(cpu="lots", generation=2)
    await world.put(broken)
    await world.settle()
    condition = world.condition(WEB)
    assert (condition.status, condition.reason) == ("False", "InvalidTemplate")
    assert "containers[0].resources[cpu]" in condition.message
    assert set(world.shares(WEB)) == {"eu-1"}


async def test_health_keeps_its_part_of_the_status(world):
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    await world.settle()
    await world.report(WEB, eu_1=3)
    await world.put(a_deployment(replicas=5, generation=2))
    await world.settle()
    binding = world.binding(WEB)
    assert binding.spec.replicas == 5
    assert [one.cluster for one in binding.status.aggregated_status] == ["eu-1"]
    assert binding.metadata.generation == 2


async def test_a_heartbeat_wakes_nobody_and_free_room_only_those_who_wait(world):
    roomy = a_policy("room", selectors=[{"apiVersion": "apps/v1", "kind": "Deployment"}])
    roomy["spec"]["placement"] = {"replicaScheduling": divided(dynamic=True)}
    big = a_deployment("big", replicas=9, cpu="1")
    await world.put(a_cluster("eu-1", nodes=[{"cpu": "4", "pods": "9"}]), roomy, WEB, big)
    await world.settle()
    assert world.condition(big).reason == "Unschedulable"
    assert "no room for 5 of 9 replicas asking for cpu 1 each" in world.condition(big).message
    beat = a_cluster("eu-1", nodes=[{"cpu": "4", "pods": "9"}])
    beat["status"]["observedTime"] = "2026-03-01T12:00:10Z"
    await world.put(beat)
    assert world.woken == []
    await world.put(a_cluster("eu-1", nodes=[{"cpu": "16", "pods": "99"}]))
    assert world.woken == [key_of(big)]
    await world.settle()
    assert world.shares(big) == {"eu-1": 9}


async def test_a_status_of_the_template_wakes_nobody(world):
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    await world.settle()
    changed = copy(world.store.mirror.get(key_of(WEB)).manifest)
    changed["status"] = {"readyReplicas": 3}
    await world.put(changed)
    assert world.woken == []


async def test_a_silent_member_is_borne_for_a_while_and_then_replaced(world):
    policy = a_policy(replicaScheduling=divided())
    await world.put(a_cluster("eu-1"), a_cluster("us-1"), policy, a_deployment(replicas=4))
    await world.settle()
    await world.report(WEB, eu_1=2, us_1=2)
    await world.put(a_cluster("eu-1", ready=False, taints=[unreachable()]))
    await world.settle()
    assert world.shares(WEB) == {"eu-1": 2, "us-1": 2}
    assert world.again == {key_of(WEB): timedelta(seconds=30)}

    await world.wait(31)
    assert world.shares(WEB) == {"us-1": 4}
    assert world.leaving(WEB) == {"eu-1": 2}
    await world.report(WEB, eu_1="Unknown", us_1=4)
    assert world.leaving(WEB) == {}

    # It comes back: its share grows first, the other shrinks as that is seen.
    await world.put(a_cluster("eu-1"))
    await world.settle()
    assert world.shares(WEB) == {"eu-1": 2, "us-1": 4}
    await world.report(WEB, eu_1=1, us_1=4)
    assert world.shares(WEB) == {"eu-1": 2, "us-1": 3}
    await world.report(WEB, eu_1=2, us_1=3)
    assert world.shares(WEB) == {"eu-1": 2, "us-1": 2}


async def test_a_report_older_than_the_share_is_no_proof_of_it(world):
    policy = a_policy(replicaScheduling=divided())
    await world.put(a_cluster("eu-1"), a_cluster("us-1"), policy, a_deployment(replicas=4))
    await world.settle()
    await world.put(a_cluster("eu-1", ready=False, taints=[unreachable()]))
    await world.wait(31)
    await world.report(WEB, eu_1="Unknown", us_1=4)
    stale = copy(world.store.mirror.get(world.binding_key(WEB)).manifest)
    world.clock.moment += timedelta(seconds=60)
    await world.put(a_cluster("eu-1"))
    await world.settle()
    # Health repeats what eu-1 said before it was lost.
    old = {
        "cluster": "eu-1",
        "applied": True,
        "health": "Healthy",
        "status": {"availableReplicas": 2},
    }
    old["observedTime"] = START.isoformat()
    us = stale["status"]["aggregatedStatus"][1]
    stored = world.store.mirror.get(world.binding_key(WEB))
    manifest = copy(stored.manifest)
    manifest["status"]["aggregatedStatus"] = [old, us]
    await world.store.update(stored.key, manifest, expected=stored.revision)
    await world.settle()
    assert world.shares(WEB) == {"eu-1": 2, "us-1": 4}
    # If clocks disagree for ever, it counts in the end.
    await world.wait(61)
    assert world.shares(WEB) == {"eu-1": 2, "us-1": 2}


async def test_a_cluster_that_left_simply_goes(world):
    policy = a_policy(replicaScheduling=divided())
    await world.put(a_cluster("eu-1"), a_cluster("us-1"), policy, a_deployment(replicas=4))
    await world.settle()
    await world.remove(a_cluster("eu-1"))
    await world.settle()
    assert world.shares(WEB) == {"us-1": 4}
    assert world.leaving(WEB) == {}


async def test_a_kind_that_a_definition_brings_follows_it(world):
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com", "uid": "u"},
        "spec": {"group": "example.com", "names": {"kind": "Widget", "plural": "widgets"}},
    }
    widget = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "one", "namespace": "shop", "uid": "w"},
    }
    serving = a_cluster("eu-1")
    kinds = [{"name": "customresourcedefinitions", "kind": "CustomResourceDefinition"}]
    serving["status"]["apiEnablements"] = [
        {"groupVersion": "apiextensions.k8s.io/v1", "resources": kinds}
    ]
    await world.put(serving, a_policy(namespace=""), widget)
    await world.settle()
    assert world.condition(widget).reason == "NoClusterFit"
    assert "does not serve example.com/v1 Widget" in world.condition(widget).message
    await world.put(definition)
    await world.settle()
    assert world.shares(widget) == {"eu-1": None}


async def test_a_deleted_binding_is_made_again(world):
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    await world.settle()
    stored = world.store.mirror.get(world.binding_key(WEB))
    await world.store.delete(stored.key, stored.manifest, expected=stored.revision)
    await world.settle()
    assert set(world.shares(WEB)) == {"eu-1"}


async def test_a_foreground_deletion_takes_the_binding_first(world):
    await world.put(a_cluster("eu-1"), a_policy(), WEB)
    await world.settle()
    going = copy(WEB)
    going["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    going["metadata"]["finalizers"] = ["foregroundDeletion"]
    await world.put(going)
    await world.settle()
    assert world.binding(WEB) is None


async def test_policies_say_how_much_they_select(world):
    idle = a_policy("idle", selectors=[{"apiVersion": "batch/v1", "kind": "Job"}])
    await world.put(a_cluster("eu-1"), a_policy(), idle, WEB, a_config_map())
    await world.settle()
    assert world.policy_status(a_policy())["selected"] == 2
    (condition,) = world.policy_status(idle)["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "Selecting",
        "False",
        "NothingSelected",
    )
    await world.remove(WEB)
    await world.remove(a_config_map())
    await world.settle()
    assert world.policy_status(a_policy()).get("selected", 0) == 0
