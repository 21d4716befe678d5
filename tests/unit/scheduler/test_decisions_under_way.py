"""A fleet that changes while a decision is being written: nobody is left out."""

from collections.abc import Awaitable, Callable

import pytest

from shared.store.memory import MemoryStore
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    divided,
)

WEB = a_deployment()


class BusyStore(MemoryStore):
    """Lets something else be written just before a binding is."""

    def __init__(self) -> None:
        super().__init__()
        self.before_binding: Callable[[], Awaitable[None]] | None = None

    async def _meanwhile(self, key):
        if key.resource == "resourcebindings" and self.before_binding is not None:
            meanwhile, self.before_binding = self.before_binding, None
            await meanwhile()

    async def create(self, key, manifest):
        await self._meanwhile(key)
        return await super().create(key, manifest)

    async def update(self, key, manifest, *, expected):
        await self._meanwhile(key)
        return await super().update(key, manifest, expected=expected)


@pytest.fixture
def world():
    return SchedulerWorld(BusyStore())


async def test_a_member_that_joins_while_the_first_decision_is_written_gets_its_share(world):
    await world.put(a_cluster("eu-1"), a_cluster("us-1", joined=False), a_policy(), WEB)
    world.store.before_binding = lambda: world.put(a_cluster("us-1"))
    await world.settle()
    assert set(world.shares(WEB)) == {"eu-1", "us-1"}


async def test_a_member_that_joins_while_another_policy_takes_over_gets_its_share(world):
    eu_only = a_policy(clusterAffinity={"clusterNames": ["eu-1"]})
    await world.put(a_cluster("eu-1"), a_cluster("us-1", joined=False), eu_only, WEB)
    await world.settle()
    world.store.before_binding = lambda: world.put(a_cluster("us-1"))
    everywhere = a_policy()
    everywhere["metadata"]["generation"] = 2
    await world.put(everywhere)
    await world.settle()
    assert set(world.shares(WEB)) == {"eu-1", "us-1"}


async def test_room_that_appears_while_a_refusal_is_written_is_used(world):
    policy = a_policy(replicaScheduling=divided(dynamic=True))
    web = a_deployment(cpu="1")
    await world.put(a_cluster("eu-1", nodes=[{"cpu": "0"}]), policy, web)
    world.store.before_binding = lambda: world.put(a_cluster("eu-1", nodes=[{"cpu": "8"}]))
    await world.settle()
    assert world.shares(web) == {"eu-1": 3}
