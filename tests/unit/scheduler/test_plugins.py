"""Plugins are asked within limits; what they answer is read with care."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from services.scheduler.core.opinions import NOBODY_ASKED
from services.scheduler.deciding.plugins import AT_ONCE, Plugins
from shared.api.placement import Placement, PlacementAffinity
from shared.api.scoring import Plugin
from shared.apimachinery.manifest import ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.port import RequestError
from shared.controller.result import Again
from shared.errors import MalformedEvent
from shared.events.plugins import ANSWER_BYTES_MAX, read_points, read_refused
from tests.clocks import PatientClock
from tests.unit.scheduler.placement_worlds import a_world
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    key_of,
)

REST = timedelta(seconds=5)
TEMPLATE = {"metadata": {"name": "web", "labels": {"tier": "gold"}, "annotations": {"a": "b"}}}


def a_plugin(name="p", **rules):
    return Plugin(name=name, **{"filter": True, **rules})


@asynccontextmanager
async def answering(bus, **handlers):
    """Plugin `p` answers *filter* and *score*, by functions of the request or with plain data."""

    def handler(answer):
        async def handle(body, _headers):
            found = answer(json.loads(body)) if callable(answer) else answer
            if asyncio.iscoroutine(found):
                found = await found
            return found if isinstance(found, bytes) else json.dumps(found).encode()

        return handle

    endpoints = {f"hanse.plugins.p.{verb}": handler(one) for verb, one in handlers.items()}
    async with bus.serve("plugin", "1", endpoints):
        yield


async def ask(plugins, *stated, **placement):
    workload, fleet = a_world(3)
    rules = Placement(plugins=stated, **placement)
    return await plugins.ask(replace(workload, placement=rules), TEMPLATE, fleet)


def plugins_over(bus):
    return Plugins(bus, PatientClock(), REST, [].append)


async def test_nobody_is_asked_where_no_plugin_is_named():
    assert await ask(plugins_over(MemoryBus())) is NOBODY_ASKED


async def test_what_is_asked_and_what_becomes_of_the_answer():
    bus, seen = MemoryBus(), []

    def refuse(asked):
        seen.append(asked)
        return {"refused": {"a": "no\nlicence "}}

    async with answering(bus, filter=refuse, score={"points": {"b": 99.6}}):
        names = PlacementAffinity(cluster_names=("a", "b"))
        found = await ask(plugins_over(bus), a_plugin(weight=3), cluster_affinity=names)
    assert found.refused == {"a": "plugin p: no licence"}
    assert found.points == {"p": {"b": 100}}
    assert (found.failed, found.closed) == ({}, "")
    (asked,) = seen
    assert {one["name"] for one in asked["clusters"]} <= {"a", "b"}
    assert asked["workload"]["labels"] == {"tier": "gold"}
    assert asked["workload"]["kind"] in ("Deployment", "StatefulSet", "Job")


async def never(_asked=None):
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: never(), "no answer within 20 ms"),
        (b"{", "bad answer"),
        ({"refused": ["a"]}, "bad answer"),
        ({}, "bad answer"),
        (b"x" * (ANSWER_BYTES_MAX + 1), "more than"),
    ],
    ids=["late", "no JSON", "of another shape", "without its field", "too big"],
)
async def test_a_plugin_that_is_not_heard_closes_or_not_as_the_policy_says(answer, why):
    bus = MemoryBus()
    async with answering(bus, filter=answer):
        closed = await ask(plugins_over(bus), a_plugin(timeout_milliseconds=20))
        ignored = await ask(
            plugins_over(bus), a_plugin(timeout_milliseconds=20, failure_policy="Ignore")
        )
    assert why in closed.failed["p"]
    assert closed.closed == f"plugin p was not heard: {closed.failed['p']}"
    assert (why in ignored.failed["p"], ignored.closed, ignored.refused) == (True, "", {})


async def test_nobody_there_and_an_error_of_its_own_are_told():
    bus = MemoryBus()
    found = await ask(plugins_over(bus), a_plugin())
    assert found.failed == {"p": "nobody answers hanse.plugins.p.filter"}

    def refuse(_asked):
        raise RequestError(503, "still reading\nits rules" + " " * 999)

    async with answering(bus, filter=refuse):
        found = await ask(plugins_over(bus), a_plugin())
    assert found.failed == {"p": "still reading its rules"}


async def test_who_was_not_heard_is_left_alone_for_a_while():
    bus, clock, asked, woken = MemoryBus(), PatientClock(), [], []
    plugins = Plugins(bus, clock, REST, woken.append)

    def refuse(request):
        asked.append(request)
        return {"refused": {}} if len(asked) > 1 else b"?"

    async with answering(bus, filter=refuse):
        first, second = await ask(plugins, a_plugin()), await ask(plugins, a_plugin())
        assert (len(asked), first.failed) == (1, second.failed)
        clock.seconds += 6
        assert woken == []
        # Another is heard: what waited is looked at again.
        workload, fleet = a_world(4)
        rules = Placement(plugins=(a_plugin(),))
        other = replace(workload, placement=rules, key=ObjectKey("", "pods", "shop", "other"))
        assert (await plugins.ask(other, TEMPLATE, fleet)).failed == {}
    assert len(asked) == 2
    assert woken == [a_world(3)[0].key]


async def test_one_that_hung_is_tried_with_one_object_and_the_others_do_not_wait():
    bus, clock, asked = MemoryBus(), PatientClock(), []

    def hang(request):
        asked.append(request)
        return never() if len(asked) < 3 else {"refused": {}}

    async with answering(bus, filter=hang):
        plugins = Plugins(bus, clock, REST, [].append)
        await ask(plugins, a_plugin(timeout_milliseconds=20))
        clock.seconds += 6
        many = await asyncio.gather(
            *(ask(plugins, a_plugin(timeout_milliseconds=20)) for _ in range(20))
        )
        assert len(asked) == 2
        assert all(one.failed == {"p": "no answer within 20 ms"} for one in many)
        clock.seconds += 6
        assert (await ask(plugins, a_plugin())).failed == {}
        assert (await ask(plugins, a_plugin())).failed == {}
    assert len(asked) == 4


async def test_so_many_requests_are_under_way_at_a_time():
    bus, gate, running, most = MemoryBus(), asyncio.Event(), 0, 0

    async def slow():
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        return {"refused": {}}

    async with answering(bus, filter=lambda _: slow()):
        plugins = plugins_over(bus)
        asking = [
            asyncio.ensure_future(ask(plugins, a_plugin(timeout_milliseconds=5000)))
            for _ in range(40)
        ]
        while running < AT_ONCE:
            await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(*asking)
    assert most == AT_ONCE
    assert all(not one.failed for one in answers)


async def test_whoever_comes_while_so_many_wait_for_a_plugin_takes_no_worker():
    world, gate = SchedulerWorld(), asyncio.Event()

    async def slow():
        await gate.wait()
        return {"refused": {}}

    plugin = {"name": "p", "filter": True, "timeoutMilliseconds": 5000}
    many = [a_deployment(f"web-{number}") for number in range(AT_ONCE)]
    late, selector = a_deployment("late"), {"apiVersion": "apps/v1", "kind": "Deployment"}
    await world.put(a_cluster("eu"), a_policy(selectors=[selector], plugins=[plugin]))
    await world.settle()
    async with answering(world.bus, filter=lambda _: slow()):
        await world.put(*many, late)
        world.woken.clear()
        asking = [asyncio.ensure_future(world.templates.reconcile(key_of(one))) for one in many]
        await asyncio.sleep(0)
        assert isinstance(await world.templates.reconcile(key_of(late)), Again)
        gate.set()
        await asyncio.gather(*asking)
        assert world.binding(late) is None
        await world.settle()
    assert all(world.shares(one) == {"eu": None} for one in (*many, late))


@pytest.mark.parametrize("points", ["101", "-1", "1e999", "null", '"5"', "true"])
def test_points_that_are_none(points):
    with pytest.raises(MalformedEvent, match="bad answer"):
        read_points(f'{{"points": {{"a": {points}}}}}'.encode())


def test_a_reason_is_short_and_plain():
    body = json.dumps({"refused": {"a": "x" * 999, "b": "", "c": "tab\there"}}).encode()
    assert read_refused(body) == {"a": "x" * 200, "b": "refused", "c": "tab here"}
