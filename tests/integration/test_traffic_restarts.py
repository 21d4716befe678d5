"""What processes that begin anew do not do again, over a real nats-server."""

from pathlib import Path

import pytest

from shared.api.multicluster import import_key
from shared.bus.topology import STATUS
from shared.events import subjects
from shared.events.work import decode_report
from shared.interpreter.reflect import reflect_any
from tests.federation import eventually
from tests.traffic_ground import EU, US, TrafficGround, traffic_ground

pytestmark = pytest.mark.asyncio


async def export_from_eu(ground: TrafficGround, name: str, address: str) -> None:
    ground.name = name
    await ground.service(EU)
    await ground.endpoints(EU, address)
    await ground.export(EU)
    await ground.until(lambda: ground.reached(US) == {address})
    await ground.until(lambda: ground.condition(EU, "Ready") == ("True", "Exported"))
    await ground.until(lambda: all(ground.imported(one).get("status") for one in (EU, US)))


async def told_of_imports(ground: TrafficGround) -> bool:
    """Whether reports say of every import what it shows."""
    for member in (EU, US):
        subject = subjects.status(member, import_key("shop", ground.name))
        message = await ground.bus.last(STATUS, subject)
        if message is None or not message.body:
            return False
        if decode_report(message.body).status != reflect_any(ground.imported(member)):
            return False
    return True


def statuses(ground: TrafficGround) -> set[str]:
    """Paths of exports and imports whose status workers wrote."""
    return {
        path
        for member in ground.members.values()
        for path in member.written()
        if path.endswith("/status")
    }


async def test_a_worker_that_begins_writes_no_status_that_is_shown_already(tmp_path: Path) -> None:
    async with traffic_ground(tmp_path, EU, US, applying=False) as ground:
        async with ground.applying():
            await export_from_eu(ground, "web", "10.1.0.1")
            await eventually(lambda: told_of_imports(ground))
        shown = [ground.imported(one)["status"] for one in (EU, US)]
        for member in ground.members.values():
            member.requests.clear()
        async with ground.applying():
            # What is noted later is written later.
            await export_from_eu(ground, "shop", "10.1.0.2")
            assert {path.split("/")[-2] for path in statuses(ground)} == {"shop"}
            ground.name = "web"
            assert [ground.imported(one)["status"] for one in (EU, US)] == shown
