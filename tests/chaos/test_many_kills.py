"""Random processes killed while a shop is changed and in part removed, again and again."""

import asyncio
import random

import pytest

from hanse.federation import SERVICES, Federation
from shared.apimachinery.manifest import Manifest
from tests.chaos import boutique
from tests.chaos.wholeness import insist, remove, until_whole

ROUNDS = 5
# NATS twice: everything meets there.
VICTIMS = ("nats", "nats", *SERVICES)
REMOVED_SHARE = 0.2
pytestmark = pytest.mark.timeout(600)


async def change(
    federation: Federation, shop: list[Manifest], chance: random.Random
) -> list[Manifest]:
    """Apply most of *shop* and remove the others; returns what is to be there."""
    there = []
    for manifest in shop:
        if chance.random() < REMOVED_SHARE:
            await remove(federation, manifest)
        else:
            await insist(lambda manifest=manifest: federation.hub.apply(manifest))
            there.append(manifest)
    return there


async def kill_some(federation: Federation, chance: random.Random) -> None:
    """Kill one to three processes, one after the other, until cancelled."""
    for victim in chance.choices(VICTIMS, k=chance.randint(1, 3)):
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        federation.supervisor.child(victim).kill()


@pytest.mark.parametrize("seed", [1])
async def test_whoever_is_killed_whenever_all_becomes_as_it_was_asked(
    federation: Federation, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same kills each time.
    shop = boutique.manifests()
    await federation.hub.apply(boutique.POLICY)
    for revision in range(ROUNDS):
        shop = boutique.rolled_out(shop, revision)
        async with asyncio.TaskGroup() as group:
            group.create_task(kill_some(federation, chance))
            there = await change(federation, shop, chance)
        await until_whole(federation, there)
