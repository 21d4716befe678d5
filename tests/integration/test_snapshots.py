"""A snapshot of a stream from which messages are removed while it is read: nothing is left out."""

import asyncio
from datetime import timedelta

import pytest

from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.jetstream import tail as tails
from shared.bus.jetstream.tail import Entry, Tail
from shared.bus.port import Message
from shared.bus.settings import NatsSettings
from shared.bus.topology import WORK

COUNT = 3_000


class Reader:
    """Takes what comes, and has no room for more until it is let go."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.complete = asyncio.Event()
        self.free = False

    def take(self, entry: Entry) -> None:
        self.sequences.append(entry.sequence)

    async def until_held_up(self) -> int:
        """The sequence at which the server waits for us."""
        held = -1
        while not self.sequences or held != len(self.sequences):
            held = len(self.sequences)
            await asyncio.sleep(0.2)
        return self.sequences[-1]


@pytest.mark.parametrize("keeps_last_only", [True, False])
async def test_what_is_removed_meanwhile_hides_nothing_else(
    nats_settings: NatsSettings, monkeypatch: pytest.MonkeyPatch, *, keeps_last_only: bool
) -> None:
    monkeypatch.setattr(tails, "HEARTBEAT", timedelta(milliseconds=100))
    async with connect(nats_settings, "test") as connection:
        await ensure_topology(connection, [WORK])
        bus = open_bus(connection, "test")
        names = [f"hanse.work.eu-1.core.configmaps.default.item-{n}" for n in range(COUNT)]
        sequences = await asyncio.gather(
            *(bus.publish(Message(name, b"x" * 2_000, {})) for name in names)
        )
        reader = Reader()
        tail = Tail(
            connection,
            WORK.name,
            WORK.subjects,
            on_restart=reader.sequences.clear,
            on_message=reader.take,
            on_complete=lambda _: reader.complete.set(),
            absence_max=timedelta(hours=1),
            keeps_last_only=keeps_last_only,
            has_room=lambda: reader.free,
        )
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            running = group.create_task(tail.run())
            reached = await reader.until_held_up()
            assert reached < sequences[-1]
            gone = {one for one in sequences if one > reached and one % 7 == 0}
            for name, sequence in zip(names, sequences, strict=True):
                if sequence in gone:
                    await bus.purge(WORK, name, up_to=sequence)
            reader.free = True
            await tail.resume()
            await reader.complete.wait()
            running.cancel()
    assert set(reader.sequences) == set(sequences) - gone
