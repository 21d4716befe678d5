"""A nats-server with little room: what streams may grow to is set aside once."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.bus.jetstream import connect, ensure_topology
from shared.bus.settings import NatsSettings
from shared.bus.topology import EVENTS, MEBIBYTE
from shared.errors import StoreUnavailable
from shared.runtime.nats_server import find_binary
from tests.processes import child, free_ports

ROOM = EVENTS.bytes_max * 3 // 2


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NatsSettings]:
    """A server that takes the largest stream once and not twice."""
    (port,) = free_ports(1)
    config = tmp_path / "nats.conf"
    store = json.dumps(str(tmp_path / "store"))
    config.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: {store}, max_file_store: {ROOM} }}\n'
    )
    with child([str(find_binary()), "-c", str(config)], tmp_path / "nats.log"):
        yield NatsSettings(url=f"nats://127.0.0.1:{port}")


async def test_streams_that_are_there_need_no_more_room_when_a_service_starts_again(
    small: NatsSettings,
) -> None:
    for name in ("first", "second"):
        async with connect(small, name) as connection:
            await ensure_topology(connection, [EVENTS])


async def test_a_stream_for_which_there_is_no_room_is_refused_and_says_how_much_it_needs(
    small: NatsSettings,
) -> None:
    another = replace(EVENTS, name="ANOTHER", subjects=("another.>",))
    async with connect(small, "test") as connection:
        await ensure_topology(connection, [EVENTS])
        with pytest.raises(StoreUnavailable, match=f"with {EVENTS.bytes_max // MEBIBYTE} MiB set"):
            await ensure_topology(connection, [another])
