"""What each interpreter is told about itself."""

import pytest

from services.scheduler.reconcilers.interpreters import InterpreterReconciler, interpreter_keys
from shared.apimachinery.manifest import ObjectKey
from shared.store.memory import MemoryStore
from shared.store.port import Change, ChangeType
from tests.unit.scheduler.scheduler_world import FixedClock

HEALTH = {"healthInterpretation": {"healthy": "true"}}
SIZE = {"replicaResource": {"replicasPath": "spec.size"}}


class World:
    """Interpreters in a store, and their reconciler."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.reconciler = InterpreterReconciler(self.store, FixedClock())

    async def put(self, name, kind="Widget", version="v1", **parts):
        key = ObjectKey("hanse.dev", "resourceinterpreters", "", name)
        target = {"apiVersion": f"acme.example/{version}", "kind": kind}
        manifest = {
            "metadata": {"name": name, "generation": 1},
            "spec": {"target": target, "customizations": parts},
        }
        stored = await self.store.create(key, manifest)
        for woken in set(interpreter_keys(self.store.mirror, Change(ChangeType.ADDED, stored))):
            await self.reconciler.reconcile(woken)
        return key

    def told(self, key):
        (condition,) = self.store.mirror.get(key).manifest["status"]["conditions"]
        return condition["status"], condition["reason"], condition["message"]


@pytest.fixture
def world():
    return World()


async def test_one_that_nobody_contradicts_is_heard(world):
    key = await world.put("b", **HEALTH, **SIZE)
    told = ("True", "Speaks", "it answers healthInterpretation, replicaResource")
    assert world.told(key) == told
    await world.put("a", kind="Gadget", **HEALTH)
    assert world.told(key) == told


async def test_the_first_by_name_is_heard_and_the_other_told(world):
    late = await world.put("z", **HEALTH, **SIZE)
    first = await world.put("a", version="v2", **HEALTH)
    assert world.told(first)[:2] == ("True", "Speaks")
    assert world.told(late) == (
        "True",
        "PartlyOverruled",
        "it answers replicaResource; a is asked first for healthInterpretation",
    )
    await world.put("b", **SIZE)
    assert world.told(late)[:2] == ("False", "Overruled")


async def test_one_that_cannot_be_read_is_told_why(world):
    key = await world.put("a", healthInterpretation={"healthy": "object.("})
    status, reason, message = world.told(key)
    assert (status, reason) == ("False", "InvalidInterpreter")
    assert "spec.customizations.healthInterpretation.healthy" in message


async def test_what_is_told_already_is_not_written_again(world):
    key = await world.put("a", **HEALTH)
    revision = world.store.mirror.get(key).revision
    await world.reconciler.reconcile(key)
    assert world.store.mirror.get(key).revision == revision
