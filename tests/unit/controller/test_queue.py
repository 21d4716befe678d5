"""A queue of keys: once each, never two at a time, later when asked."""

import asyncio

import uvloop

from shared.controller.queue import KeyQueue


async def test_a_key_woken_twice_is_taken_once() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add("a")
    queue.add("a")

    assert await queue.take() == "a"
    queue.finish("a")

    assert queue.idle


async def test_a_key_woken_while_it_runs_is_taken_again_afterwards() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add("a")
    await queue.take()
    queue.add("a")
    second = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not second.done()

    queue.finish("a")

    assert await second == "a"


async def test_the_earliest_of_two_delays_wins_and_a_change_beats_both() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add_after("late", 60)
    queue.add_after("late", 0.01)
    async with asyncio.timeout(5):
        assert await queue.take() == "late"
    queue.finish("late")

    queue.add_after("b", 60)
    queue.add("b")
    assert await queue.take() == "b"
    queue.finish("b")
    assert len(queue) == 0


async def test_every_waiting_worker_gets_a_key() -> None:
    queue: KeyQueue[int] = KeyQueue()
    workers = [asyncio.create_task(queue.take()) for _ in range(5)]
    await asyncio.sleep(0)
    for key in range(5):
        queue.add(key)
    async with asyncio.timeout(5):
        taken = await asyncio.gather(*workers)
    assert sorted(taken) == [0, 1, 2, 3, 4]


async def test_a_worker_that_leaves_while_it_is_woken_leaves_the_key_to_another() -> None:
    queue: KeyQueue[str] = KeyQueue()
    leaving = asyncio.create_task(queue.take())
    staying = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.add("a")
    leaving.cancel()
    async with asyncio.timeout(5):
        assert await staying == "a"


async def test_a_shorter_delay_does_not_wait_for_a_longer_one() -> None:
    queue: KeyQueue[str] = KeyQueue()
    worker = asyncio.create_task(queue.take())
    queue.add_after("late", 60)
    await asyncio.sleep(0)
    queue.add_after("soon", 0.01)
    async with asyncio.timeout(5):
        assert await worker == "soon"
    assert len(queue) == 1


def test_delays_of_nothing_are_delays_in_either_event_loop() -> None:
    async def take_both() -> set[str]:
        queue: KeyQueue[str] = KeyQueue()
        queue.add_after("one", 0)
        queue.add_after("other", 0)
        async with asyncio.timeout(5):
            return {await queue.take(), await queue.take()}

    assert uvloop.run(take_both()) == asyncio.run(take_both()) == {"one", "other"}
