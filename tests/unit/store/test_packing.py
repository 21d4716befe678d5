"""Objects at rest: what is packed reads as before, and what changed lately is not packed."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import Manifest, ObjectKey, encode
from shared.store.mirror import ObjectMirror
from shared.store.packing import KindPacking
from shared.store.port import UNWATCHED, Revision, Stored, StoreLimits

PACKED = StoreLimits(history=0, unpacked_max=2)


def a_manifest(name: str, **spec: Any) -> Manifest:
    metadata = {"name": name, "labels": {"app": name}, "generation": 1, "uid": f"uid-{name}"}
    image = f"registry.example/{name}:1.0"
    pod = {"containers": [{"name": "main", "image": image, "ports": [{"containerPort": 8080}]}]}
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": metadata,
        "spec": {"replicas": 3, "template": {"spec": pod}, **spec},
    }


def stored(name: str, revision: int, **spec: Any) -> Stored:
    key = ObjectKey("apps", "deployments", "shop", name)
    return Stored(key, Revision(revision), encoded=encode(a_manifest(name, **spec)))


@given(st.lists(st.binary(max_size=20_000), max_size=4), st.binary(max_size=40_000))
def test_what_is_packed_is_had_again_whatever_it_is(samples: list[bytes], body: bytes) -> None:
    packing = KindPacking(samples)
    for each in (body, *samples):
        assert packing.unpack(packing.pack(each)) == each


def test_one_at_rest_reads_as_before() -> None:
    packing = KindPacking([encode(a_manifest("other"))])
    one, same = stored("web", 1), stored("web", 1)
    assert one.manifest == same.manifest
    one.rest(packing)
    assert one.encoded == same.encoded
    assert one.manifest == one.glance() == same.manifest
    assert one.labels == {"app": "web"}
    assert one.head() == same.head()
    assert one.size < same.size / 4


def test_one_at_rest_keeps_nothing_that_is_made_of_it() -> None:
    one = stored("web", 1)
    assert one.manifest is one.manifest
    one.rest(KindPacking([encode(a_manifest("other"))]))
    assert one.manifest is not one.manifest


def test_one_that_was_only_a_manifest_rests_too() -> None:
    one = Stored(stored("web", 1).key, Revision(1), a_manifest("web"))
    one.rest(KindPacking([encode(a_manifest("other"))]))
    assert one.manifest == a_manifest("web")


def test_what_changed_lately_is_not_packed() -> None:
    mirror = ObjectMirror(PACKED)
    for revision in range(1, 21):
        mirror.put(stored(f"app-{revision}", revision))
    sizes = {int(one.revision): one.size for one in mirror.items()}
    assert all(sizes[revision] < 100 for revision in range(5, 19))
    assert all(sizes[revision] > 200 for revision in (19, 20))
    names = {one.manifest["metadata"]["name"] for one in mirror.items()}
    assert names == {f"app-{revision}" for revision in range(1, 21)}


def test_an_object_that_keeps_changing_is_never_packed() -> None:
    mirror = ObjectMirror(PACKED)
    changes = []
    for revision in range(1, 41):
        changes.append(stored("busy" if revision % 2 else f"app-{revision}", revision))
        mirror.put(changes[-1])
    assert all(one.size > 200 for one in changes if one.key.name == "busy")


def test_what_is_gone_is_not_waited_for() -> None:
    mirror = ObjectMirror(PACKED)
    for revision in range(1, 41, 2):
        mirror.put(stored(f"app-{revision}", revision))
        if revision > 10:
            mirror.remove(stored(f"app-{revision}", revision + 1))
    # Each was the only one to come, and went at once: nobody else had to make room.
    assert [one.size > 200 for one in mirror.items()][-2:] == [True, True]


def test_changes_of_one_at_rest_carry_what_it_was() -> None:
    mirror = ObjectMirror(PACKED)
    changes = []
    mirror.on_change(changes.append)
    for revision in range(1, 11):
        mirror.put(stored(f"app-{revision}", revision))
    mirror.put(stored("app-6", 11, replicas=5))
    before = changes[-1].previous
    assert before is not None
    assert before.size < 100
    assert before.manifest["spec"]["replicas"] == 3


def test_a_snapshot_is_at_rest_before_it_is_loaded() -> None:
    mirror = ObjectMirror(UNWATCHED)
    found = [stored(f"app-{revision}", revision) for revision in range(1, 11)]
    for one in found:
        mirror.settle(one)
    mirror.replace(found, 10)
    assert sum(one.size < 100 for one in mirror.items()) == 6
    assert {one.manifest["metadata"]["name"] for one in mirror.items()} == {
        f"app-{revision}" for revision in range(1, 11)
    }


def test_nothing_is_packed_where_the_limits_do_not_say_so() -> None:
    mirror = ObjectMirror(StoreLimits())
    for revision in range(1, 6_001):
        mirror.put(stored("web" if revision > 9 else f"app-{revision}", revision))
    assert all(one.size > 200 for one in mirror.items())
