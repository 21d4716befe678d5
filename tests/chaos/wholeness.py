"""When the members of a federation under chaos are whole, and removing from it."""

import asyncio

import pytest

from hanse.demo import holdings
from hanse.local.federation import Federation
from shared.api.meta import API_VERSION
from shared.apimachinery.manifest import GroupVersionKind, Manifest, name_of, namespace_of
from shared.errors import RetryableError
from tests.chaos import boutique
from tests.chaos.insist import insist

DEADLINE = 100.0


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


async def ordered(federation: Federation) -> set[str]:
    """The works that members must hold; an order to remove one may still be on its way out."""
    works = await federation.hub.list(GroupVersionKind.parse(API_VERSION, "Work"))
    return {name_of(work) for work in works if not work["spec"].get("deleted")}


async def until_empty(federation: Federation) -> None:
    """Wait until no member holds anything of Hanse's; the hub may have forgotten it before."""
    left: object = None
    try:
        async with asyncio.timeout(DEADLINE):
            while left := await holdings.read_fleet(federation.members):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"members still hold {left}") from None


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


async def remove(federation: Federation, manifest: Manifest) -> None:
    kind, name = GroupVersionKind.of(manifest), name_of(manifest)
    await insist(lambda: federation.hub.delete(kind, boutique.NAMESPACE, name))
