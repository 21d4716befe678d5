"""A member that comes back from a backup: with what was removed, and without what was changed."""

import msgspec
import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.topology import WORK
from shared.events import subjects
from shared.events.work import is_end
from shared.events.work_facts import WorkStrayed
from tests.federation import (
    Federation,
    TestMember,
    config_map,
    config_map_key,
    eventually,
)

KEPT, GONE, FOREIGN = (config_map_key(name) for name in ("kept", "gone", "foreign"))


async def place(federation: Federation, key: ObjectKey) -> Manifest:
    """Have the member hold it; returns it as it is there."""
    await federation.write(key, config_map(key.name))
    await federation.bind(key, {"eu-1": None})
    member = federation.members["eu-1"]
    return dict(await eventually(lambda: member.get("configmaps", key.name)))


async def remove(federation: Federation, key: ObjectKey) -> None:
    """Take it away again, and wait until that is over for everybody."""
    await federation.delete(
        ObjectKey("hanse.dev", "resourcebindings", "shop", f"{key.name}-configmap")
    )
    await federation.delete(key)

    async def over() -> bool:
        last = await federation.bus.last(WORK, subjects.work("eu-1", key))
        return last is not None and is_end(last.headers)

    await eventually(over)


async def bring_back(member: TestMember, key: ObjectKey, backup: Manifest) -> None:
    assert not member.get("configmaps", key.name)
    await member.store.create(key, backup)


@pytest.mark.parametrize("last", [False, True], ids=["of-several", "the-last-of-its-kind"])
async def test_what_was_removed_is_removed_again_though_another_worker_did_it_then(
    *, last: bool
) -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    # The member's own, so that it does not go, with all that is in it.
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    await member.store.create(ObjectKey("", "namespaces", "", "shop"), shop)
    async with federation.serving(), federation.dispatching():
        async with federation.applying():
            if not last:
                await place(federation, KEPT)
            backup = await place(federation, GONE)
            await remove(federation, GONE)
        await bring_back(member, GONE, backup)
        # Of this one nobody here ever heard.
        await bring_back(
            member, FOREIGN, {**backup, "metadata": {**backup["metadata"], "name": "foreign"}}
        )
        async with federation.applying():
            await eventually(lambda: not member.get("configmaps", "gone"))
            (told,) = await eventually(lambda: federation.facts("work", "strayed"))
            assert msgspec.json.decode(told, type=WorkStrayed).name == "foreign"
        assert bool(member.get("configmaps", "kept")) is not last
        assert member.get("configmaps", "foreign")


@pytest.mark.parametrize("bump", [0, 10_000], ids=["set-back", "counting-on"])
async def test_what_was_changed_since_is_changed_again(bump: int) -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    mirror = member.store._mirror
    async with federation.serving(), federation.dispatching(), federation.applying():
        await place(federation, KEPT)
        backup, revision = tuple(mirror.items()), mirror.revision
        await federation.write(KEPT, config_map("kept", "2", generation=2))
        await federation.bind(KEPT, {"eu-1": None})
        await eventually(lambda: member.get("configmaps", "kept")["data"] == {"a": "2"})

        # Who watches is cut off, as by an API server that ends.
        mirror.replace(backup, mirror.revision + bump if bump else revision)
        assert member.get("configmaps", "kept")["data"] == {"a": "1"}

        await eventually(lambda: member.get("configmaps", "kept")["data"] == {"a": "2"})


async def test_of_a_kind_that_nobody_orders_any_more_too() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    async with federation.serving(), federation.dispatching():
        async with federation.applying():
            backup = await place(federation, GONE)
            await remove(federation, GONE)
        await bring_back(member, GONE, backup)
        async with federation.applying():
            await eventually(lambda: not member.get("configmaps", "gone"))


async def test_what_comes_back_while_its_end_is_waited_for_is_removed_again() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    mirror = member.store._mirror
    async with federation.serving(), federation.dispatching(), federation.applying():
        held = await place(federation, GONE)
        backup, revision = tuple(mirror.items()), mirror.revision
        # Somebody's finalizer keeps it there for now.
        finalized = {**held, "metadata": {**held["metadata"], "finalizers": ["acme.example/x"]}}
        stored = await member.store.get(GONE)
        assert stored is not None
        await member.store.update(GONE, finalized, expected=stored.revision)
        binding = ObjectKey("hanse.dev", "resourcebindings", "shop", "gone-configmap")
        await federation.delete(binding)
        await eventually(
            lambda: member.get("configmaps", "gone")["metadata"].get("deletionTimestamp")
        )
        mirror.replace(backup, revision)
        await eventually(lambda: not member.get("configmaps", "gone"))
