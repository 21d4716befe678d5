"""Two of every service: the one at work is killed, or told to stop, and work goes on."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hanse.hub import Hub
from hanse.local.federation import Federation, FederationSettings, start_federation
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.bus.jetstream import connect, open_bus
from shared.bus.port import CaughtUp
from shared.bus.topology import EVENTS
from shared.events.lease import LeaseAcquired, decode_lease_fact
from tests.chaos import boutique
from tests.chaos.balancer import open_balanced_hub
from tests.chaos.insist import insist
from tests.chaos.restarting import readiness, restart, until_ready
from tests.chaos.wholeness import DEADLINE, remove, until_whole

pytestmark = pytest.mark.timeout(600)

PAUSE = 0.01
DUTIES = {
    "scheduler": "scheduler",
    "dispatch": "propagator",
    "health": "health",
    "registry": "registry",
}
"""Duty -> the service that has it."""


@pytest.fixture
async def doubled(tmp_path: Path) -> AsyncIterator[Federation]:
    """A federation of two of every service, all of them ready."""
    settings = FederationSettings(
        data_dir=tmp_path,
        replicas=2,
        # Whoever stands before the gateways looks more often than that.
        service_environment={"HANSE_DRAIN": "1"},
        # A pod's own start is not what is tried here.
        simulator_environment={"HANSE_POD_READY": "0.05", "HANSE_NODE_CPU": "64"},
    )
    async with start_federation(settings) as federation:
        for service in DUTIES.values():
            await until_ready(federation, f"{service}-2")
        yield federation


async def at_work(federation: Federation, duty: str, *, but: str = "") -> str:
    """The process that carries out *duty*; wait until it is another one than *but*."""
    service = DUTIES[duty]
    async with asyncio.timeout(DEADLINE):
        while True:
            for name in {service, f"{service}-2"} - {but}:
                if f"lease {duty}: held" in await readiness(federation, name):
                    return name
            await asyncio.sleep(0.05)


async def terms(federation: Federation) -> dict[str, int]:
    """Duty -> the last term that was told of."""
    found: dict[str, int] = {}
    async with connect(federation.nats, "test") as connection:
        bus = open_bus(connection, "test")
        async with bus.follow(EVENTS, ["hanse.events.lease.acquired.>"]) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    break
                fact = decode_lease_fact(message.body)
                if isinstance(fact, LeaseAcquired):
                    found[fact.lease] = fact.term
    return found


async def test_whoever_is_killed_at_work_is_followed_by_another(doubled: Federation) -> None:
    federation, shop = doubled, boutique.manifests()
    await federation.hub.apply(boutique.POLICY)
    for manifest in shop:
        await insist(lambda manifest=manifest: federation.hub.apply(manifest))
    await until_whole(federation, shop)
    before = await terms(federation)

    for revision, duty in enumerate(DUTIES, start=1):
        victim = await at_work(federation, duty)
        shop = boutique.rolled_out(shop, revision)
        for number, manifest in enumerate(shop):
            if number == len(shop) // 2:
                # It stays away, so that only the other can go on.
                federation.supervisor.child(victim).hold()
            await insist(lambda manifest=manifest: federation.hub.apply(manifest))
        await until_whole(federation, shop)
        assert await at_work(federation, duty) != victim
        federation.supervisor.child(victim).release()
        await until_ready(federation, victim)

    after = await terms(federation)
    assert all(after[duty] > before[duty] for duty in DUTIES)


async def test_whoever_is_stopped_and_goes_on_later_undoes_nothing(doubled: Federation) -> None:
    federation, shop = doubled, boutique.manifests()
    await federation.hub.apply(boutique.POLICY)
    for manifest in shop:
        await insist(lambda manifest=manifest: federation.hub.apply(manifest))
    await until_whole(federation, shop)

    for revision, duty in enumerate(("scheduler", "dispatch", "health"), start=1):
        victim = await at_work(federation, duty)
        pid = federation.supervisor.child(victim).pid
        assert pid is not None
        # In the middle of its work: it has much in hand, and will not know that it is late.
        shop = boutique.rolled_out(shop, revision)
        for manifest in shop[: len(shop) // 2]:
            await insist(lambda manifest=manifest: federation.hub.apply(manifest))
        os.kill(pid, signal.SIGSTOP)
        try:
            gone, *shop = boutique.rolled_out(shop, 100 + revision)
            await remove(federation, gone)
            for manifest in shop:
                await insist(lambda manifest=manifest: federation.hub.apply(manifest))
            await until_whole(federation, shop)
            await at_work(federation, duty, but=victim)
        finally:
            os.kill(pid, signal.SIGCONT)
        await until_ready(federation, victim)
        # Whatever it does at once, it has done by now.
        await asyncio.sleep(3.0)
        await until_whole(federation, shop)


async def test_a_rolling_restart_under_load_loses_nothing_and_fails_no_request(
    doubled: Federation,
) -> None:
    federation, shop = doubled, boutique.manifests()
    await federation.hub.apply(boutique.POLICY)
    async with open_balanced_hub(federation) as hub, asyncio.TaskGroup() as group:
        changes = group.create_task(keep_changing(hub, shop))
        looks = group.create_task(keep_looking(hub))
        for service in ("gateway", *DUTIES.values()):
            for name in (service, f"{service}-2"):
                await restart(federation, name)
        changes.cancel()
        looks.cancel()
    shop = boutique.rolled_out(shop, 1_000)
    for manifest in shop:
        await federation.hub.apply(manifest)
    await until_whole(federation, shop)


async def keep_changing(hub: Hub, shop: list[Manifest]) -> None:
    """Whatever fails is raised: nobody asks twice."""
    for revision in itertools.count(1):
        for manifest in boutique.rolled_out(shop, revision):
            await hub.apply(manifest)
            await asyncio.sleep(PAUSE)


async def keep_looking(hub: Hub) -> None:
    while True:
        for gvk in {GroupVersionKind.of(manifest) for manifest in boutique.manifests()}:
            await hub.list(gvk)
            await asyncio.sleep(PAUSE)
