"""A member that falls silent while its pods run on: moved away, and not run twice on its return."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hanse.demo import holdings
from hanse.local.federation import Federation, FederationSettings, start_federation
from shared.apimachinery.manifest import Manifest
from shared.errors import RetryableError

DEADLINE = 100.0
REPLICAS = 8
SILENT = "us-1"
pytestmark = pytest.mark.timeout(400)


def manifests() -> list[Manifest]:
    labels = {"app": "web"}
    container = {"name": "web", "image": "registry.example/web:1"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": labels},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    everywhere = {"targetCluster": {}, "weight": 1}
    policy = {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "placement": {
                "replicaScheduling": {
                    "replicaSchedulingType": "Divided",
                    "weightPreference": {"staticWeightList": [everywhere]},
                }
            },
        },
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    return [namespace, deployment, policy]


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    settings = FederationSettings(
        data_dir=tmp_path,
        clusters=2,
        service_environment={
            "HANSE_PROBE_INTERVAL": "0.5",
            "HANSE_PROBE_DEADLINE": "1",
            "HANSE_TOLERATION": "1",
            "HANSE_BRAKE_FLEET_MIN": "3",
        },
        simulator_environment={"HANSE_POD_READY": "0.05"},
    )
    async with start_federation(settings) as running:
        yield running


async def until(what: str, check: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    if await check():
                        return
                except RetryableError:
                    pass
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"not within {DEADLINE} s: {what}")


async def test_a_silent_member_is_replaced_and_gives_up_its_share_when_it_returns(
    federation: Federation,
) -> None:
    members = federation.members
    for manifest in manifests():
        await federation.hub.apply(manifest)

    async def runs(**shares: int) -> bool:
        asked = {name: members[name] for name in members if name.replace("-", "_") in shares}
        found = await holdings.ready_pods(asked, "app=web")
        return {name.replace("-", "_"): count for name, count in found.items()} == shares

    await until("both run half", lambda: runs(eu_1=4, us_1=4))

    pid = federation.supervisor.child(f"member-{SILENT}").pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        await until("the other runs all", lambda: runs(eu_1=8))
    finally:
        os.kill(pid, signal.SIGCONT)

    # It still runs its four. What comes back to it may only come when they count again.
    seen: list[int] = []

    async def settled() -> bool:
        found = await holdings.ready_pods(members, "app=web")
        seen.append(sum(found.values()))
        return sum(found.values()) == REPLICAS and set(found.values()) == {4}

    await until("both run half again", settled)
    # Four of the silent one and the eight that replaced it, and never more.
    assert max(seen) <= REPLICAS + 4
    assert min(seen) >= REPLICAS
