"""An order that was handed to a process that fell silent is read again before it is obeyed."""

from services.propagator.apply.objects import Objects
from services.propagator.apply.orders.newest import NewestOrders
from services.propagator.apply.orders.presence import Presence
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.bus.topology import WORK
from shared.events import subjects
from shared.events.work import encode_order
from tests.clocks import PatientClock
from tests.unit.propagator.test_ended import KEY, ORDER

SUBJECT = subjects.work("m1", KEY)


class Absent(MemoryBus):
    """May lose its connection."""

    is_there = True

    @property
    def connected(self) -> bool:
        return self.is_there


def test_what_came_while_all_was_well_is_ours() -> None:
    clock = PatientClock()
    presence = Presence(MemoryBus(), clock)
    clock.seconds = 1.5
    assert presence.is_certain_of(1.5)


def test_what_came_before_or_right_after_a_stop_of_the_process_may_be_anothers() -> None:
    clock = PatientClock()
    presence = Presence(MemoryBus(), clock)
    clock.seconds = 1.0
    assert presence.is_certain_of(1.0)
    clock.seconds = 31.0
    assert not presence.is_certain_of(1.0)
    assert not presence.is_certain_of(31.0), "it may have waited in a buffer"
    for moment in range(32, 38):
        clock.seconds = float(moment)
        certain = presence.is_certain_of(clock.seconds)
    assert certain


def test_what_comes_while_the_connection_is_away_may_be_anothers() -> None:
    clock, bus = PatientClock(), Absent()
    presence = Presence(bus, clock)
    bus.is_there = False
    assert not presence.is_certain_of(0.0)


async def test_an_order_that_was_taken_back_meanwhile_is_not_carried_out() -> None:
    clock, bus, objects = PatientClock(), MemoryBus(), Objects()
    newest = NewestOrders("m1", bus, clock, objects, Presence(bus, clock))
    sequence = await bus.publish(Message(SUBJECT, encode_order(ORDER)))
    message = await bus.last(WORK, SUBJECT)
    assert message is not None
    tracked = objects.track(KEY)
    tracked.take_up(message, clock.monotonic())
    assert await newest.read(tracked) is not None
    await bus.purge(WORK, SUBJECT, up_to=sequence)
    assert await newest.read(tracked) is not None, "nothing speaks against it"
    clock.seconds = 30.0
    assert await newest.read(tracked) is None
