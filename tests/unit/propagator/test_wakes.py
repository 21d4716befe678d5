"""Which changes of a template make dispatch look at it."""

from collections.abc import AsyncIterator

import pytest

from services.propagator.dispatch.bindings import BindingIndex
from services.propagator.dispatch.orders import ParsedObjects
from services.propagator.dispatch.wakes import Wakes
from services.propagator.dispatch.work_log import WorkLog
from shared.api.meta import API_VERSION, GROUP
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.memory import MemoryBus
from shared.store.memory import MemoryStore

KEY = ObjectKey("apps", "deployments", "shop", "web")
BINDING = ObjectKey(GROUP, "resourcebindings", "shop", "web-deployment")


def template(generation: int, **labels: str) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u",
            "generation": generation,
            "labels": labels,
        },
        "spec": {"replicas": generation},
    }


def binding(generation: int) -> Manifest:
    resource = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "resource": "deployments",
        "namespace": "shop",
        "name": "web",
        "uid": "u",
        "generation": generation,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "ResourceBinding",
        "metadata": {"name": BINDING.name, "namespace": "shop"},
        "spec": {
            "resource": resource,
            "policy": {"kind": "PropagationPolicy", "name": "p"},
            "clusters": [{"name": "eu-1"}],
        },
    }


HEAD = {"apiVersion": "hanse.dev/v1alpha1"}


class Watched:
    """A store with a template and its binding, and what its changes wake."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.woken: list[ObjectKey] = []

    async def write(self, key: ObjectKey, manifest: Manifest) -> None:
        stored = await self.store.get(key)
        if stored is None:
            await self.store.create(key, manifest)
        else:
            await self.store.update(key, manifest, expected=stored.revision)

    async def wakes(self, key: ObjectKey, manifest: Manifest) -> bool:
        self.woken.clear()
        await self.write(key, manifest)
        return bool(self.woken)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    found = Watched()
    await found.write(KEY, template(1))
    await found.write(BINDING, binding(1))
    mirror = found.store.mirror
    bindings = BindingIndex(found.store)
    wakes = Wakes(mirror, bindings, WorkLog(MemoryBus()), ParsedObjects(mirror))
    mirror.on_change(lambda change: found.woken.extend(wakes.keys(change)))
    yield found
    bindings.close()


async def test_new_contents_wake_once_the_scheduler_has_seen_them(watched: Watched) -> None:
    assert not await watched.wakes(KEY, template(2))
    assert await watched.wakes(BINDING, binding(2))


async def test_what_the_scheduler_need_not_see_wakes_at_once(watched: Watched) -> None:
    assert await watched.wakes(KEY, template(1, tier="gold"))


async def test_a_status_wakes_nobody(watched: Watched) -> None:
    assert not await watched.wakes(KEY, template(1) | {"status": {"replicas": 1}})


async def test_a_group_wakes_what_it_is_named_for(watched: Watched) -> None:
    key = ObjectKey("hanse.dev", "clustergroups", "", "gold")

    def group(*names: str, namespaces: tuple[str, ...] = ()) -> Manifest:
        spec = {"clusterNames": list(names), "namespaces": list(namespaces)}
        return {**HEAD, "kind": "ClusterGroup", "metadata": {"name": "gold"}, "spec": spec}

    assert not await watched.wakes(key, group("eu-1"))
    rule = {"targetCluster": {"clusterGroups": ["gold"]}, "overriders": {}}
    policy = {
        **HEAD,
        "kind": "OverridePolicy",
        "metadata": {"name": "p", "namespace": KEY.namespace},
        "spec": {"overrideRules": [rule]},
    }
    await watched.write(ObjectKey("hanse.dev", "overridepolicies", KEY.namespace, "p"), policy)
    assert await watched.wakes(key, group("us-1"))
    assert watched.woken == [KEY]
    assert not await watched.wakes(key, {**group("us-1"), "status": {"x": 1}})


async def test_a_member_that_is_ready_again_wakes_what_waits_for_it_in_stages(
    watched: Watched,
) -> None:
    """It may have reported before: nothing else tells that its word counts again."""
    key = ObjectKey(GROUP, "clusters", "", "eu-1")

    def cluster(ready: str, time: str = "1") -> Manifest:
        conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": time}]
        status = {"conditions": conditions}
        return {**HEAD, "kind": "Cluster", "metadata": {"name": "eu-1"}, "status": status}

    await watched.write(key, cluster("Unknown"))
    assert not await watched.wakes(key, cluster("True")), "nothing is staged"
    staged = binding(1)
    staged["spec"]["rollout"] = {"stages": [{"name": "all"}]}
    await watched.write(BINDING, staged)
    assert await watched.wakes(key, cluster("Unknown"))
    assert await watched.wakes(key, cluster("True"))
    assert watched.woken == [KEY]
    assert not await watched.wakes(key, cluster("True", "2"))
