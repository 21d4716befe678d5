"""Requests over every bus: one suite over memory and a real nats-server."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from shared.bus.jetstream import connect, open_bus, service
from shared.bus.port import Bus, RequestError
from shared.bus.settings import NatsSettings
from shared.errors import StoreUnavailable
from shared.runtime.nats_server import NatsServer

Buses = tuple[Bus, Bus]
SOON = timedelta(seconds=5)


async def test_a_request_is_answered_in_the_callers_trace(buses: Buses) -> None:
    one, other = buses
    seen: list[int] = []

    async def double(body: bytes, _headers: Mapping[str, str]) -> bytes:
        seen.append(trace.get_current_span().get_span_context().trace_id)
        return body * 2

    async with one.serve("hanse", "0.1.0", {"hanse.api.double": double}):
        with TracerProvider().get_tracer("test").start_as_current_span("caller") as span:
            answer = await other.request("hanse.api.double", b"ab", deadline=SOON)
    assert answer == b"abab"
    assert seen == [span.get_span_context().trace_id]


async def test_errors_are_answered_as_meant_and_bugs_tell_nothing(buses: Buses) -> None:
    one, other = buses

    async def refuse(_body: bytes, _headers: Mapping[str, str]) -> bytes:
        raise RequestError(404, "no such object", b"{}")

    async def stumble(_body: bytes, _headers: Mapping[str, str]) -> bytes:
        raise ValueError("the password is 1234")

    endpoints = {"hanse.api.refuse": refuse, "hanse.api.stumble": stumble}
    async with one.serve("hanse", "0.1.0", endpoints):
        with pytest.raises(RequestError, match="no such object") as refused:
            await other.request("hanse.api.refuse", b"", deadline=SOON)
        assert (refused.value.code, refused.value.body) == (404, b"{}")
        with pytest.raises(RequestError) as failed:
            await other.request("hanse.api.stumble", b"", deadline=SOON)
        assert (failed.value.code, str(failed.value)) == (500, "internal error")


async def test_who_is_cancelled_as_the_answer_comes_ends(nats_settings: NatsSettings) -> None:
    async def echo(body: bytes, _headers: Mapping[str, str]) -> bytes:
        return body

    async with connect(nats_settings, "test") as connection:
        bus = open_bus(connection, "test")
        async with bus.serve("hanse", "0.1.0", {"hanse.api.echo": echo}):
            await bus.request("hanse.api.echo", b"", deadline=SOON)
            asking = asyncio.create_task(bus.request("hanse.api.echo", b"", deadline=SOON))
            waiting = connection.client._resp_map
            while not waiting:
                await asyncio.sleep(0)
            (answer,) = waiting.values()
            # The answer is there, and whoever asked does not know it yet.
            answer.add_done_callback(lambda _: asking.cancel())
            with pytest.raises(asyncio.CancelledError):
                await asking


async def test_a_request_nobody_answers_fails_in_time(buses: Buses) -> None:
    one, other = buses

    async def sleep(_body: bytes, _headers: Mapping[str, str]) -> bytes:
        await asyncio.Event().wait()
        return b""

    with pytest.raises(StoreUnavailable):
        await other.request("hanse.api.absent", b"", deadline=SOON)
    async with AsyncExitStack() as stack:
        serving = asyncio.create_task(
            stack.enter_async_context(one.serve("s", "0.1.0", {"a.b": sleep}))
        )
        await serving
        with pytest.raises(StoreUnavailable):
            await other.request("a.b", b"", deadline=timedelta(milliseconds=100))


async def test_requests_are_answered_side_by_side(buses: Buses) -> None:
    one, other = buses
    together = asyncio.Barrier(10)

    async def meet(_body: bytes, _headers: Mapping[str, str]) -> bytes:
        await together.wait()
        return b"met"

    async with one.serve("hanse", "0.1.0", {"hanse.api.meet": meet}):
        answers = await asyncio.gather(
            *(other.request("hanse.api.meet", b"", deadline=SOON) for _ in range(10))
        )
    assert answers == [b"met"] * 10


# What only a bus behind a network can do.


async def test_other_tools_discover_the_service(nats_settings: NatsSettings) -> None:
    async def echo(body: bytes, _headers: Mapping[str, str]) -> bytes:
        return body

    async with connect(nats_settings, "one") as connection:
        bus = open_bus(connection, "test")
        async with bus.serve("hanse", "1.2.3", {"hanse.api.echo": echo}):
            await bus.request("hanse.api.echo", b"", deadline=SOON)
            found = {
                verb: json.loads(await bus.request(f"$SRV.{verb}.hanse", b"", deadline=SOON))
                for verb in ("PING", "INFO", "STATS")
            }
    assert found["PING"]["type"] == "io.nats.micro.v1.ping_response"
    assert found["INFO"]["version"] == "1.2.3"
    assert [e["subject"] for e in found["INFO"]["endpoints"]] == ["hanse.api.echo"]
    assert found["STATS"]["endpoints"][0]["num_requests"] == 1


async def test_a_service_starts_although_nats_does_not_answer_in_time(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_START_SECONDS", 0.1)

    async def echo(body: bytes, _headers: Mapping[str, str]) -> bytes:
        return body

    async with connect(nats_server.settings, "one") as connection:
        bus = open_bus(connection, "test")
        assert nats_server.pid is not None
        os.kill(nats_server.pid, signal.SIGSTOP)
        try:
            async with bus.serve("hanse", "0.1.0", {"hanse.api.echo": echo}):
                os.kill(nats_server.pid, signal.SIGCONT)
                assert await bus.request("hanse.api.echo", b"now", deadline=SOON) == b"now"
        finally:
            os.kill(nats_server.pid, signal.SIGCONT)
