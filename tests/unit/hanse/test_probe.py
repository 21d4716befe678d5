"""Health checks: ready, not ready, and not there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hanse import probe
from hanse.local.layout import free_port
from services.simulator.service import open_cluster
from services.simulator.settings import Settings
from shared.runtime.nats_server import NatsServer
from shared.runtime.probes import ProbeSettings, Readiness, serve_probes


async def check(*arguments: str) -> int:
    """Run the probe beside the loop that answers it."""
    return await asyncio.to_thread(probe.main, list(arguments))


async def test_a_service_is_ready_once_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    readiness = Readiness()
    async with serve_probes(ProbeSettings(), readiness) as port:
        url = f"http://127.0.0.1:{port}/readyz"
        assert await check(url) == 1
        assert "not ready: started" in capsys.readouterr().err

        readiness.started = True
        assert await check(url) == 0

        assert await check(f"http://127.0.0.1:{port}/nowhere") == 1


async def test_a_simulated_member_is_believed_by_its_own_authority_only(tmp_path: Path) -> None:
    async with open_cluster(Settings(folder=tmp_path)) as member:
        url = f"https://127.0.0.1:{member.listening.port}/readyz"
        authority = str(tmp_path / "tls" / "ca.crt")
        assert await check(url, "--authority", authority) == 0
        assert await check(url) == 1


async def test_nats_is_ready_when_it_greets_with_jetstream(nats_server: NatsServer) -> None:
    assert await check(nats_server.url) == 0


@asynccontextmanager
async def greeting(words: bytes) -> AsyncIterator[int]:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "words",
    [b"", b"INFO\r\n", b'INFO {"server_id":"A"}\r\n', b"INFO {\r\n", b"SSH-2.0\r\n"],
)
async def test_another_greeting_is_not_nats(words: bytes) -> None:
    async with greeting(words) as port:
        assert await check(f"nats://127.0.0.1:{port}") == 1


@pytest.mark.parametrize("scheme", ["http", "https", "nats"])
async def test_where_nobody_listens_nothing_is_ready(
    scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{scheme}://127.0.0.1:{free_port()}"
    assert await check(url) == 1
    assert f"{url} is not ready" in capsys.readouterr().err
