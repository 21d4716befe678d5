"""What every test may ask for: stores and buses, in memory and on a real nats-server.

A server starts in about 20 ms, so every test that asks for one has its own, in its own folder.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus
from shared.bus.settings import NatsSettings
from shared.bus.topology import STREAMS
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import open_store
from shared.store.memory import MemoryStore
from shared.store.port import ObjectStore

# No test asserts time: on a machine that is busy with something else anything may be slow.
settings.register_profile("hanse", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hanse")

LONG = ("simulation", "chaos", "conformance")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: of several processes none should be left alone with it."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, name in enumerate(LONG) if name in item.path.parts), len(LONG))


@pytest.fixture(autouse=True)
def _logs_go_nowhere_stale() -> Iterator[None]:
    """Undo what a test set up: its streams are closed after it, and who logs later would fail."""
    yield
    structlog.reset_defaults()


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


@pytest.fixture
def memory_bus() -> MemoryBus:
    return MemoryBus("test")


@pytest.fixture(params=["memory", "jetstream"])
async def stores(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[ObjectStore, ObjectStore]]:
    """The same objects as two processes see them."""
    if request.param == "memory":
        only = MemoryStore()
        yield only, only
        return
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(NatsServer(tmp_path / "nats"))
        opened = []
        for name in ("first", "second"):
            connection = await stack.enter_async_context(connect(server.settings, name))
            await ensure_topology(connection, STREAMS)
            opened.append(await stack.enter_async_context(open_store(connection)))
        yield opened[0], opened[1]


@pytest.fixture
def store(stores: tuple[ObjectStore, ObjectStore]) -> ObjectStore:
    return stores[0]


@pytest.fixture(params=["memory", "jetstream"])
async def buses(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Bus, Bus]]:
    """The same bus as two processes see it."""
    if request.param == "memory":
        only = MemoryBus("test")
        yield only, only
        return
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(NatsServer(tmp_path / "nats"))
        opened = []
        for name in ("first", "second"):
            connection = await stack.enter_async_context(connect(server.settings, name))
            await ensure_topology(connection, STREAMS)
            opened.append(open_bus(connection, "test"))
        yield opened[0], opened[1]


@pytest.fixture
def bus(buses: tuple[Bus, Bus]) -> Bus:
    return buses[0]
