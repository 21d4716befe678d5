"""What every test may ask for: a store in memory; real NATS comes with `nats_settings`."""

import pytest

from shared.store.memory import MemoryStore


@pytest.fixture
def memory_store() -> MemoryStore:
    return MemoryStore()
