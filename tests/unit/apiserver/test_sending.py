"""How answers are put together, and that nobody waits meanwhile."""

import asyncio
import threading
from datetime import UTC, datetime

import msgspec
import pytest

from shared.apimachinery.manifest import GroupResource, GroupVersionKind, Manifest, ObjectKey
from shared.apiserver.answers.rendering import Renderer
from shared.apiserver.answers.sending import gathered
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.requests.negotiation import accepted
from shared.apiserver.verbs.listing import Page
from shared.store.body import encode_body
from shared.store.port import Revision, Stored
from tests.served_api import TABLE, deployment

WAIT_SECONDS = 60
DEPLOYMENT = GroupVersionKind("apps", "v1", "Deployment")


def kind() -> ResourceKind:
    return next(one for one in builtin_kinds() if one.gvk == DEPLOYMENT)


def stored(number: int, *, letters: int) -> Stored:
    key = ObjectKey("apps", "deployments", "default", f"web{number}")
    manifest = deployment(key.name, annotations={"note": "x" * letters})
    return Stored(key, Revision(number), encoded=encode_body(key, manifest))


async def test_parts_come_in_their_order_in_chunks() -> None:
    parts = [b"a" * 40_000, lambda: b"b" * 40_000, b"c"]
    chunks = [chunk async for chunk in gathered(parts)]
    assert [len(chunk) for chunk in chunks] == [80_000, 1]
    assert b"".join(chunks) == b"a" * 40_000 + b"b" * 40_000 + b"c"


async def test_others_go_on_while_a_part_is_made() -> None:
    told = threading.Event()

    def slow() -> bytes:
        assert told.wait(WAIT_SECONDS), "the event loop stood still"
        return b"made"

    async def other() -> None:
        await asyncio.sleep(0)
        told.set()

    others = asyncio.create_task(other())
    assert [chunk async for chunk in gathered([slow])] == [b"made"]
    await others


async def test_others_get_a_turn_between_many_small_parts() -> None:
    """However long all of them take, and however little comes of them."""
    turns = 0
    done = False

    async def other() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(other())
    parts = (b"x" * bool(threading.Event().wait(0.003)) for _ in range(20))
    assert [chunk async for chunk in gathered(parts)] == [b""]
    done = True
    await others
    assert turns > 1


@pytest.mark.parametrize("accept", ["application/json", TABLE])
async def test_others_go_on_while_large_objects_of_a_list_are_made_ready(accept: str) -> None:
    turn = threading.Event()

    def shown(_resource: GroupResource, manifest: Manifest) -> Manifest:
        assert turn.wait(WAIT_SECONDS), "the event loop stood still"
        turn.clear()
        return {**manifest}

    async def other() -> None:
        while True:
            turn.set()
            await asyncio.sleep(0)

    others = asyncio.create_task(other())
    renderer = Renderer(
        kind(), accepted(accept), now=lambda: datetime(2030, 1, 1, tzinfo=UTC), shown=shown
    )
    page = Page([stored(number, letters=100_000) for number in range(1, 6)], Revision(9))
    body = b"".join([chunk async for chunk in gathered(renderer.page(page))])
    others.cancel()
    found = msgspec.json.decode(body)
    assert len(found["rows" if accept == TABLE else "items"]) == 5
