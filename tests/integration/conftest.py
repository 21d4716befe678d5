"""An API server over memory, and a client of it; modules that need another one say so."""

from collections.abc import AsyncIterator

import pytest

from tests.served_api import Client, Served, served_api


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with served_api() as found:
        yield found


@pytest.fixture
def client(served: Served) -> Client:
    return served.client
