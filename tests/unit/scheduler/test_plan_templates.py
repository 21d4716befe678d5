"""A plan looks through tens of thousands of templates without being in anybody's way."""

import asyncio

from services.scheduler.doors.plan_templates import LookedAt
from services.scheduler.doors.supposing import Supposition
from tests.unit.scheduler.scheduler_world import SchedulerWorld, a_config_map, a_policy, key_of


async def test_others_have_their_turn_and_nothing_is_kept_but_names():
    world = SchedulerWorld()
    many = [a_config_map(f"settings-{number:03}") for number in range(300)]
    await world.put(a_policy(), *many)
    looked_at = LookedAt(world.federation, Supposition())
    looking = asyncio.create_task(looked_at.add_stored(world.store.mirror, "shop"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not looking.done()
    # Who goes while it looks, or after it has, is passed over.
    await world.remove(many[-1])
    await looking
    await world.remove(many[0])
    assert looked_at.keys == [key_of(one) for one in many]
    found = [looked_at.template(key) for key in looked_at.keys]
    assert [one is None for one in found] == [True, *[False] * 298, True]


async def test_what_is_supposed_to_be_deleted_is_not_looked_at():
    world = SchedulerWorld()
    stays, goes = a_config_map("stays"), a_config_map("goes")
    await world.put(stays, goes)
    looked_at = LookedAt(world.federation, Supposition(absent=frozenset({key_of(goes)})))
    await looked_at.add_stored(world.store.mirror, "")
    assert looked_at.keys == [key_of(stays)]
