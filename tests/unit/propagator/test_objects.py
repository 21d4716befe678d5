"""What a worker remembers of orders that it carried out before they were delivered."""

from services.propagator.apply.objects import Objects
from tests.federation import config_map_key

A = config_map_key("a")


def test_what_was_removed_before_its_order_came_is_not_removed_again():
    objects = Objects()
    tracked = objects.track(A)
    tracked.sequence = tracked.restored = 7
    objects.note_removed(tracked)
    objects.drop(tracked)
    assert objects.was_removed(A, 7)
    assert not objects.was_removed(A, 7), "it is delivered once"


def test_a_later_order_counts():
    objects = Objects()
    tracked = objects.track(A)
    tracked.sequence = tracked.restored = 7
    objects.note_removed(tracked)
    assert not objects.was_removed(A, 8)


def test_what_was_delivered_already_is_not_remembered():
    objects = Objects()
    tracked = objects.track(A)
    tracked.sequence = 7
    objects.note_removed(tracked)
    assert not objects.was_removed(A, 7)
