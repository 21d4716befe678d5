"""What every bus must do: one suite over memory and a real nats-server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from shared.apimachinery.manifest import ObjectKey
from shared.bus.dead_letters import ATTEMPTS, REASON, SEQUENCE, SUBJECT
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import BoardEntry, Bus, CaughtUp, Delivery, Message
from shared.bus.settings import NatsSettings
from shared.bus.topology import DEAD, EVENTS, STREAMS, WORK, Stream, commands, worker
from shared.errors import InvalidObject, OutcomeUnknown, StaleRevision, StoreUnavailable
from shared.events import subjects
from shared.runtime.nats_server import NatsServer
from shared.telemetry.propagation import extract

Buses = tuple[Bus, Bus]
DEADLINE = 20.0
SOON = timedelta(seconds=5)


def order(cluster: str, name: str) -> str:
    return subjects.work(cluster, ObjectKey("apps", "deployments", "default", name))


def message(name: str, body: bytes = b"{}", cluster: str = "eu") -> Message:
    return Message(order(cluster, name), body)


async def following(iterator: AsyncIterator[Message | CaughtUp]) -> Message | CaughtUp:
    return await asyncio.wait_for(anext(iterator), DEADLINE)


async def delivered(iterator: AsyncIterator[Delivery], within: float = DEADLINE) -> Delivery:
    return await asyncio.wait_for(anext(iterator), within)


async def all_of(bus: Bus, stream: Stream) -> list[Message]:
    found: list[Message] = []
    async with bus.follow(stream, ()) as log:
        while not isinstance(item := await following(log), CaughtUp):
            found.append(item)
    return found


# Logs.


async def test_a_log_keeps_the_last_message_of_every_subject(buses: Buses) -> None:
    one, other = buses
    first = await one.publish(message("a", b"1"))
    await one.publish(message("b", b"1"))
    last = await one.publish(message("a", b"2"))
    assert last > first > 0

    assert [(m.subject, m.body, m.sequence) for m in await all_of(other, WORK)] == [
        (order("eu", "b"), b"1", last - 1),
        (order("eu", "a"), b"2", last),
    ]


async def test_following_goes_on_after_the_snapshot_within_its_filters(buses: Buses) -> None:
    one, other = buses
    await one.publish(message("a", cluster="eu"))
    await one.publish(message("a", cluster="us"))
    async with other.follow(WORK, [f"{subjects.WORK}.eu.>"]) as log:
        snapshot = await following(log)
        assert isinstance(snapshot, Message)
        assert snapshot.subject == order("eu", "a")
        assert isinstance(await following(log), CaughtUp)
        await one.publish(message("b", cluster="us"))
        last = await one.publish(message("b", cluster="eu"))
        found = await following(log)
        assert isinstance(found, Message)
        assert (found.subject, found.sequence) == (order("eu", "b"), last)


async def test_an_empty_log_is_caught_up_at_once(bus: Bus) -> None:
    async with bus.follow(WORK, [f"{subjects.WORK}.nobody.>"]) as log:
        assert isinstance(await following(log), CaughtUp)


async def test_publishing_with_an_expectation_is_compare_and_set(bus: Bus) -> None:
    sequence = await bus.publish(message("a", b"1"), expected=0)
    with pytest.raises(StaleRevision):
        await bus.publish(message("a", b"2"), expected=0)
    again = await bus.publish(message("a", b"2"), expected=sequence)
    assert again > sequence


async def test_a_repeat_with_the_same_id_is_stored_once(bus: Bus) -> None:
    fact = Message(subjects.fact("cluster", "joined", "eu"), b"{}", {"Nats-Msg-Id": "same"})
    assert await bus.publish(fact) == await bus.publish(fact)
    assert len(await all_of(bus, EVENTS)) == 1


async def test_purging_forgets_up_to_a_sequence_only(bus: Bus) -> None:
    old = await bus.publish(message("a"))
    new = await bus.publish(message("b"))
    await bus.purge(WORK, order("eu", "b"), up_to=new - 1)
    assert len(await all_of(bus, WORK)) == 2
    await bus.purge(WORK, order("eu", "a"), up_to=old)
    assert [m.sequence for m in await all_of(bus, WORK)] == [new]


async def test_what_no_stream_takes_is_refused(bus: Bus) -> None:
    with pytest.raises(StoreUnavailable):
        await bus.publish(Message("nowhere.at.all", b""))


async def test_many_publications_in_flight_keep_their_order(buses: Buses) -> None:
    one, other = buses
    async with other.follow(WORK, ()) as log:
        assert isinstance(await following(log), CaughtUp)
        sequences = await asyncio.gather(
            *(one.publish(message(f"app-{n}", str(n).encode())) for n in range(3000))
        )
        assert sequences == sorted(sequences)
        for n in range(3000):
            found = await following(log)
            assert isinstance(found, Message)
            assert found.body == str(n).encode()


async def test_the_senders_trace_travels_with_the_message(bus: Bus) -> None:
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("sender") as span:
        await bus.publish(message("a"))
    found = (await all_of(bus, WORK))[0]
    read = trace.get_current_span(extract(found.headers)).get_span_context()
    assert read.trace_id == span.get_span_context().trace_id


# Durable positions.


async def test_a_worker_gets_what_was_there_and_what_comes(bus: Bus) -> None:
    await bus.publish(message("a"))
    async with bus.consume(worker("eu")) as deliveries:
        await bus.publish(message("b", cluster="us"))
        await bus.publish(message("c"))
        for name in ("a", "c"):
            delivery = await delivered(deliveries)
            assert delivery.message.subject == order("eu", name)
            assert delivery.attempt == 1
            await delivery.acknowledge()


async def test_acknowledged_messages_do_not_come_again(bus: Bus) -> None:
    await bus.publish(message("a"))
    async with bus.consume(worker("eu")) as deliveries:
        await (await delivered(deliveries)).acknowledge()
    last = await bus.publish(message("b"))
    async with bus.consume(worker("eu")) as deliveries:
        assert (await delivered(deliveries)).message.sequence == last


async def test_a_retry_comes_again_as_the_next_attempt(bus: Bus) -> None:
    await bus.publish(message("a"))
    async with bus.consume(worker("eu")) as deliveries:
        first = await delivered(deliveries)
        await first.working()
        await first.retry(timedelta(milliseconds=50))
        second = await delivered(deliveries)
        assert (first.attempt, second.attempt) == (1, 2)
        await second.retry(timedelta(0))
        assert (await delivered(deliveries)).attempt == 3


async def test_what_is_not_answered_comes_again(bus: Bus) -> None:
    impatient = replace(worker("eu"), kept=False, ack_wait=timedelta(seconds=1))
    await bus.publish(message("a"))
    async with bus.consume(impatient) as deliveries:
        first = await delivered(deliveries)
        second = await delivered(deliveries)
        assert second.message.sequence == first.message.sequence
        assert second.attempt == 2


async def test_a_newer_message_takes_the_place_of_one_not_done(bus: Bus) -> None:
    await bus.publish(message("a", b"old"))
    async with bus.consume(worker("eu")) as deliveries:
        old = await delivered(deliveries)
        await bus.publish(message("a", b"new"))
        await old.retry(timedelta(0))
        new = await delivered(deliveries)
        assert (new.message.body, new.attempt) == (b"new", 1)
        await new.acknowledge()
        await bus.publish(message("b"))
        assert (await delivered(deliveries)).message.subject == order("eu", "b")


async def test_only_one_worker_at_a_time_and_the_next_takes_over(buses: Buses) -> None:
    one, other = buses
    async with AsyncExitStack() as stack:
        first = AsyncExitStack()
        active = await first.enter_async_context(one.consume(worker("eu")))
        await one.publish(message("app-0"))
        await (await delivered(active)).acknowledge()
        standby = await stack.enter_async_context(other.consume(worker("eu")))
        waiting = asyncio.create_task(anext(standby))
        for n in range(1, 40):
            await one.publish(message(f"app-{n}"))
            delivery = await delivered(active)
            assert delivery.message.subject == order("eu", f"app-{n}")
            await delivery.acknowledge()
        assert not waiting.done()

        await one.publish(message("held"))
        held = await delivered(active)
        await first.aclose()
        # It had not been answered, so it is the next one's at once.
        taken = await asyncio.wait_for(waiting, DEADLINE)
        assert taken.message.sequence == held.message.sequence
        assert taken.attempt == 2


async def test_a_rejected_message_lies_with_the_dead_letters(bus: Bus) -> None:
    sequence = await bus.publish(message("a", b"body"))
    async with bus.consume(worker("eu")) as deliveries:
        await (await delivered(deliveries)).reject("makes\nno sense")
        await bus.publish(message("b"))
        assert (await delivered(deliveries)).message.subject == order("eu", "b")
    dead = (await all_of(bus, DEAD))[0]
    assert dead.subject == f"hanse.dead.test.work-{sequence}"
    assert dead.body == b"body"
    assert dead.headers[REASON] == "makes no sense"
    assert dead.headers[SUBJECT] == order("eu", "a")
    assert dead.headers[SEQUENCE] == str(sequence)


async def test_after_the_last_attempt_a_message_is_set_aside(bus: Bus) -> None:
    await bus.publish(message("a"))
    async with bus.consume(replace(worker("eu"), attempts_max=3)) as deliveries:
        for _ in range(3):
            await (await delivered(deliveries)).retry(timedelta(0))
        await bus.publish(message("b"))
        assert (await delivered(deliveries)).message.subject == order("eu", "b")
    assert [dead.headers[ATTEMPTS] for dead in await all_of(bus, DEAD)] == ["3"]


async def test_attempts_that_end_without_an_answer_count_too(bus: Bus) -> None:
    impatient = replace(worker("eu"), kept=False, attempts_max=1, ack_wait=timedelta(seconds=1))
    await bus.publish(message("a"))
    async with bus.consume(impatient) as deliveries:
        await delivered(deliveries)
        waiting = asyncio.create_task(anext(deliveries))
        async with asyncio.timeout(DEADLINE):
            while not await all_of(bus, DEAD):
                await asyncio.sleep(0.02)
        assert not waiting.done()
        waiting.cancel()


async def test_a_queue_forgets_what_was_done(bus: Bus) -> None:
    await bus.publish(Message(subjects.command("apply"), b"1"))
    await bus.publish(Message(subjects.command("delete"), b"2"))
    async with bus.consume(commands()) as deliveries:
        await (await delivered(deliveries)).acknowledge()
        await delivered(deliveries)
    # A position made afresh starts with what is left, once an answer has arrived in time.
    async with asyncio.timeout(DEADLINE):
        first = b"1"
        while first == b"1":
            await bus.forget_consumer(commands())
            async with bus.consume(commands()) as deliveries:
                delivery = await delivered(deliveries)
                first = delivery.message.body
                await delivery.acknowledge()


async def test_replicas_share_a_position(buses: Buses) -> None:
    one, other = buses
    done: list[int] = []

    async def work(bus: Bus) -> None:
        async with bus.consume(commands()) as deliveries:
            async for delivery in deliveries:
                done.append(delivery.message.sequence)
                await delivery.acknowledge()

    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        workers = [group.create_task(work(bus)) for bus in (one, other)]
        sent = await asyncio.gather(
            *(one.publish(Message(subjects.command("apply"), b"")) for _ in range(400))
        )
        while len(done) < len(sent):
            await asyncio.sleep(0.01)
        for task in workers:
            task.cancel()
    assert sorted(done) == sorted(sent)


async def test_a_forgotten_position_starts_again(bus: Bus) -> None:
    await bus.publish(message("a"))
    async with bus.consume(worker("eu")) as deliveries:
        await (await delivered(deliveries)).acknowledge()
    await bus.forget_consumer(worker("eu"))
    await bus.forget_consumer(worker("eu"))
    async with bus.consume(worker("eu")) as deliveries:
        assert (await delivered(deliveries)).message.subject == order("eu", "a")


# Boards.


async def entry(iterator: AsyncIterator[BoardEntry | CaughtUp]) -> BoardEntry | CaughtUp:
    return await asyncio.wait_for(anext(iterator), DEADLINE)


async def test_a_board_keeps_the_last_value_per_key(buses: Buses) -> None:
    one, other = buses
    board, seen = one.board("SECRETS"), other.board("SECRETS")
    assert await seen.get("eu-1") is None
    await board.put("eu-1", b"1")
    await board.put("eu-1", b"2")
    await board.put("odd: name", b"3")
    assert await seen.get("eu-1") == b"2"
    async with seen.follow() as entries:
        assert await entry(entries) == BoardEntry("eu-1", b"2")
        assert await entry(entries) == BoardEntry("odd: name", b"3")
        assert isinstance(await entry(entries), CaughtUp)
        await board.delete("eu-1")
        assert await entry(entries) == BoardEntry("eu-1", None)
    assert await seen.get("eu-1") is None
    async with seen.follow() as entries:
        assert await entry(entries) == BoardEntry("odd: name", b"3")
        assert isinstance(await entry(entries), CaughtUp)


async def test_of_two_who_write_over_the_same_entry_of_a_board_the_second_loses(
    buses: Buses,
) -> None:
    one, other = (bus.board("LEASES") for bus in buses)
    assert (await other.entry("duty")).sequence == 0
    first = await one.put("duty", b"1", expected=0)
    with pytest.raises(StaleRevision):
        await other.put("duty", b"2", expected=0)
    found = await other.entry("duty")
    assert (found.value, found.sequence) == (b"1", first)
    second = await other.put("duty", b"2", expected=first)
    with pytest.raises(StaleRevision):
        await one.put("duty", b"3", expected=first)
    async with one.follow() as entries:
        seen = await entry(entries)
        assert isinstance(seen, BoardEntry)
        assert (seen.value, seen.sequence) == (b"2", second)


async def test_an_entry_that_was_deleted_can_be_put_anew_by_what_is_seen_of_it(
    buses: Buses,
) -> None:
    one, other = (bus.board("LEASES") for bus in buses)
    await one.put("duty", b"1")
    await one.delete("duty")
    gone = await other.entry("duty")
    assert gone.value is None
    await other.put("duty", b"2", expected=gone.sequence)
    assert await one.get("duty") == b"2"


async def test_a_value_on_a_board_expires_unless_it_is_renewed(buses: Buses) -> None:
    one, other = buses
    board = one.board("HEALTH")
    await board.put("eu.hub", b"up", ttl=timedelta(milliseconds=100))
    await board.put("us.hub", b"up", ttl=timedelta(seconds=3600))
    async with other.board("HEALTH").follow() as entries:
        found = [await entry(entries) for _ in range(3)]
        assert isinstance(found[2], CaughtUp)
        await board.put("eu.hub", b"still", ttl=timedelta(seconds=1))
        assert await entry(entries) == BoardEntry("eu.hub", b"still")
        assert await entry(entries) == BoardEntry("eu.hub", None)
    assert await board.get("eu.hub") is None
    assert await board.get("us.hub") == b"up"


# What only a bus behind a network can do.


async def test_another_worker_takes_over_from_one_that_died(nats_server: NatsServer) -> None:
    impatient = replace(worker("eu"), kept=False, ack_wait=timedelta(seconds=1))
    async with AsyncExitStack() as stack:
        doomed = await stack.enter_async_context(connect(nats_server.settings, "doomed"))
        alive = await stack.enter_async_context(connect(nats_server.settings, "alive"))
        await ensure_topology(alive, STREAMS)
        active = await stack.enter_async_context(open_bus(doomed, "test").consume(impatient))
        bus = open_bus(alive, "test")
        await bus.publish(message("a"))
        held = await delivered(active)
        standby = await stack.enter_async_context(bus.consume(impatient))
        # As a dead process would: not a word more.
        await doomed.client.close()
        taken = await delivered(standby)
        assert taken.message.sequence == held.message.sequence


async def test_following_and_working_survive_the_death_of_nats(nats_server: NatsServer) -> None:
    total = 600
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(connect(nats_server.settings, "writer"))
        reader = await stack.enter_async_context(connect(nats_server.settings, "reader"))
        await ensure_topology(writer, STREAMS)
        source, sink = open_bus(writer, "test"), open_bus(reader, "test")
        log = await stack.enter_async_context(sink.follow(WORK, ()))
        assert isinstance(await following(log), CaughtUp)
        deliveries = await stack.enter_async_context(
            sink.consume(replace(worker("eu"), ack_wait=timedelta(seconds=2)))
        )
        done: set[str] = set()

        async def write() -> None:
            for n in range(total):
                while True:
                    try:
                        await source.publish(message(f"app-{n:04}"), expected=0)
                        break
                    except StaleRevision:
                        break
                    except (StoreUnavailable, OutcomeUnknown):
                        await asyncio.sleep(0.02)
                if n in (150, 400):
                    await nats_server.kill()
                    await nats_server.start()

        async def work() -> None:
            while len(done) < total:
                delivery = await delivered(deliveries)
                done.add(delivery.message.subject)
                await delivery.acknowledge()

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(write())
            group.create_task(work())
            seen = [await following(log) for _ in range(total)]
        subjects_seen = [item.subject for item in seen if isinstance(item, Message)]
        assert subjects_seen == [order("eu", f"app-{n:04}") for n in range(total)]


async def test_a_message_too_big_is_invalid(nats_settings: NatsSettings) -> None:
    async with connect(nats_settings, "one") as connection:
        await ensure_topology(connection, STREAMS)
        with pytest.raises(InvalidObject):
            await open_bus(connection, "test").publish(message("a", b"x" * 9_000_000))


async def test_a_slow_reader_gets_everything_all_the_same(nats_settings: NatsSettings) -> None:
    total = 12_000
    async with connect(nats_settings, "one") as connection:
        await ensure_topology(connection, STREAMS)
        bus = open_bus(connection, "test")
        async with bus.follow(WORK, ()) as log:
            assert isinstance(await following(log), CaughtUp)
            await asyncio.gather(
                *(bus.publish(message(f"app-{n}", b"x" * 3000)) for n in range(total))
            )
            found = [await following(log) for _ in range(total)]
    assert len({item.subject for item in found if isinstance(item, Message)}) == total
