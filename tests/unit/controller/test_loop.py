"""What the reconcile loop makes of each answer and each error."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from shared.apimachinery.manifest import ObjectKey
from shared.controller.loop import Controller, LoopSettings
from shared.controller.result import Again, Done, Result
from shared.errors import RetryableError, TerminalError
from shared.store.memory import MemoryStore
from shared.store.port import EVERYTHING, Change

FAST = LoopSettings(
    workers=2, backoff_first=timedelta(milliseconds=1), backoff_max=timedelta(milliseconds=5)
)


class Recorder:
    """Plays a list of steps; sets `finished` after the last."""

    def __init__(self, *steps: Callable[[], Awaitable[Result]]) -> None:
        self.steps = list(steps)
        self.keys: list[str] = []
        self.finished = asyncio.Event()

    async def reconcile(self, key: str) -> Result:
        self.keys.append(key)
        step = self.steps.pop(0)
        if not self.steps:
            self.finished.set()
        return await step()


async def done() -> Result:
    return Done()


async def again() -> Result:
    return Again(timedelta(milliseconds=1))


async def retry() -> Result:
    raise RetryableError("not now")


async def refuse() -> Result:
    raise TerminalError("never", reason="Invalid")


async def bug() -> Result:
    raise KeyError("bug")


async def run_until(
    recorder: Recorder, *keys: str, settings: LoopSettings = FAST
) -> Controller[str]:
    controller: Controller[str] = Controller("test", recorder, settings)
    for key in keys:
        controller.wake(key)
    running = asyncio.create_task(controller.run())
    async with asyncio.timeout(20):
        await recorder.finished.wait()
        while not controller.idle:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return controller


async def test_a_retryable_error_brings_the_key_back() -> None:
    recorder = Recorder(retry, retry, done)
    await run_until(recorder, "a")
    assert recorder.keys == ["a", "a", "a"]


async def test_again_wakes_the_key_without_a_change() -> None:
    recorder = Recorder(again, done)
    await run_until(recorder, "a")
    assert recorder.keys == ["a", "a"]


async def test_a_terminal_error_rests_that_key_and_no_other() -> None:
    recorder = Recorder(refuse, done)
    controller = await run_until(recorder, "a", "b")
    assert recorder.keys == ["a", "b"]
    assert len(controller._queue) == 0


async def test_a_bug_quarantines_its_key_and_the_others_go_on() -> None:
    recorder = Recorder(bug, done)
    controller = await run_until(recorder, "a", "b")
    assert recorder.keys == ["a", "b"]
    assert len(controller._queue) == 1


async def test_what_takes_too_long_is_ended_and_comes_back() -> None:
    async def hang() -> Result:
        await asyncio.Event().wait()
        raise AssertionError

    settings = LoopSettings(
        workers=2, backoff_first=timedelta(0), deadline=timedelta(milliseconds=20)
    )
    recorder = Recorder(hang, hang, done, done)
    controller = await run_until(recorder, "a", "b", settings=settings)
    assert recorder.keys == ["a", "b", "a", "b"]
    assert not controller._deadlines


async def test_what_takes_long_to_end_after_its_deadline_harms_nobody() -> None:
    async def linger() -> Result:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)
        raise AssertionError

    settings = LoopSettings(
        workers=1, backoff_first=timedelta(0), deadline=timedelta(milliseconds=20), fail_fast=True
    )
    recorder = Recorder(linger, done)
    await run_until(recorder, "a", settings=settings)
    assert recorder.keys == ["a", "a"]


async def test_with_fail_fast_a_bug_ends_the_loop() -> None:
    controller: Controller[str] = Controller(
        "test", Recorder(bug), LoopSettings(workers=1, fail_fast=True)
    )
    controller.wake("a")
    with pytest.raises(ExceptionGroup) as raised:
        await controller.run()
    assert raised.group_contains(KeyError)


async def test_an_object_that_brings_out_a_bug_wakes_nobody_and_harms_no_other() -> None:
    store = MemoryStore()
    recorder = Recorder(done, done)
    controller: Controller[str] = Controller("test", recorder, FAST)
    for name in ("bad", "first"):
        await store.create(ObjectKey("", "configmaps", "shop", name), {"metadata": {"name": name}})

    def keys(change: Change) -> list[str]:
        name = change.stored.key.name
        return [name] if name != "bad" else [str(change.stored.manifest["data"]["absent"])]

    controller.watch(store.mirror, EVERYTHING, keys)
    running = asyncio.create_task(controller.run())
    await store.create(ObjectKey("", "configmaps", "shop", "second"), {"metadata": {}})
    async with asyncio.timeout(20):
        await recorder.finished.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert sorted(recorder.keys) == ["first", "second"]
