"""What was removed and is there again, and what was outrun since WORK was asked."""

import msgspec

from services.propagator.apply.objects import Objects, TrackedObject
from services.propagator.core.observed import LiveObject, Observed
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Message

KEY = ObjectKey("", "configmaps", "shop", "settings")


def live(uid: str, generation: int) -> LiveObject:
    annotations = {"hanse.dev/work-generation": str(generation)}
    return msgspec.convert(
        {"metadata": {"name": KEY.name, "uid": uid, "annotations": annotations}}, LiveObject
    )


def removed(uid: str = "first", sequence: int = 7) -> Objects:
    objects = Objects()
    tracked = objects.track(KEY)
    tracked.removing, tracked.sequence = uid, sequence
    objects.bury(tracked, Message("hanse.work.m1", b"null", sequence=sequence))
    return objects


def test_what_a_late_request_brought_back_is_removed_by_the_order_it_was_removed_by() -> None:
    objects = removed()
    risen = objects.rise(KEY, live("second", 5), listed=False)
    assert risen is not None
    tombstone = objects.tombstone_of(risen)
    assert tombstone is not None
    assert tombstone.sequence == 7


def test_an_echo_of_the_object_that_was_removed_raises_nothing() -> None:
    assert removed().rise(KEY, live("first", 5), listed=False) is None


def test_a_newer_order_than_the_tombstone_is_another_workers() -> None:
    assert removed().rise(KEY, live("second", 8), listed=False) is None


def test_an_object_without_our_mark_is_not_ours() -> None:
    assert removed().rise(KEY, live("second", 0), listed=True) is None


def test_an_old_tombstone_says_nothing_of_a_newer_order() -> None:
    objects = removed()
    tracked = objects.track(KEY)
    tracked.sequence = 9
    assert objects.tombstone_of(tracked) is None


def test_a_newer_order_is_asked_about_once() -> None:
    tracked = TrackedObject(KEY, sequence=3)
    tracked.seen = Observed("u", "10", 9, labelled=True, fields_digest="")
    assert tracked.outrun_anew
    tracked.borne = 9
    assert tracked.outrun
    assert not tracked.outrun_anew


def test_the_very_object_is_taken_up_where_a_list_shows_it_again() -> None:
    assert removed().rise(KEY, live("first", 5), listed=True) is not None


def test_an_order_that_comes_after_its_tombstone_was_carried_out_is_not_carried_out() -> None:
    objects = removed(sequence=7)
    assert objects.was_removed(KEY, 5)
    assert objects.was_removed(KEY, 7)
    assert not objects.was_removed(KEY, 8)
