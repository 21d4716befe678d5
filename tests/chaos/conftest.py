"""A federation whose every process may be killed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hanse.local.federation import Federation, FederationSettings, start_federation


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    settings = FederationSettings(
        data_dir=tmp_path,
        # A pod's own start is not what is tried here.
        simulator_environment={"HANSE_POD_READY": "0.05", "HANSE_NODE_CPU": "64"},
    )
    async with start_federation(settings) as running:
        yield running
