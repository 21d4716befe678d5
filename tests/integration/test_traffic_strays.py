"""What a member kept of its imports since it left while it was away is taken back once it is there.

Members are simulated, NATS is real.
"""

from pathlib import Path

import pytest

from shared.api.meta import GROUP
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import CaughtUp
from shared.bus.topology import WORK
from shared.events.work import is_end
from tests.traffic_ground import EU, US, TrafficGround, traffic_ground, trafficking


async def _ordered(ground: TrafficGround, member: str) -> bool:
    async with ground.bus.follow(WORK, [f"hanse.work.{member}.>"]) as messages:
        async for message in messages:
            if isinstance(message, CaughtUp):
                break
            if not is_end(message.headers):
                return True
    return False


async def _leave_unheard(ground: TrafficGround, member: str) -> None:
    key = ObjectKey(GROUP, "clusters", "", member)
    stored = await ground.store.get(key)
    assert stored is not None
    await ground.store.delete(key, stored.manifest, expected=stored.revision)

    async def is_forgotten() -> bool:
        return not await _ordered(ground, member)

    await ground.until(is_forgotten)


@pytest.mark.parametrize("anew", [False, True], ids=["the-same", "another-process"])
async def test_what_is_exported_no_more_goes_when_the_member_joins_again(
    tmp_path: Path, *, anew: bool
) -> None:
    async with traffic_ground(tmp_path, EU, US, working=False) as ground:
        async with trafficking(ground):
            for member, name, address in (
                (US, "gone", "10.2.0.1"),
                (US, "stays", "10.2.0.2"),
                (EU, "own", "10.1.0.1"),
            ):
                await ground.service(member, name)
                await ground.endpoints(member, address, name=name)
                await ground.export(member, name)
                await ground.until(lambda n=name, a=address: ground.reached(EU, n) == {a})
            kept = {one: _identity(ground, one) for one in ("stays", "own")}
            await _leave_unheard(ground, EU)
            await ground.unexport(US, "gone")
            await ground.until(lambda: not ground.imported(US, "gone"))
            assert ground.reached(EU, "gone") == {"10.2.0.1"}, "nobody could take it back"
            if not anew:
                await ground.register(ground.members[EU])
                await _settled(ground)
        if anew:
            async with trafficking(ground):
                await ground.register(ground.members[EU])
                await _settled(ground)
        assert {one: _identity(ground, one) for one in kept} == kept, "nothing is made anew"


def _identity(ground: TrafficGround, name: str) -> str:
    return str(ground.derived(EU, name)["metadata"]["uid"])


async def _settled(ground: TrafficGround) -> None:
    await ground.until(lambda: not ground.slices(EU, "gone"))
    await ground.until(lambda: not ground.imported(EU, "gone"))
    await ground.until(lambda: not ground.derived(EU, "gone"))
    assert ground.reached(EU, "stays") == {"10.2.0.2"}
    assert ground.imported(EU, "stays")
