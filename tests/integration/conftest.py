"""What several modules stand on; a module that needs another one says so itself."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest

from shared.memberapi.credentials import MemberCredentials
from tests.integration.either_member import Ground, standing_on
from tests.integration.real_members import EAST, WEST
from tests.kube_apiserver import find_assets, run_kube_apiserver
from tests.served_api import Client, Served, served_api


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """An API server over memory."""
    async with served_api() as found:
        yield found


@pytest.fixture
def client(served: Served) -> Client:
    return served.client


@pytest.fixture(scope="module")
def kube_apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemberCredentials]:
    find_assets()
    with run_kube_apiserver(tmp_path_factory.mktemp("kube-apiserver")) as found:
        yield found


@pytest.fixture(scope="module")
def kube_apiservers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, MemberCredentials]]:
    """Two of them, by the names of members."""
    find_assets()
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(run_kube_apiserver(tmp_path_factory.mktemp(name)))
            for name in (EAST, WEST)
        }


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.kube_apiserver)])
async def ground(request: pytest.FixtureRequest) -> AsyncIterator[Ground]:
    """A federation of one member, of either make."""
    real = request.param == "real"
    async with standing_on(request.getfixturevalue("kube_apiserver") if real else None) as found:
        yield found
