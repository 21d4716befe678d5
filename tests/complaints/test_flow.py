"""What it costs, in counts: rows 15 to 18, 23, 37 and 38 of docs/complaints.md."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.retries import RetrySettings
from services.propagator.core.works import Held
from shared.apimachinery.manifest import ObjectKey
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import Bus, CaughtUp
from shared.bus.topology import STATUS, STREAMS, WORK, Stream
from shared.errors import AlreadyExists, RetryableError
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import open_store
from tests.federation import (
    Federation,
    TestMember,
    config_map,
    config_map_key,
    deployment,
    deployment_key,
    eventually,
)

MANY = 40
NAMES = [f"c{number}" for number in range(MANY)]
EXTRA = config_map_key("extra")


async def order_all(
    federation: Federation,
    clusters: Sequence[str],
    generation: int = 1,
    names: Sequence[str] = NAMES,
) -> list[ObjectKey]:
    """Write the objects and their bindings; the bindings all at once."""
    for name in names:
        manifest = config_map(name, str(generation), generation=generation)
        await insist(lambda name=name, one=manifest: federation.write(config_map_key(name), one))
    keys = [config_map_key(name) for name in names]
    everywhere = dict.fromkeys(clusters)
    return await asyncio.gather(
        *(insist(lambda key=key: federation.bind(key, everywhere)) for key in keys)
    )


async def insist(call: Callable[[], Awaitable[Any]]) -> Any:
    """Do as a careful client does: try again until there is an answer."""
    while True:
        try:
            return await call()
        except (RetryableError, AlreadyExists):
            await asyncio.sleep(0.05)


def value(member: TestMember, name: str) -> str:
    return str((member.get("configmaps", name).get("data") or {}).get("a", ""))


async def all_hold(
    members: Sequence[TestMember],
    generation: int = 1,
    names: Sequence[str] = NAMES,
    seconds: float = 30,
) -> None:
    wanted = str(generation)
    await eventually(
        lambda: all(value(one, name) == wanted for one in members for name in names), seconds
    )


async def last_of(bus: Bus, stream: Stream) -> int:
    """How many messages the stream has been given since it was made."""
    async with bus.follow(stream, [stream.subjects[0]]) as messages:
        async for message in messages:
            if isinstance(message, CaughtUp):
                return message.sequence
    raise AssertionError("a log ends by catching up")


async def quiet(federation: Federation) -> tuple[int, int]:
    """Wait until nobody says anything any more; returns where WORK and STATUS stand."""
    before: tuple[int, int] = (-1, -1)
    async with asyncio.timeout(30):
        while True:
            now = (await last_of(federation.bus, WORK), await last_of(federation.bus, STATUS))
            if now == before:
                return now
            before = now
            await asyncio.sleep(0.3)


async def test_row_15_16_each_object_costs_one_order_and_one_call_in_each_member(
    unattended: Federation,
) -> None:
    """12,645 bindings had 6,646 works, minutes later (karmada#7062).

    And 150 Deployments took three minutes instead of one (karmada#4225): round trips for each.
    """
    members = list(unattended.members.values())
    async with unattended.applying(foreign_view=timedelta(minutes=1)):
        await order_all(unattended, list(unattended.members))
        await all_hold(members)
        works, _ = await quiet(unattended)
    # One message for each object in each member, and one for the namespace.
    assert works == len(members) * (MANY + 1)
    for member in members:
        assert len(member.written()) == MANY + 1
        assert not member.written("POST") + member.written("DELETE")
        # Lists and watches are of kinds; no object is asked after.
        reads = member.written("GET")
        assert not [path for path in reads if path.rpartition("/")[2] in NAMES]
        assert len(reads) < 20


async def test_row_17_nothing_is_kept_of_an_object_but_numbers_and_nothing_once_it_is_gone(
    federation: Federation,
) -> None:
    """The controller held 1 GB for 10,000 objects, and 3 GB after a restart (karmada#4738)."""
    # Constants of other tests.
    others = alive(TrackedObject), alive(Held)
    bindings = await order_all(federation, ["eu-1"])
    await all_hold([federation.members["eu-1"]])
    await quiet(federation)
    tracked = alive(TrackedObject, besides=others[0])
    assert len(tracked) == MANY + 1
    assert not [one for one in tracked if one.message or one.latest or one.delivery or one.arrived]
    assert len(alive(Held, besides=others[1])) == MANY + 1
    for binding in bindings:
        await federation.delete(binding)

    async def forgotten() -> bool:
        return await federation.stored_works() == 0

    await eventually(forgotten, 30)
    await quiet(federation)
    del tracked
    # A worker that waits for its next turn may still name what it had in the last.
    assert len(alive(TrackedObject, besides=others[0])) <= 1
    assert not alive(Held, besides=others[1])


def alive(type_: type, *, besides: Sequence[Any] = ()) -> list[Any]:
    gc.collect()
    known = {id(one) for one in besides}
    return [one for one in gc.get_objects() if type(one) is type_ and id(one) not in known]


async def test_row_18_a_restart_repeats_nothing(unattended: Federation) -> None:
    """A cold start took 20 minutes with 30,000 workloads: everything was done again."""
    member = unattended.members["eu-1"]
    async with unattended.applying():
        await order_all(unattended, ["eu-1"])
        await all_hold([member])
        before = await quiet(unattended)
    asked = len(member.requests)
    async with unattended.dispatching(), unattended.applying():
        # Everybody is at work once this has arrived.
        await unattended.write(EXTRA, config_map("extra"))
        await unattended.bind(EXTRA, {"eu-1": None})
        await eventually(lambda: member.get("configmaps", "extra"))
        works, _ = await quiet(unattended)
    again = member.requests[asked:]
    assert [path for method, path in again if method != "GET"] == [
        "/api/v1/namespaces/shop/configmaps/extra"
    ]
    assert not [path for _, path in again if path.rpartition("/")[2] in NAMES]
    assert len(again) < 20
    assert works == before[0] + 1


@pytest.fixture
async def fleet(nats_server: NatsServer) -> AsyncIterator[Federation]:
    """A dozen members, whose federation outlives its NATS."""
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connect(nats_server.settings, "test"))
        await ensure_topology(connection, STREAMS)
        store = await stack.enter_async_context(open_store(connection))
        names = [f"m{number}" for number in range(12)]
        found = Federation(names, store, open_bus(connection, "propagator"))
        await stack.enter_async_context(found.serving())
        await stack.enter_async_context(found.dispatching())
        await stack.enter_async_context(found.applying())
        yield found


async def test_row_23_every_object_reaches_every_member_though_nats_is_killed_meanwhile(
    fleet: Federation, nats_server: NatsServer
) -> None:
    """Of 50 bundles for 50 clusters some were never delivered (rancher/fleet#4599)."""
    names = NAMES[:12]
    members = list(fleet.members.values())
    await order_all(fleet, list(fleet.members), names=names)

    async def restart() -> None:
        await nats_server.kill()
        await nats_server.start()

    async with asyncio.TaskGroup() as group:
        group.create_task(restart())
        group.create_task(order_all_again(fleet, names))
    # What was on its way to a worker just then is handed out again half a minute later.
    await all_hold(members, 2, names, seconds=90)

    async def all_told() -> bool:
        reports = [
            await fleet.report(member.name, config_map_key(name))
            for member in members
            for name in names
        ]
        return all(one is not None and one.template_generation == 2 for one in reports)

    await eventually(all_told, 30)


async def order_all_again(fleet: Federation, names: Sequence[str]) -> None:
    await order_all(fleet, list(fleet.members), 2, names)


async def test_row_37_a_member_that_hangs_holds_up_nobody_and_is_not_pressed(
    federation: Federation,
) -> None:
    """A member's API hung, and so did the controller, for everybody (karmada#6830)."""
    eu, us = federation.members["eu-1"], federation.members["us-1"]
    woken = asyncio.Event()

    async def hang(_method: str, _path: str) -> None:
        await woken.wait()

    us.answers_after = hang
    await order_all(federation, ["eu-1", "us-1"])
    await all_hold([eu])
    await order_all(federation, ["eu-1", "us-1"], 2)
    await all_hold([eu], 2)
    # No more calls are waited for than a member may have at the same time.
    assert len(us.requests) <= 16 + 4
    us.answers_after = None
    woken.set()
    await all_hold([us], 2)
    writes = us.written()
    assert len(writes) - len(set(writes)) <= 16, "what was under way is done again, and no more"


async def test_row_38_a_new_object_waits_for_none_that_is_refused(unattended: Federation) -> None:
    """New objects came 7 to 50 minutes late, behind others that failed (kubefed#1373)."""
    seldom = RetrySettings(slow=timedelta(minutes=5))
    async with unattended.applying(retries=seldom):
        await overtake_what_is_refused(unattended)


async def overtake_what_is_refused(federation: Federation) -> None:
    names = NAMES[:20]
    for name in names:
        broken = deployment(name, 1)
        broken["spec"]["minReadySeconds"] = "soon"
        await federation.write(deployment_key(name), broken)
        await federation.bind(deployment_key(name), {"eu-1": 1})

    async def all_refused() -> bool:
        reports = [await federation.report("eu-1", deployment_key(name)) for name in names]
        return all(one is not None and one.reason for one in reports)

    await eventually(all_refused, 30)
    await federation.write(EXTRA, config_map("extra"))
    await federation.bind(EXTRA, {"eu-1": None})
    await eventually(lambda: federation.members["eu-1"].get("configmaps", "extra"))


async def test_row_38_a_status_is_told_once_and_then_it_is_quiet(federation: Federation) -> None:
    """Statuses were written in an endless loop (kubefed#1373)."""
    key = deployment_key("web")
    await federation.write(key, deployment("web", 1))
    await federation.bind(key, {"eu-1": 1})
    member = federation.members["eu-1"]
    await eventually(lambda: member.get("deployments", "web", group="apps"))
    works, reports = await quiet(federation)
    asked = len(member.requests)
    stored = await member.store.get(key)
    assert stored is not None
    ready = {**stored.manifest, "status": {"observedGeneration": 1, "readyReplicas": 1}}
    await member.store.update(key, ready, expected=stored.revision)

    async def told() -> bool:
        report = await federation.report("eu-1", key)
        return report is not None and report.status.get("readyReplicas") == 1

    await eventually(told)
    assert await quiet(federation) == (works, reports + 1)
    assert not [method for method, _ in member.requests[asked:] if method != "GET"]
