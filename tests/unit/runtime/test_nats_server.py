"""The embedded server: private files, loopback, the same data after a restart."""

import asyncio
import stat
from pathlib import Path

import pytest

from shared.bus.jetstream import connect, ensure_topology
from shared.bus.topology import WORK
from shared.runtime.nats_server import NatsServer, NatsServerFailed, read_credentials


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_secrets_are_the_owners_alone_and_made_once(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats")
    async with server:
        first = read_credentials(server.credentials_file)
        assert mode(server.credentials_file) == mode(server.config_file) == 0o600
        assert server.url.startswith("nats://127.0.0.1:")
    async with NatsServer(tmp_path / "nats"):
        assert read_credentials(server.credentials_file) == first
    assert first.password not in repr(first)
    assert first.password not in server.log_file.read_text()


async def test_the_same_folder_resumes_the_same_data(tmp_path: Path) -> None:
    async with (
        NatsServer(tmp_path / "nats") as server,
        connect(server.settings, "one") as connection,
    ):
        await ensure_topology(connection, [WORK])
        await connection.publish("hanse.work.eu.a", b"kept")
    async with (
        NatsServer(tmp_path / "nats") as server,
        connect(server.settings, "two") as connection,
    ):
        found = await connection.last_message(WORK.name, "hanse.work.eu.a")
        assert found is not None
        assert found.body == b"kept"


async def test_a_taken_port_is_told_plainly(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with taken:
        port = taken.sockets[0].getsockname()[1]
        with pytest.raises(NatsServerFailed):
            async with NatsServer(tmp_path / "nats", port=port):
                pass
