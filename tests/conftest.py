"""What every test may ask for: stores and buses, in memory and on a real nats-server.

A server starts in about 20 ms, so every test that asks for one has its own, in its own folder.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.bus.settings import NatsSettings
from shared.runtime.nats_server import NatsServer
from shared.store.memory import MemoryStore


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write what scenarios give as their golden"
    )


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
def nats_settings(nats_server: NatsServer) -> NatsSettings:
    return nats_server.settings


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    return nats_server.url


@pytest.fixture
def memory_store() -> MemoryStore:
    return MemoryStore()
