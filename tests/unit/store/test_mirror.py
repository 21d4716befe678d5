import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import ObjectKey
from shared.errors import RevisionExpired
from shared.store.mirror import ObjectMirror
from shared.store.port import EVERYTHING, Revision, Scope, Stored, StoreLimits

MAPS = Scope("", "configmaps")
KIBIBYTE = 1024


def stored(name: str, revision: int, size: int = 0) -> Stored:
    key = ObjectKey("", "configmaps", "default", name)
    body = b'{"metadata":{"name":"%b"},"data":"%b"}' % (name.encode(), b"x" * size)
    return Stored(key, Revision(revision), encoded=body)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30))
def test_any_revision_of_the_log_can_be_listed_again(steps):
    mirror = ObjectMirror(StoreLimits())
    seen = {}
    for revision, (name, present) in enumerate(steps, start=1):
        if present:
            mirror.put(stored(name, revision))
        else:
            mirror.remove(stored(name, revision))
        seen[revision] = [(one.key.name, one.revision) for one in mirror.listing(MAPS).items]
    for revision, expected in seen.items():
        past = mirror.listing_at(MAPS, Revision(revision))
        assert [(one.key.name, one.revision) for one in past.items] == expected


def test_history_is_bounded_by_its_size_too():
    mirror = ObjectMirror(StoreLimits(history=1_000, history_bytes=10 * KIBIBYTE))
    for revision in range(1, 101):
        mirror.put(stored("a", revision, size=KIBIBYTE))
    mirror.open_watch(EVERYTHING, Revision(95))
    with pytest.raises(RevisionExpired):
        mirror.open_watch(EVERYTHING, Revision(80))
    with pytest.raises(RevisionExpired):
        mirror.listing_at(EVERYTHING, Revision(80))


async def test_a_watcher_is_cut_by_the_size_of_what_it_is_behind():
    limits = StoreLimits(watch_backlog=1_000, watch_backlog_bytes=4 * KIBIBYTE)
    mirror = ObjectMirror(limits)
    slow, quick = (mirror.open_watch(EVERYTHING, Revision(0)) for _ in range(2))
    for revision in range(1, 11):
        mirror.put(stored("a", revision, size=KIBIBYTE))
        assert len(await quick.batch()) == 1
    with pytest.raises(RevisionExpired):
        await slow.batch()


async def test_one_object_larger_than_the_backlog_is_still_handed_out():
    mirror = ObjectMirror(StoreLimits(watch_backlog_bytes=KIBIBYTE))
    watch = mirror.open_watch(EVERYTHING, Revision(0))
    mirror.put(stored("a", 1, size=4 * KIBIBYTE))
    assert [change.stored.revision for change in await watch.batch()] == [1]


def test_lists_stand_in_the_order_of_etcd():
    mirror = ObjectMirror(StoreLimits())
    for revision, namespace in enumerate(("a", "a-b", "b"), start=1):
        key = ObjectKey("", "configmaps", namespace, "x")
        mirror.put(Stored(key, Revision(revision), {"metadata": {}}))
    order = [one.key.namespace for one in mirror.listing(MAPS).items]
    # "-" comes before "/".
    assert order == ["a-b", "a", "b"]
