"""Whatever other systems send over NATS: an answer or a dead letter, and the service lives on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import structlog.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.registry.reconcilers.commands import CommandDoor
from services.registry.reconcilers.requests import RequestDoor
from services.registry.service import open_door
from shared.apimachinery.manifest import ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, Message, RequestError
from shared.clock import SystemClock
from shared.events import commands, subjects
from shared.events.requests import API_APPLY, API_DELETE, API_GET, API_LIST
from shared.store.memory import MemoryStore
from tests.fuzz.profile import EXAMPLES
from tests.fuzz.strategies import bodies, manifests, values

_DEADLINE = timedelta(seconds=10)
_BUGS = {"request.bug", "command.bug"}
_texts = st.sampled_from(["", "v1", "apps/v1", "ConfigMap", "Deployment", "a", "default"])
_texts |= st.text(max_size=20)
_numbers = st.sampled_from([-1, 0, 1, 2**31, 2**63, 2**64, 10**30])
_fields = st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": _texts | values,
        "kind": _texts | values,
        "name": _texts | values,
        "namespace": _texts | values,
        "manifest": manifests | values,
        "fieldManager": _texts | values,
        "labelSelector": _texts,
        "fieldSelector": _texts,
        "limit": _numbers | values,
        "continue": _texts,
        "replicas": _numbers | values,
        "propagationPolicy": _texts,
        "uid": _texts,
        "force": st.booleans(),
        "dryRun": st.booleans(),
    },
)
_data = bodies | st.one_of(_fields, manifests, st.lists(manifests, max_size=3)).map(
    lambda value: json.dumps(value).encode()
)
_headers = st.dictionaries(
    st.sampled_from(
        ["ce-type", "ce-source", "ce-id", "ce-specversion", "content-type", "traceparent", "CE-ID"]
    ),
    st.sampled_from([commands.APPLY, commands.DELETE, commands.SCALE, "1.0", "x", "é", "a" * 300])
    | st.sampled_from(["application/cloudevents+json", "00-" + "f" * 32 + "-" + "0" * 16 + "-01"]),
)


@asynccontextmanager
async def _registry(bus: Bus) -> AsyncIterator[None]:
    clock, store = SystemClock(), MemoryStore()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    await store.create(ObjectKey("", "namespaces", "", "default"), namespace)
    async with AsyncExitStack() as stack:
        door = open_door(store, clock, stack)
        await stack.enter_async_context(RequestDoor(bus, door).serving())
        running = asyncio.create_task(CommandDoor(bus, door, clock, attempts_max=1).run())
        try:
            yield
        finally:
            running.cancel()
            (ended,) = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError)


async def _is_answered(bus: Bus, body: bytes, subject: str) -> None:
    refusal = None
    try:
        json.loads(await bus.request(subject, body, deadline=_DEADLINE))
    except RequestError as err:
        refusal = err
    if refusal is not None:
        assert 400 <= refusal.code < 500, (body[:300], str(refusal))
        assert json.loads(refusal.body)["kind"] == "Status"


@pytest.mark.parametrize("subject", [API_GET, API_LIST, API_APPLY, API_DELETE])
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(asked=st.lists(_data, min_size=1, max_size=8))
def test_every_request_is_answered(subject: str, asked: list[bytes]) -> None:
    async def play() -> None:
        bus = MemoryBus("tests")
        async with _registry(bus):
            for body in asked:
                await _is_answered(bus, body, subject)

    with structlog.testing.capture_logs() as logged:
        asyncio.run(play())
    assert [entry for entry in logged if entry["event"] in _BUGS] == []


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=st.lists(st.tuples(_headers, _data), min_size=1, max_size=8))
def test_no_command_ends_the_service(sent: list[tuple[dict[str, str], bytes]]) -> None:
    async def play() -> None:
        bus = MemoryBus("tests")
        async with _registry(bus):
            for headers, body in sent:
                await bus.publish(Message(subjects.command("apply"), body, headers))
            await _answer_to(bus, "the-last")

    with structlog.testing.capture_logs() as logged:
        asyncio.run(play())
    assert [entry for entry in logged if entry["event"] in _BUGS] == []


async def _answer_to(bus: Bus, identity: str) -> Any:
    """Send a good command after all the others, and wait until it was carried out."""
    good = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "good"}}
    headers = {"ce-type": commands.APPLY, "ce-source": "fuzz", "ce-id": identity}
    await bus.publish(Message(subjects.command("apply"), json.dumps(good).encode(), headers))
    asked = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "name": "good"}).encode()
    async with asyncio.timeout(_DEADLINE.total_seconds()):
        while True:
            try:
                return await bus.request(API_GET, asked, deadline=_DEADLINE)
            except RequestError:
                await asyncio.sleep(0.005)
