"""With a real garbage collector in the member: what depends on an object goes as it was asked."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.apimachinery.manifest import Manifest, uid_of
from shared.memberapi.credentials import MemberCredentials
from tests.integration.either_member import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    Ground,
    a_config_map,
    a_deployment,
    standing_on,
)
from tests.kube_apiserver import find_assets, run_controllers, run_kube_apiserver

pytestmark = pytest.mark.kube_apiserver

HOLD = "example.com/hold"
FREE: Manifest = {"metadata": {"finalizers": None}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kube-apiserver")


@pytest.fixture(scope="module")
def credentials(folder: Path) -> Iterator[MemberCredentials]:
    find_assets()
    with run_kube_apiserver(folder) as found, run_controllers(folder, found) as running:
        if not running:
            pytest.skip("KUBEBUILDER_ASSETS has no kube-controller-manager")
        yield found


@pytest.fixture
async def ground(credentials: MemberCredentials) -> AsyncIterator[Ground]:
    async with standing_on(credentials) as found:
        yield found


async def a_dependent(ground: Ground, owner: str) -> str:
    """Something of the member's own that depends on *owner*, and is held by a finalizer."""
    live = await ground.live(DEPLOYMENTS, owner)
    dependent = a_config_map(f"{owner}-dependent")
    dependent["metadata"] |= {
        "finalizers": [HOLD],
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": owner,
                "uid": uid_of(live),
                "blockOwnerDeletion": True,
            }
        ],
    }
    await ground.theirs(CONFIG_MAPS, dependent)
    return f"{owner}-dependent"


def is_going(live: Manifest) -> bool:
    return bool(live["metadata"].get("deletionTimestamp"))


async def test_in_the_foreground_dependents_go_first(ground: Ground) -> None:
    binding = await ground.order(DEPLOYMENTS, a_deployment("front"))
    await ground.applied(DEPLOYMENTS, "front")
    dependent = await a_dependent(ground, "front")
    await ground.take_back(binding, foreground=True)
    await ground.until_live(CONFIG_MAPS, dependent, is_going)
    assert is_going(await ground.live(DEPLOYMENTS, "front"))
    assert await ground.federation.store.get(binding) is not None
    await ground.edit(CONFIG_MAPS, dependent, FREE)
    await ground.until_parted(binding)
    assert not await ground.live(DEPLOYMENTS, "front")


async def test_in_the_background_they_follow(ground: Ground) -> None:
    binding = await ground.order(DEPLOYMENTS, a_deployment("back"))
    await ground.applied(DEPLOYMENTS, "back")
    dependent = await a_dependent(ground, "back")
    await ground.take_back(binding)
    await ground.until_parted(binding)
    assert not await ground.live(DEPLOYMENTS, "back")
    await ground.until_live(CONFIG_MAPS, dependent, is_going)
    await ground.edit(CONFIG_MAPS, dependent, FREE)
    await ground.until_gone(CONFIG_MAPS, dependent)


async def test_orphaned_nothing_goes(ground: Ground) -> None:
    binding = await ground.order(DEPLOYMENTS, a_deployment("kept"))
    await ground.applied(DEPLOYMENTS, "kept")
    dependent = await a_dependent(ground, "kept")
    await ground.take_back(binding, orphan=True)
    await ground.until_parted(binding)
    assert not is_going(await ground.live(DEPLOYMENTS, "kept"))
    assert not is_going(await ground.live(CONFIG_MAPS, dependent))
