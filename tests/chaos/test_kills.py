"""Every process of Hanse killed in the middle of a rollout: nothing is lost and nothing is left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hanse.demo import holdings
from hanse.federation import SERVICES, Federation, FederationSettings, start_federation
from shared.api.meta import API_VERSION
from shared.apimachinery.manifest import GroupVersionKind, Manifest, name_of, namespace_of
from shared.errors import RetryableError
from tests.chaos import boutique

DEADLINE = 100.0
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    settings = FederationSettings(
        data_dir=tmp_path,
        # A pod's own start is not what is tried here.
        simulator_environment={"HANSE_POD_READY": "0.05", "HANSE_NODE_CPU": "64"},
    )
    async with start_federation(settings) as running:
        yield running


async def insist(call: Callable[[], Awaitable[object]]) -> None:
    """Do as a careful client does: try again until there is an answer."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                await call()
            except RetryableError:
                await asyncio.sleep(0.1)
            else:
                return


async def until_whole(federation: Federation, manifests: list[Manifest]) -> None:
    """Wait until every member holds exactly what was decided, with the newest images."""
    problems: list[str] = ["never looked"]
    try:
        async with asyncio.timeout(DEADLINE):
            while problems:
                try:
                    problems = await faults(federation, manifests)
                except RetryableError as err:
                    problems = [str(err)]
                if problems:
                    await asyncio.sleep(0.2)
    except TimeoutError:
        works = await unapplied(federation)
        pytest.fail(f"not whole after {DEADLINE} s: {problems[:10]}; not applied: {works[:10]}")


async def unapplied(federation: Federation) -> list[str]:
    """What Hanse itself says of works that are not as ordered, and how many it knows."""
    works = await federation.hub.list(GroupVersionKind.parse(API_VERSION, "Work"))
    waiting = [
        f"{name_of(work)}: {work.get('status')}"
        for work in works
        if not any(
            each["type"] == "Applied" and each["status"] == "True"
            for each in (work.get("status") or {}).get("conditions", ())
        )
    ]
    return [f"{len(works)} works", *waiting]


async def faults(federation: Federation, manifests: list[Manifest]) -> list[str]:
    comparison = await holdings.compare(federation.hub, federation.members)
    found = await holdings.read_fleet(federation.members)
    problems = comparison.problems()
    for manifest in manifests:
        for cluster in federation.members:
            kind = GroupVersionKind.of(manifest)
            held = holdings.Held(
                cluster, kind.group, kind.kind, namespace_of(manifest), name_of(manifest)
            )
            if held not in found:
                problems.append(f"missing: {held}")
            elif kind.kind == "Deployment" and images(found[held]) != images(manifest):
                problems.append(f"old image: {held}")
    return problems


def images(manifest: Manifest) -> list[str]:
    return [each["image"] for each in manifest["spec"]["template"]["spec"]["containers"]]


async def test_killing_each_process_during_a_rollout_loses_nothing(
    federation: Federation,
) -> None:
    shop = boutique.manifests()
    await federation.hub.apply(boutique.POLICY)
    for manifest in shop:
        await federation.hub.apply(manifest)
    await until_whole(federation, shop)

    for revision, victim in enumerate(("nats", *SERVICES), start=1):
        shop = boutique.rolled_out(shop, revision)
        for number, manifest in enumerate(shop):
            if number == len(shop) // 2:
                federation.supervisor.child(victim).kill()
            await insist(lambda manifest=manifest: federation.hub.apply(manifest))
        await until_whole(federation, shop)

    kept, *rest = shop
    for number, manifest in enumerate(rest):
        if number == len(rest) // 2:
            federation.supervisor.child("propagator").kill()
        await remove(federation, manifest)
    await until_whole(federation, [kept])

    # What was removed stays so: whoever reads everything anew finds nothing of it.
    propagator = federation.supervisor.child("propagator")
    propagator.hold()
    for victim in ("nats", "gateway"):
        federation.supervisor.child(victim).kill()
    await until_whole(federation, [kept])
    assert await unapplied(federation) == [f"{len(federation.members)} works"]
    propagator.release()
    await remove(federation, kept)
    await until_whole(federation, [])
    assert await holdings.read_fleet(federation.members) == {}


async def remove(federation: Federation, manifest: Manifest) -> None:
    kind, name = GroupVersionKind.of(manifest), name_of(manifest)
    await insist(lambda: federation.hub.delete(kind, boutique.NAMESPACE, name))
