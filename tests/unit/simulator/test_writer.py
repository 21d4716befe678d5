"""Controllers take turns, so that requests are served between them."""

import asyncio
import time
from datetime import timedelta

from services.simulator.core.view import View
from services.simulator.reconcilers.writer import Writer
from shared.clock import SystemClock
from shared.store.memory import MemoryStore

CONTROLLERS = 20
SECONDS_EACH = 0.003
REST = timedelta(milliseconds=5)


async def test_of_those_who_rest_one_goes_on_per_pass_of_the_event_loop() -> None:
    writer = Writer(MemoryStore(), View(), SystemClock(), lambda _key, pod: pod, rest=REST)
    passes = 0
    gone_on: list[int] = []
    writer.requested()
    await writer.give_way()

    async def serve() -> None:
        nonlocal passes
        while len(gone_on) < CONTROLLERS:
            passes += 1
            writer.requested()
            await asyncio.sleep(0)

    async def control() -> None:
        await writer.give_way()
        gone_on.append(passes)
        # Longer than a turn: the next must not go on in the same one.
        until = time.perf_counter() + SECONDS_EACH
        while time.perf_counter() < until:
            pass

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(serve())
        for _ in range(CONTROLLERS):
            group.create_task(control())
    assert len(set(gone_on)) == CONTROLLERS, "requests are served between any two"
