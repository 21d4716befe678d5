"""Reading as new, or as old, as one likes: over memory and a real nats-server."""

import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.errors import RevisionAhead
from shared.store.port import Change, ChangeType, ObjectStore, Revision, Scope

Stores = tuple[ObjectStore, ObjectStore]
MAPS = Scope("", "configmaps")


def key(name: str, namespace: str = "default") -> ObjectKey:
    return ObjectKey("", "configmaps", namespace, name)


def manifest(name: str, **data: str) -> Manifest:
    return {"kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_a_list_of_the_past_is_what_a_list_was_then(stores: Stores) -> None:
    one, other = stores
    for name in "abc":
        await one.create(key(name), manifest(name, step="1"))
    then = await other.list(MAPS)

    found = {item.key.name: item for item in then.items}
    await one.update(key("a"), manifest("a", step="2"), expected=found["a"].revision)
    await one.delete(key("b"), found["b"].manifest, expected=found["b"].revision)
    await one.create(key("b"), manifest("b", step="3"))
    await one.create(key("d"), manifest("d"))
    for store in stores:
        past = await store.list_at(MAPS, then.revision)
        assert past.revision == then.revision
        assert [item.manifest for item in past.items] == [item.manifest for item in then.items]


async def test_a_list_of_the_past_keeps_to_its_scope(store: ObjectStore) -> None:
    first = await store.create(key("a"), manifest("a"))
    elsewhere = await store.create(key("a", "elsewhere"), manifest("a"))
    await store.delete(key("a", "elsewhere"), manifest("a"), expected=elsewhere.revision)
    past = await store.list_at(Scope("", "configmaps", "default"), elsewhere.revision)
    assert [item.revision for item in past.items] == [first.revision]


async def test_what_nobody_wrote_yet_cannot_be_read(store: ObjectStore) -> None:
    created = await store.create(key("a"), manifest("a"))
    ahead = Revision(created.revision + 1000)
    with pytest.raises(RevisionAhead):
        await store.get(key("a"), not_older_than=ahead)
    with pytest.raises(RevisionAhead):
        await store.list(MAPS, not_older_than=ahead)
    with pytest.raises(RevisionAhead):
        await store.list_at(MAPS, ahead)


async def test_what_another_process_has_just_written_is_waited_for(stores: Stores) -> None:
    one, other = stores
    for number in range(30):
        created = await one.create(key(f"m{number}"), manifest("m"))
        found = await other.get(created.key, not_older_than=created.revision)
        assert found is not None
        listing = await other.list(MAPS, not_older_than=created.revision)
        assert created.revision in {item.revision for item in listing.items}


async def test_a_batch_is_all_there_is_by_now(store: ObjectStore) -> None:
    created = [await store.create(key(f"m{number}"), manifest("m")) for number in range(5)]
    await store.list(MAPS)
    async with store.watch(MAPS, since=created[0].revision) as watch:
        batch = await watch.batch()
        assert [_told(change) for change in batch] == [
            (ChangeType.ADDED, one.revision) for one in created[1:]
        ]
        late = await store.create(key("late"), manifest("late"))
        assert [_told(change) for change in await watch.batch()] == [
            (ChangeType.ADDED, late.revision)
        ]


def _told(change: Change) -> tuple[ChangeType, Revision]:
    return change.type, change.stored.revision
