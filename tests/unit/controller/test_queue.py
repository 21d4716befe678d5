"""A queue of keys: once each, never two at a time, later when asked."""

import asyncio

import uvloop

from shared.apimachinery.manifest import ObjectKey
from shared.controller.queue import KeyQueue
from shared.controller.turns import Urgency


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
    async with asyncio.timeout(20):
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
    async with asyncio.timeout(20):
        taken = await asyncio.gather(*workers)
    assert sorted(taken) == [0, 1, 2, 3, 4]


async def test_a_worker_that_leaves_while_it_is_woken_leaves_the_key_to_another() -> None:
    queue: KeyQueue[str] = KeyQueue()
    leaving = asyncio.create_task(queue.take())
    staying = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.add("a")
    leaving.cancel()
    async with asyncio.timeout(20):
        assert await staying == "a"


async def test_a_shorter_delay_does_not_wait_for_a_longer_one() -> None:
    queue: KeyQueue[str] = KeyQueue()
    worker = asyncio.create_task(queue.take())
    queue.add_after("late", 60)
    await asyncio.sleep(0)
    queue.add_after("soon", 0.01)
    async with asyncio.timeout(20):
        assert await worker == "soon"
    assert len(queue) == 1


def test_delays_of_nothing_are_delays_in_either_event_loop() -> None:
    async def take_both() -> set[str]:
        queue: KeyQueue[str] = KeyQueue()
        queue.add_after("one", 0)
        queue.add_after("other", 0)
        async with asyncio.timeout(20):
            return {await queue.take(), await queue.take()}

    assert uvloop.run(take_both()) == asyncio.run(take_both()) == {"one", "other"}


async def take_all(queue: KeyQueue[int]) -> list[int]:
    """What can be taken without waiting."""
    found: list[int] = []
    while True:
        taking = asyncio.create_task(queue.take())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if not taking.done():
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            return found
        found.append(await taking)


async def test_no_more_keys_run_than_the_limit_allows() -> None:
    queue: KeyQueue[int] = KeyQueue()
    queue.limit(2)
    for key in range(6):
        queue.add(key)
    assert await take_all(queue) == [0, 1]
    queue.finish(0)
    assert await take_all(queue) == [2]
    queue.limit(4)
    assert await take_all(queue) == [3, 4]
    queue.limit(1)
    for key in (1, 2, 3):
        queue.finish(key)
    assert await take_all(queue) == []
    queue.finish(4)
    assert await take_all(queue) == [5]


async def test_workers_that_wait_are_woken_by_a_greater_limit() -> None:
    queue: KeyQueue[int] = KeyQueue()
    queue.limit(1)
    workers = [asyncio.create_task(queue.take()) for _ in range(3)]
    for key in range(3):
        queue.add(key)
    await asyncio.sleep(0)
    queue.limit(3)
    async with asyncio.timeout(20):
        assert sorted(await asyncio.gather(*workers)) == [0, 1, 2]


async def test_nothing_is_handed_out_while_it_is_held_and_everything_afterwards() -> None:
    queue: KeyQueue[int] = KeyQueue()
    workers = [asyncio.create_task(queue.take()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.hold(0.02)
    queue.hold(0.001)
    queue.add(1)
    queue.add(2)
    assert not any(worker.done() for worker in workers)
    async with asyncio.timeout(20):
        assert sorted(await asyncio.gather(*workers)) == [1, 2]


async def test_a_key_that_becomes_urgent_while_it_waits_moves_forward() -> None:
    urgent: set[int] = set()
    queue: KeyQueue[int] = KeyQueue(
        urgency_of=lambda key: Urgency.FIRST if key in urgent else Urgency.UPKEEP
    )
    for key in range(50):
        queue.add(key)
    urgent.add(40)
    queue.add(40)
    assert await queue.take() == 40
    queue.finish(40)
    assert len(queue) == 49


async def test_keys_of_one_namespace_do_not_hold_back_those_of_another() -> None:
    queue: KeyQueue[ObjectKey] = KeyQueue()
    for number in range(1000):
        queue.add(ObjectKey("apps", "deployments", "many", f"app-{number}"))
    one = ObjectKey("apps", "deployments", "few", "web")
    queue.add(one)
    assert one in (await queue.take(), await queue.take())
