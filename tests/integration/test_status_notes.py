"""Statuses of imports reach members also where another worker put the import there."""

from collections.abc import AsyncIterator

import pytest

from services.propagator.apply.exports.notes import StatusNotes
from shared.api.multicluster import IMPORT, IMPORTS, SERVICES_API, import_key
from shared.apimachinery.manifest import Manifest
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.events import subjects
from shared.events.exports import StatusNote, encode_export
from shared.events.orders import TEMPLATE_UID
from shared.memberapi.http import open_member
from tests.federation import eventually, running
from tests.traffic_ground import EU, TrafficGround

KEY = import_key("shop", "web")
STATUS = {"clusters": [{"cluster": "us-1"}]}


@pytest.fixture
async def ground() -> AsyncIterator[TrafficGround]:
    found = TrafficGround([EU])
    async with found.serving():
        await found.install(EU)
        yield found


def imported(**annotations: str) -> Manifest:
    return {
        "apiVersion": SERVICES_API,
        "kind": IMPORT,
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u-1",
            "annotations": {"by": "test", **annotations},
        },
        "spec": {"type": "ClusterSetIP", "ports": []},
    }


async def note(ground: TrafficGround) -> None:
    said = StatusNote(
        api_version=SERVICES_API, kind=IMPORT, resource=IMPORTS, uid="", status=STATUS
    )
    await ground.bus.publish(Message(subjects.export(EU, KEY), encode_export(said)))


@pytest.mark.parametrize("ours", [True, False])
async def test_an_import_that_this_worker_does_not_know_is_asked_for(
    ground: TrafficGround, *, ours: bool
) -> None:
    assert isinstance(ground.bus, MemoryBus)
    mark = {TEMPLATE_UID: "traffic/service/shop/web"} if ours else {}
    await ground.put(EU, KEY, imported(**mark))
    member = ground.members[EU]
    async with open_member(member.credentials(), name=EU) as api:
        notes = StatusNotes(EU, api, ground.bus, lambda _key: None, patience=0.0)
        async with running(notes.run):
            await note(ground)
            if ours:
                await eventually(lambda: ground.imported(EU).get("status") == STATUS)
                return
            # It is asked about again, and left alone.
            await eventually(lambda: len([one for one in member.requests if one[0] == "GET"]) > 1)
            assert not member.written()
