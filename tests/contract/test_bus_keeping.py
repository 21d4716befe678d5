"""What a worker may do with much that waits its turn: keep it, and forget what it says."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, CaughtUp, Delivery, Message
from shared.bus.topology import DEAD, EVENTS, WORK, worker
from shared.errors import StaleRevision
from shared.events import subjects

DEADLINE = 20.0


def message(name: str, body: bytes = b"{}") -> Message:
    return Message(subjects.work("eu", ObjectKey("apps", "deployments", "default", name)), body)


async def delivered(iterator: AsyncIterator[Delivery]) -> Delivery:
    return await asyncio.wait_for(anext(iterator), DEADLINE)


async def test_what_a_worker_keeps_does_not_come_again_while_it_lives(
    buses: tuple[Bus, Bus],
) -> None:
    one, other = buses
    keeping = replace(worker("eu"), kept=True, ack_wait=timedelta(seconds=1.5))
    await one.publish(message("kept"))
    async with one.consume(keeping) as deliveries:
        kept = await delivered(deliveries)
        # Longer than the server would wait for a word.
        await asyncio.sleep(2.3)
        await one.publish(message("next"))
        following = await delivered(deliveries)
        assert (following.message.subject, following.attempt) == (message("next").subject, 1)
        await following.acknowledge()
    async with other.consume(keeping) as deliveries:
        again = await delivered(deliveries)
        assert (again.message.sequence, again.attempt) == (kept.message.sequence, 2)


async def test_a_worker_knows_of_thousands_before_it_has_done_any(bus: Bus) -> None:
    count = 3_000
    await asyncio.gather(*(bus.publish(message(f"app-{number}")) for number in range(count)))
    async with bus.consume(worker("eu")) as deliveries:
        found = [await delivered(deliveries) for _ in range(count)]
    assert len({each.message.subject for each in found}) == count


async def test_a_log_can_be_read_from_what_is_recent_on(bus: Bus) -> None:
    for body in (b"1", b"2"):
        await bus.publish(Message(subjects.fact("work", "applied", "a"), body))
    async with bus.follow(EVENTS, (), recent=timedelta(hours=1)) as facts:
        found = [await asyncio.wait_for(anext(facts), DEADLINE) for _ in range(3)]
        assert [one.body if isinstance(one, Message) else None for one in found] == [
            b"1",
            b"2",
            None,
        ]
        await bus.publish(Message(subjects.fact("work", "applied", "b"), b"3"))
        after = await asyncio.wait_for(anext(facts), DEADLINE)
        assert isinstance(after, Message)
    async with bus.follow(EVENTS, (), recent=timedelta(0)) as facts:
        assert isinstance(await asyncio.wait_for(anext(facts), DEADLINE), CaughtUp)


async def test_a_forgotten_body_can_be_read_again_and_told_to_the_dead_letters(bus: Bus) -> None:
    sequence = await bus.publish(message("a", b"what it said"))
    async with bus.consume(worker("eu")) as deliveries:
        delivery = await delivered(deliveries)
        delivery.forget_body()
        assert (delivery.message.body, delivery.message.sequence) == (b"", sequence)
        last = await bus.last(WORK, delivery.message.subject)
        assert last is not None
        assert last.body == b"what it said"
        await delivery.reject("no reason", last.body)
    async with bus.follow(DEAD, ()) as letters:
        letter = await asyncio.wait_for(anext(letters), DEADLINE)
    assert not isinstance(letter, CaughtUp)
    assert letter.body == b"what it said"


async def test_a_message_whose_time_is_over_leaves_an_empty_subject(bus: Bus) -> None:
    last = message("a", b"the end")
    ended = await bus.publish(message("a"))
    async with bus.follow(WORK, ()) as log, bus.consume(worker("eu")) as deliveries:
        while not isinstance(await anext(log), CaughtUp):
            pass
        await (await delivered(deliveries)).acknowledge()
        ended = await bus.publish(last, expected=ended, ttl=timedelta(milliseconds=200))
        found = await anext(log)
        assert not isinstance(found, CaughtUp)
        assert (found.body, found.sequence) == (b"the end", ended)
        held = await delivered(deliveries)
        async with asyncio.timeout(DEADLINE):
            while await bus.last(WORK, last.subject) is not None:
                await asyncio.sleep(0.1)
        # Too late, and harmless.
        await held.acknowledge()
        with pytest.raises(StaleRevision):
            await bus.publish(message("a"), expected=ended)
        again = await bus.publish(message("a"), expected=0)
        found = await anext(log)
        assert not isinstance(found, CaughtUp)
        assert found.sequence == again
        assert (await delivered(deliveries)).message.sequence == again


async def test_a_message_that_takes_the_place_of_one_that_expires_stays(bus: Bus) -> None:
    ended = await bus.publish(message("a"), ttl=timedelta(seconds=1))
    await bus.publish(message("b"), ttl=timedelta(seconds=1))
    kept = await bus.publish(message("a"), expected=ended)
    async with asyncio.timeout(DEADLINE):
        while await bus.last(WORK, message("b").subject) is not None:
            await asyncio.sleep(0.1)
    found = await bus.last(WORK, message("a").subject)
    assert found is not None
    assert found.sequence == kept
