"""What is said of a member's services: only what changed, and never a part for the whole."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from services.propagator.apply.exports.saying import Sayings
from services.propagator.apply.exports.view import SlicesByService
from services.propagator.core.exported import read_service_object, report_of
from shared.bus.memory import MemoryBus
from shared.bus.port import CaughtUp, Message
from shared.bus.topology import ENDPOINTS
from shared.events import subjects
from shared.events.exports import (
    EndpointReport,
    ServiceFace,
    ServiceReport,
    SliceReport,
    encode_export,
)
from tests.federation import eventually, running

WEB = ("shop", "web")
MAIN = subjects.endpoints("eu-1", *WEB)


def slice_subject(name: str) -> str:
    return subjects.slice_endpoints("eu-1", *WEB, name)


def report(*slices: SliceReport) -> ServiceReport:
    return ServiceReport(service=ServiceFace(), slices=slices)


def slice_(name: str, address: str) -> SliceReport:
    return SliceReport(name=name, endpoints=(EndpointReport(addresses=(address,)),))


class Heard:
    """Messages in the order in which they came: the subject, and whether it ended."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self.messages: list[tuple[str, bool]] = []

    async def listen(self) -> None:
        async with self._bus.follow(ENDPOINTS, [f"{subjects.ENDPOINTS}.>"]) as messages:
            async for message in messages:
                if not isinstance(message, CaughtUp):
                    self.messages.append((message.subject, not message.body))

    async def take(self, count: int) -> list[tuple[str, bool]]:
        await eventually(lambda: len(self.messages) >= count)
        found, self.messages = self.messages, []
        return found


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def heard(bus: MemoryBus) -> AsyncIterator[Heard]:
    found = Heard(bus)
    async with running(found.listen):
        yield found


@pytest.fixture
async def sayings(bus: MemoryBus) -> AsyncIterator[Sayings]:
    found = Sayings("eu-1", bus, lambda _places: None)
    async with running(found.follow):
        await found.caught_up.wait()
        yield found


async def test_only_the_slice_that_changed_is_said_again(sayings: Sayings, heard: Heard) -> None:
    a, b = slice_("a", "10.1.0.1"), slice_("b", "10.1.0.2")
    await sayings.say(WEB, report(a, b))
    said = await heard.take(3)
    assert said[-1] == (MAIN, False), "the service comes last"
    assert sorted(said[:2]) == [(slice_subject("a"), False), (slice_subject("b"), False)]
    await sayings.say(WEB, report(a, slice_("b", "10.1.0.3")))
    assert await heard.take(1) == [(slice_subject("b"), False)]
    # One that was read again and says the same is no news either.
    await sayings.say(WEB, report(slice_("a", "10.1.0.1"), slice_("c", "10.1.0.4")))
    assert await heard.take(2) == [(slice_subject("c"), False), (slice_subject("b"), True)]


async def test_slices_end_after_their_service(sayings: Sayings, heard: Heard) -> None:
    await sayings.say(WEB, report(slice_("a", "10.1.0.1")))
    await heard.take(2)
    await sayings.say(WEB, None)
    assert await heard.take(2) == [(MAIN, True), (slice_subject("a"), True)]
    assert not sayings.places


async def test_what_a_predecessor_left_of_a_service_is_ended(bus: MemoryBus) -> None:
    for subject, said in ((slice_subject("old"), SliceReport(name="old")), (MAIN, report())):
        await bus.publish(Message(subject, encode_export(said)))
    sayings = Sayings("eu-1", bus, lambda _places: None)
    async with running(sayings.follow):
        await sayings.caught_up.wait()
        assert sayings.places == {WEB}
        await sayings.say(WEB, report())
        last = await bus.last(ENDPOINTS, slice_subject("old"))
    assert last is not None
    assert not last.body


async def test_a_word_of_somebody_else_is_put_right(
    bus: MemoryBus, sayings: Sayings, heard: Heard
) -> None:
    a = slice_("a", "10.1.0.1")
    await sayings.say(WEB, report(a))
    await heard.take(2)
    await bus.publish(Message(slice_subject("a"), encode_export(SliceReport(name="a"))))
    await heard.take(1)

    async def said() -> bool:
        await sayings.say(WEB, report(a))
        return bool(heard.messages)

    await eventually(said)
    assert await heard.take(1) == [(slice_subject("a"), False)]


def test_of_many_slices_only_the_one_that_changed_is_read_again() -> None:
    slices = SlicesByService(lambda _place: None)

    def show(name: str, address: str) -> None:
        metadata = {
            "name": name,
            "namespace": "shop",
            "labels": {"kubernetes.io/service-name": "web"},
        }
        endpoints = [{"addresses": [address]}]
        manifest = {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints}
        slices.table.put(read_service_object(msgspec.json.encode(manifest)))

    def reports() -> dict[str, SliceReport]:
        ports = read_service_object(b'{"spec": {"ports": [{"port": 80}]}}')
        found = report_of(None, ports, slices.of(WEB), (), exported=True, taken=slices.taken)
        assert found is not None
        return {one.name: one for one in found.slices}

    show("a", "10.1.0.1")
    show("b", "10.1.0.2")
    before = reports()
    show("b", "10.1.0.3")
    after = reports()
    assert after["a"] is before["a"]
    assert after["b"].endpoints[0].addresses == ("10.1.0.3",)
