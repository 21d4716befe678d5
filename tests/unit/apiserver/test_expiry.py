"""Events are kept for an hour after they were last written, and go then."""

from datetime import UTC, datetime, timedelta

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.registry import Registry
from shared.apiserver.serving import Serving
from shared.apiserver.upkeep.expiry import KEPT, Expiry, written_at
from shared.clock import format_time
from shared.store.memory import MemoryStore

START = datetime(2026, 1, 1, tzinfo=UTC)


class SteppedClock:
    """A clock that is set by hand; whoever sleeps on it is a bug."""

    def __init__(self) -> None:
        self.present = START

    def now(self) -> datetime:
        return self.present

    def monotonic(self) -> float:
        return (self.present - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing here waits {seconds} s")


def event(name: str) -> Manifest:
    metadata = {"name": name, "namespace": "shop", "creationTimestamp": format_time(START)}
    return {"apiVersion": "v1", "kind": "Event", "metadata": metadata}


def key(name: str, resource: str = "events") -> ObjectKey:
    return ObjectKey("", resource, "shop", name)


async def test_what_is_written_again_lives_an_hour_more() -> None:
    store, clock = MemoryStore(), SteppedClock()
    expiry = Expiry(Serving(store=store, kinds=Registry(builtin_kinds()), clock=clock))
    with expiry.following():
        await store.create(key("old"), event("old"))
        again = await store.create(key("again"), event("again"))
        await store.create(key("kept", "configmaps"), event("kept"))

        clock.present += KEPT / 2
        await store.update(key("again"), event("again"), expected=again.revision)
        clock.present += KEPT / 2
        await expiry.remove_old()
        assert await store.get(key("old")) is None
        assert await store.get(key("again")) is not None

        clock.present += KEPT / 2
        await expiry.remove_old()
        assert await store.get(key("again")) is None
        assert await store.get(key("kept", "configmaps")) is not None


async def test_what_was_there_before_is_as_old_as_it_says() -> None:
    store, clock = MemoryStore(), SteppedClock()
    await store.create(key("old"), event("old"))
    clock.present += KEPT
    expiry = Expiry(Serving(store=store, kinds=Registry(builtin_kinds()), clock=clock))
    with expiry.following():
        await expiry.remove_old()
    assert await store.get(key("old")) is None


def test_an_event_is_as_old_as_its_last_writer_says() -> None:
    now = START + timedelta(hours=2)
    found = event("a")
    assert written_at(found, now) == START
    later = START + timedelta(minutes=5)
    found["metadata"]["managedFields"] = [{"manager": "x", "time": format_time(later)}]
    assert written_at(found, now) == later
    found["metadata"]["creationTimestamp"] = "2030-01-01T00:00:00Z"
    assert written_at(found, now) == now
    assert written_at({"metadata": {"name": "a"}}, now) == now
