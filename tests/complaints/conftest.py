"""A small federation at work over a nats-server, for every test of complaints that needs one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.federation import Federation, on_jetstream
from tests.scheduled_federation import scheduled_federation


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    """Two members, dispatch and apply running."""
    async with on_jetstream(tmp_path, ["eu-1", "us-1"]) as found:
        yield found


@pytest.fixture
async def unattended(tmp_path: Path) -> AsyncIterator[Federation]:
    """Two members; their workers come and go as a test says."""
    async with on_jetstream(tmp_path, ["eu-1", "us-1"], applying=False) as found:
        yield found


@pytest.fixture
async def scheduled(tmp_path: Path) -> AsyncIterator[Federation]:
    """The two members, and a scheduler that goes by policies."""
    async with scheduled_federation(tmp_path, "eu-1", "us-1") as found:
        yield found
