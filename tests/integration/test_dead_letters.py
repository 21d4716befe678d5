"""What could not be processed: listed with the reason, tried again, and gone once it is."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.__main__ import main
from hanse.client import HanseClient
from services.registry.reconcilers.commands import CommandDoor
from services.registry.reconcilers.requests import RequestDoor
from services.registry.service import open_door
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.port import Bus, Message, RequestError
from shared.bus.topology import WORK, commands, worker
from shared.clock import SystemClock
from shared.events import subjects
from shared.events.requests import API_DEAD_LIST, API_DEAD_RETRY
from shared.store.port import ObjectStore
from tests.federation import Federation, eventually
from tests.gateway import serving_gateway
from tests.integration.watched_member import open_ground

GREETING: Manifest = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "greeting", "namespace": "default"},
    "data": {"text": "hello"},
}
GREETING_KEY = ObjectKey("", "configmaps", "default", "greeting")
WEB = subjects.work("eu-1", ObjectKey("apps", "deployments", "shop", "web"))


@pytest.fixture(params=["memory", "nats"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Federation]:
    """Store and bus, and a registry that answers requests; it takes no commands yet."""
    async with AsyncExitStack() as stack:
        store, bus = await stack.enter_async_context(open_ground(request.param, tmp_path))
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
        await store.create(ObjectKey("", "namespaces", "", "default"), namespace)
        door = open_door(store, SystemClock(), stack)
        await stack.enter_async_context(RequestDoor(bus, door).serving())
        yield Federation([], store, bus)


async def ask(bus: Bus, subject: str, **asked: Any) -> Any:
    body = json.dumps(asked).encode()
    return json.loads(await bus.request(subject, body, deadline=timedelta(seconds=10)))


async def letters(bus: Bus) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await ask(bus, API_DEAD_LIST))["letters"]
    return found


async def set_aside_a_command(bus: Bus) -> None:
    """Send a command while the hub cannot carry it out."""
    client = HanseClient(bus, "tests")
    await client.send(client.applying(GREETING))
    async with bus.consume(commands()) as deliveries:
        await (await anext(deliveries)).reject("ServiceUnavailable: the hub was away")


async def set_aside_an_order(bus: Bus, body: bytes = b"of a later version") -> int:
    sequence = await bus.publish(Message(WEB, body))
    async with bus.consume(worker("eu-1")) as deliveries:
        await (await anext(deliveries)).reject("the order cannot be decoded")
    return sequence


async def taking_commands(store: ObjectStore, bus: Bus, stack: AsyncExitStack) -> None:
    door = CommandDoor(bus, open_door(store, SystemClock(), stack), SystemClock(), attempts_max=2)
    task = asyncio.create_task(door.run())
    stack.callback(task.cancel)


async def test_a_command_is_carried_out_when_it_is_tried_again(hub: Federation) -> None:
    await set_aside_a_command(hub.bus)
    (letter,) = await letters(hub.bus)
    assert letter["reason"] == "ServiceUnavailable: the hub was away"
    assert letter["id"].endswith(f".commands-{letter['sequence']}")
    assert (letter["source"], letter["attempts"]) == ("tests", 1)
    assert "hello" in letter["body"]
    async with AsyncExitStack() as stack:
        await taking_commands(hub.store, hub.bus, stack)
        answer = await ask(hub.bus, API_DEAD_RETRY, ids=[letter["id"], "nobody.knows-1"])
        assert answer == {"retried": [letter["id"]], "outdated": [], "unknown": ["nobody.knows-1"]}
        await eventually(lambda: hub.store.get(GREETING_KEY))
    assert await letters(hub.bus) == []


async def test_what_fails_again_is_a_new_letter(hub: Federation) -> None:
    await hub.bus.publish(Message(subjects.command("apply"), b"\xff\xfe", {}))
    async with AsyncExitStack() as stack:
        await taking_commands(hub.store, hub.bus, stack)
        first = await eventually(lambda: letters(hub.bus))
        assert (await ask(hub.bus, API_DEAD_RETRY, all=True))["retried"] == [first[0]["id"]]

        async def another() -> bool:
            return [one["id"] for one in await letters(hub.bus)] not in ([], [first[0]["id"]])

        await eventually(another)
    (again,) = await letters(hub.bus)
    assert again["reason"] == first[0]["reason"]
    assert again["sequence"] > first[0]["sequence"]


async def test_an_order_is_said_again_while_it_is_the_last_word(hub: Federation) -> None:
    sequence = await set_aside_an_order(hub.bus)
    (letter,) = await letters(hub.bus)
    assert (letter["stream"], letter["sequence"]) == ("WORK", sequence)
    assert (await ask(hub.bus, API_DEAD_RETRY, all=True))["retried"] == [letter["id"]]
    last = await hub.bus.last(WORK, WEB)
    assert last is not None
    assert (last.body, last.sequence > sequence) == (b"of a later version", True)
    assert await letters(hub.bus) == []


async def test_an_order_that_something_newer_replaced_is_dropped(hub: Federation) -> None:
    await set_aside_an_order(hub.bus)
    newest = await hub.bus.publish(Message(WEB, b"newer"))
    (letter,) = await letters(hub.bus)
    assert (await ask(hub.bus, API_DEAD_RETRY, ids=[letter["id"]]))["outdated"] == [letter["id"]]
    last = await hub.bus.last(WORK, WEB)
    assert last is not None
    assert last.sequence == newest
    assert await letters(hub.bus) == []


@pytest.mark.parametrize("asked", [{}, {"ids": ["a"], "all": True}, {"ids": "a"}, {"ids": [1]}])
async def test_a_retry_of_nothing_in_particular_is_refused(
    hub: Federation, asked: dict[str, Any]
) -> None:
    await set_aside_an_order(hub.bus)
    with pytest.raises(RequestError) as refused:
        await ask(hub.bus, API_DEAD_RETRY, **asked)
    assert refused.value.code == 400
    assert len(await letters(hub.bus)) == 1


async def test_a_letter_put_there_by_hand_is_shown_and_left_alone(hub: Federation) -> None:
    await hub.bus.publish(Message(subjects.dead("nobody", "NOTHING", 7), b"\xff"))
    (letter,) = await letters(hub.bus)
    assert letter["id"] == "nobody.nothing-7"
    assert (await ask(hub.bus, API_DEAD_RETRY, all=True))["unknown"] == ["nobody.nothing-7"]
    assert len(await letters(hub.bus)) == 1


async def test_a_long_body_is_cut_off_in_the_list_and_whole_alone(hub: Federation) -> None:
    await set_aside_an_order(hub.bus, b"x" * 5_000)
    (letter,) = await letters(hub.bus)
    assert len(letter["body"]) < 2_100
    whole = await ask(hub.bus, API_DEAD_LIST, id=letter["id"])
    assert whole["letters"][0]["body"] == "x" * 5_000


async def test_people_see_and_retry_with_the_command(
    hub: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await set_aside_an_order(hub.bus)
    (letter,) = await letters(hub.bus)
    async with serving_gateway(hub.store, hub.bus, tmp_path) as kubeconfig:

        async def run(*arguments: str) -> tuple[int, str, str]:
            options = [*arguments, "--kubeconfig", str(kubeconfig)]
            status = await asyncio.to_thread(main, options)
            said = capsys.readouterr()
            return status, said.out, said.err

        status, out, _ = await run("dead", "list")
        assert status == 0
        assert out.splitlines()[0].split() == ["ID", "ATTEMPTS", "WHAT", "REASON"]
        assert f"{letter['id']}  1" in out
        assert WEB in out
        status, out, _ = await run("dead", "list", letter["id"])
        assert (status, out.splitlines()[-1]) == (0, "of a later version")
        status, out, _ = await run("dead", "list", "--json")
        assert (status, len(json.loads(out)["letters"])) == (0, 1)
        status, _, err = await run("dead", "list", "nobody.knows-1")
        assert (status, err) == (1, "there is no dead letter nobody.knows-1\n")
        assert (await run("retry"))[0] == 2
        status, _, err = await run("retry", "nobody.knows-1")
        assert (status, err) == (1, "there is no dead letter nobody.knows-1\n")
        status, out, _ = await run("retry", letter["id"])
        assert (status, out) == (0, f"{letter['id']} is tried again\n")
        assert await run("dead", "list") == (0, "there are no dead letters\n", "")
        assert await run("retry", "--all") == (0, "there are no dead letters\n", "")
