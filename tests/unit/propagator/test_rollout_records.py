"""A rollout that somebody else moved on is looked at: a predecessor's last write may come late."""

from services.propagator.dispatch.rollouts.records import RolloutRecords
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.store.memory import MemoryStore

ROLLOUT = ObjectKey("hanse.dev", "resourcerollouts", "shop", "web-deployment")
TEMPLATE = ObjectKey("apps", "deployments", "shop", "web")


def rollout(target: int) -> Manifest:
    resource = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "resource": "deployments",
        "namespace": "shop",
        "name": "web",
        "uid": "u",
    }
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "ResourceRollout",
        "metadata": {"name": "web-deployment", "namespace": "shop"},
        "spec": {},
        "status": {"resource": resource, "targetRevision": target},
    }


async def test_what_another_wrote_wakes_its_template() -> None:
    store = MemoryStore()
    woken: list[ObjectKey] = []
    records = RolloutRecords(store, woken.append)
    ours = await store.create(ROLLOUT, rollout(1))
    woken.clear()

    records.wrote(ours)
    before = await store.update(ROLLOUT, rollout(2), expected=ours.revision)
    assert woken == [TEMPLATE], "it was not told that this is its own"

    woken.clear()
    records.close()
    records = RolloutRecords(store, woken.append)
    late = await store.update(ROLLOUT, rollout(3), expected=before.revision)
    assert woken == [TEMPLATE]
    found = records.rollout(TEMPLATE)
    assert found is not None
    assert found[0].revision == late.revision


async def test_an_echo_of_what_was_written_here_wakes_nobody() -> None:
    store, mirrored = MemoryStore(), MemoryStore()
    woken: list[ObjectKey] = []
    written = await store.create(ROLLOUT, rollout(1))
    records = RolloutRecords(mirrored, woken.append)
    records.wrote(written)
    await mirrored.create(ROLLOUT, rollout(1))
    assert woken == []
