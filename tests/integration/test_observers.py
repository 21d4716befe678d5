"""Several observers over a real store and bus: cuts that only some of them see."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from services.health.service import assemble
from shared.apimachinery.manifest import Manifest
from shared.bus.port import BoardEntry, Bus, CaughtUp, RequestError
from shared.clock import SystemClock
from shared.events import subjects
from shared.events.fleet_health import FleetHealth, HealthRequest
from shared.events.requests import API_HEALTH
from shared.runtime.probes import Readiness
from shared.store.port import ObjectStore
from tests.integration.test_health_service import (
    JOINED,
    QUICK,
    cluster,
    facts,
    ready,
    running,
    taints,
)
from tests.integration.watched_member import (
    KEY,
    Members,
    WatchedMember,
    condition,
    open_ground,
    register,
    until,
)

NAMES = ("ap-1", "eu-1", "us-1")
Eyes = dict[str, Members]


@pytest.fixture(params=["memory", "nats"])
async def ground(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[ObjectStore, Bus]]:
    async with open_ground(request.param, tmp_path) as found:
        yield found


def fleet() -> Members:
    return Members(**{name.replace("-", "_"): WatchedMember(f"uid-{name}") for name in NAMES})


@asynccontextmanager
async def observing(
    store: ObjectStore, bus: Bus, *observers: str, judges: Collection[str] = ()
) -> AsyncIterator[Eyes]:
    """Run health once for each of *observers*; each reaches the members by its own lines.

    Those that are not among *judges* only look; without *judges* all may judge.
    """
    for name in NAMES:
        await register(store, bus, name, **JOINED)
    eyes = {observer: fleet() for observer in observers}
    async with asyncio.TaskGroup() as tasks:
        running = []
        for observer, lines in eyes.items():
            health = assemble(
                replace(
                    QUICK,
                    observer=observer,
                    region=f"region-{observer}",
                    observes_only=bool(judges) and observer not in judges,
                ),
                store,
                bus,
                clock=SystemClock(),
                key=KEY,
                connect=lines.connect,
                readiness=Readiness(),
            )
            running += [tasks.create_task(run()) for run in health.values()]
        await until(lambda: all(ready(store, name)[0] == "True" for name in NAMES))
        agreed = lambda name: condition(cluster(store, name), "ObserversAgree")  # noqa: E731
        await until(lambda: all(agreed(name).get("status") == "True" for name in NAMES))
        yield eyes
        for task in running:
            task.cancel()


def cut(eyes: Eyes, name: str, *observers: str) -> None:
    for observer in observers:
        eyes[observer][name].state = "silent"


def mend(eyes: Eyes, name: str) -> None:
    for lines in eyes.values():
        lines[name].state = "well"


def agreement(store: ObjectStore, name: str) -> Manifest:
    return condition(cluster(store, name), "ObserversAgree")


async def test_how_soon_a_member_answers_is_told_by_region(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    async with observing(store, bus, "hub", "us"):

        def regions() -> list[str]:
            latencies = cluster(store, "eu-1")["status"].get("latencies", [])
            return [one["region"] for one in latencies]

        await until(lambda: regions() == ["region-hub", "region-us"])


async def test_a_line_that_only_one_observer_misses_fails_nobody_over(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    async with observing(store, bus, "hub", "ap", "us") as eyes:
        cut(eyes, "eu-1", "hub")
        await until(lambda: agreement(store, "eu-1")["status"] == "False")
        assert agreement(store, "eu-1")["message"] == "ap, us get an answer, hub none"
        assert ready(store, "eu-1")[0] == "True"
        assert taints(store, "eu-1") == set()
        mend(eyes, "eu-1")
        await until(lambda: agreement(store, "eu-1")["status"] == "True")


async def test_a_member_that_one_observer_still_reaches_is_suspect_and_keeps_what_it_runs(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    async with observing(store, bus, "hub", "ap", "us") as eyes:
        cut(eyes, "eu-1", "hub", "ap")
        await until(lambda: ready(store, "eu-1") == ("Unknown", "Suspect"))
        assert taints(store, "eu-1") == set()
        cut(eyes, "eu-1", "us")
        await until(lambda: ready(store, "eu-1") == ("False", "Unreachable"))
        await until(lambda: taints(store, "eu-1") == {"NoSchedule", "NoExecute"})
        eyes["us"]["eu-1"].state = "well"
        await until(lambda: ready(store, "eu-1") == ("Unknown", "Returning"))
        assert "NoExecute" not in taints(store, "eu-1")
        mend(eyes, "eu-1")
        await until(lambda: ready(store, "eu-1") == ("True", "Recovered"))
        async with asyncio.timeout(20):
            while not (found := await facts(bus, "cluster.became-unreachable.*")):
                await asyncio.sleep(0.01)
    assert {word["observer"] for word in found[-1]["evidence"]} == {"ap", "hub", "us"}
    assert {word["region"] for word in found[-1]["evidence"]} >= {"region-us"}
    (tainted,) = await facts(bus, "cluster.tainted.*")
    assert tainted["cluster"] == "eu-1"


async def test_who_only_looks_has_a_say_and_writes_nothing(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    async with observing(store, bus, "hub", "ap", "us", judges=("hub",)) as eyes:
        cut(eyes, "eu-1", "hub", "ap")
        await until(lambda: ready(store, "eu-1") == ("Unknown", "Suspect"))
        cut(eyes, "eu-1", "us")
        await until(lambda: ready(store, "eu-1") == ("False", "Unreachable"))
    (name,) = {fact["holder"] for fact in await facts(bus, "lease.acquired.>")}
    assert name


async def test_an_observer_that_is_cut_off_itself_does_not_count(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    async with observing(store, bus, "hub", "us") as eyes:
        for name in NAMES:
            cut(eyes, name, "hub")
        await until(lambda: all(agreement(store, name)["status"] == "False" for name in NAMES))
        await until(lambda: "do not count" in agreement(store, "eu-1")["message"])
        assert [ready(store, name)[0] for name in NAMES] == ["True"] * 3
        # What the other sees gone meanwhile is no more than a doubt.
        cut(eyes, "eu-1", "us")
        await until(lambda: ready(store, "eu-1") == ("Unknown", "Suspect"))
        assert taints(store, "eu-1") == set()


async def test_the_first_to_speak_again_is_not_most_of_the_observers(
    ground: tuple[ObjectStore, Bus],
) -> None:
    """Words end for all of them at once where NATS was away for long."""
    store, bus = ground
    board = bus.board("HEALTH")
    async with observing(store, bus, "hub", "us") as eyes:
        cut(eyes, "us-1", "hub")
        await until(lambda: agreement(store, "us-1")["status"] == "False")
        verdicts: list[str] = []
        store.mirror.on_change(lambda _: verdicts.append(ready(store, "us-1")[1]))
        for name in NAMES:
            await board.delete(subjects.health_key(name, "us"))
        async with asyncio.timeout(20):
            for name in NAMES:
                while await board.get(subjects.health_key(name, "us")) is None:
                    await asyncio.sleep(0.01)
        await until(lambda: agreement(store, "us-1")["status"] == "False")
        assert "Unreachable" not in verdicts
        assert taints(store, "us-1") == set()


async def test_the_verdict_is_passed_by_another_when_the_first_is_gone(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    async with observing(store, bus, "hub", "us") as eyes:
        # An observer of whom nothing but an old word is left speaks first, and never writes.
        word = await bus.board("HEALTH").get(subjects.health_key("eu-1", "hub"))
        assert word is not None
        ghost = word.replace(b'"observer":"hub"', b'"observer":"aaa"')
        await bus.board("HEALTH").put(subjects.health_key("eu-1", "aaa"), ghost)
        cut(eyes, "us-1", "hub", "us")
        await until(lambda: ready(store, "us-1")[1] == "Unreachable")


async def test_each_member_is_told_as_each_observer_sees_it(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    async with observing(store, bus, "hub", "us") as eyes:
        cut(eyes, "eu-1", "hub")
        await until(lambda: agreement(store, "eu-1")["status"] == "False")
        body = msgspec.json.encode(HealthRequest(clusters=("eu-1",)))
        answer = await bus.request(API_HEALTH, body, deadline=timedelta(seconds=5))
        found = msgspec.json.decode(answer, type=FleetHealth)
        (eu,) = found.clusters
        assert {one.observer: str(one.reach) for one in eu.observers} == {
            "hub": "Unreachable",
            "us": "Reachable",
        }
        assert {one.region for one in eu.observers} == {"region-hub", "region-us"}
        assert (found.observers, found.quorum) == (("hub", "us"), 2)
        assert any("ObserversAgree=False" in one for one in eu.conditions)
        body = msgspec.json.encode(HealthRequest(clusters=("none",)))
        with pytest.raises(RequestError) as refused:
            await bus.request(API_HEALTH, body, deadline=timedelta(seconds=5))
        assert refused.value.code == 404


async def test_an_observer_that_is_stopped_takes_its_words_back_and_no_verdict_with_them(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    await register(store, bus, "eu-1", **JOINED)
    async with running(store, bus, Members(eu_1=WatchedMember())):
        await until(lambda: ready(store, "eu-1")[0] == "True")
        board = bus.board("HEALTH")
        async with board.follow() as entries:
            (word,) = {one.key async for one in _until_caught_up(entries)}
    assert await board.get(word) is None
    assert ready(store, "eu-1") == ("True", "Reachable")


async def _until_caught_up(
    entries: AsyncIterator[BoardEntry | CaughtUp],
) -> AsyncIterator[BoardEntry]:
    async for entry in entries:
        if isinstance(entry, CaughtUp):
            return
        yield entry


async def test_one_process_with_one_observer_says_nothing_of_others(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    await register(store, bus, "eu-1", **JOINED)
    async with running(store, bus, Members(eu_1=WatchedMember())):
        await until(lambda: ready(store, "eu-1")[0] == "True")
    assert agreement(store, "eu-1") == {}


async def test_row_9_a_fault_on_our_side_fails_no_cluster_over(
    ground: tuple[ObjectStore, Bus],
) -> None:
    """Refused or untrusted credentials, and an observer whose own line is cut."""
    store, bus = ground
    async with observing(store, bus, "hub", "us") as eyes:
        for name, state in (("ap-1", "refusing"), ("eu-1", "untrusted"), ("us-1", "silent")):
            eyes["hub"][name].state = state
        for lines, name in ((eyes["us"], "ap-1"), (eyes["us"], "eu-1")):
            lines[name].state = "refusing"
        for name in ("ap-1", "eu-1"):
            await until(lambda name=name: ready(store, name)[1] == "CredentialsRefused")
        await until(lambda: agreement(store, "us-1")["status"] == "False")
        assert ready(store, "us-1")[0] == "True"
        for name in NAMES:
            assert "NoExecute" not in taints(store, name)


async def test_late_answers_make_a_member_slow_and_never_silent() -> None:
    async with open_ground("memory", None) as (store, bus):
        await register(store, bus, "eu-1", **JOINED)
        member = WatchedMember()
        member.answers_after = 0.1
        settings = replace(
            QUICK,
            probe_interval=timedelta(milliseconds=60),
            probe_deadline=timedelta(milliseconds=20),
            slow_limit=timedelta(milliseconds=50),
        )
        async with running(store, bus, Members(eu_1=member), settings):
            await until(lambda: condition(cluster(store, "eu-1"), "Slow").get("status") == "True")
            assert taints(store, "eu-1") == set()
            assert ready(store, "eu-1")[1] != "Unreachable"
