"""Scores that another system publishes over NATS: taken, weighed, told, and forgotten in time."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.client import HanseClient, HubRefused
from services.propagator.apply.exports.round_trips import RoundTrips
from services.registry.reconcilers.commands import CommandDoor
from services.registry.reconcilers.requests import RequestDoor
from services.registry.service import open_door
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.port import CaughtUp, Message
from shared.bus.topology import DEAD
from shared.clock import SystemClock
from shared.events.envelope import Envelope
from shared.events.explaining import ClusterVerdict, ExplainRequest
from shared.events.placement import ScorePart
from tests.federation import Federation, deployment, deployment_key, eventually
from tests.scheduled_federation import apply, scheduled_federation

MINUTE = timedelta(minutes=1)
POLICY = ObjectKey("hanse.dev", "propagationpolicies", "shop", "p")


def a_policy(**placement: Any) -> Manifest:
    one = {"spreadByField": "cluster", "maxGroups": 1}
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "placement": {
                "scores": [{"name": "fitness", "weight": 20}],
                "spreadConstraints": [one],
                **placement,
            },
        },
    }


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[tuple[Federation, HanseClient]]:
    """Two members, a policy that takes the fittest, and the door for commands."""
    async with scheduled_federation(tmp_path, "eu-1", "us-1") as found, AsyncExitStack() as stack:
        door = open_door(found.store, SystemClock(), stack)
        commands = CommandDoor(found.bus, door, SystemClock(), attempts_max=2)
        running = asyncio.create_task(commands.run())
        stack.callback(running.cancel)
        await stack.enter_async_context(RequestDoor(found.bus, door).serving())
        await apply(found, POLICY, a_policy())
        yield found, HanseClient(found.bus, "ops/fitness")


async def placed(federation: Federation, name: str) -> list[str]:
    key = ObjectKey("hanse.dev", "resourcebindings", "shop", f"{name}-deployment")
    stored = await federation.store.get(key)
    targets = stored.manifest["spec"].get("clusters", []) if stored is not None else []
    return [one["name"] for one in targets]


async def verdict(client: HanseClient, name: str, cluster: str) -> ClusterVerdict:
    asked = ExplainRequest(
        api_version="apps/v1",
        kind="Deployment",
        resource="deployments",
        namespace="shop",
        name=name,
    )
    found = await client.explain(asked)
    return next(one for one in found.clusters if one.cluster == cluster)


async def newcomers(
    federation: Federation, client: HanseClient, cluster: str
) -> AsyncIterator[tuple[list[str], ScorePart]]:
    """Place one Deployment after the other; where it goes, and what is thought of *cluster*.

    The scheduler hears of a score by a way of its own, so the first may come too early.
    """
    async with asyncio.timeout(30):
        for number in itertools.count():
            name = f"web-{cluster}-{number}"
            await apply(federation, deployment_key(name), deployment(name, 1))
            await eventually(lambda name=name: placed(federation, name))
            (part,) = (await verdict(client, name, cluster)).parts
            yield await placed(federation, name), part


async def test_the_fittest_is_taken_and_a_new_score_is_for_what_comes_next(
    ground: tuple[Federation, HanseClient],
) -> None:
    federation, client = ground
    for best in ("eu-1", "us-1"):
        values = {"eu-1": 1.0, "us-1": 2.0} | {best: 9.0}
        answer = await client.carry_out(client.scoring("fitness", values, ttl=MINUTE))
        assert [one.outcome for one in answer.results] == ["scored", "scored"]
        async for where, part in newcomers(federation, client, best):
            if part.value == 9.0:
                assert (where, part.points, part.weight) == ([best], 100, 20)
                break


async def test_a_score_is_forgotten_when_its_time_is_over(
    ground: tuple[Federation, HanseClient],
) -> None:
    federation, client = ground
    await client.carry_out(client.scoring("fitness", {"us-1": 7.0}, ttl=MINUTE))
    await client.carry_out(client.scoring("fitness", {"eu-1": 5.0}, ttl=timedelta(seconds=1)))
    async for _, part in newcomers(federation, client, "eu-1"):
        if part.expired:
            assert (part.points, part.value) == (50, None)
            break
        await asyncio.sleep(0.2)


async def test_what_is_wrong_is_refused_with_a_reason(
    ground: tuple[Federation, HanseClient],
) -> None:
    _, client = ground
    with pytest.raises(HubRefused) as refused:
        await client.carry_out(client.scoring("fitness", {"nowhere": 1.0}, ttl=MINUTE))
    assert (refused.value.code, refused.value.reason) == (404, "NotFound")
    with pytest.raises(HubRefused) as refused:
        await client.carry_out(client.scoring("price", {"eu-1": 1.0}, ttl=MINUTE))
    assert refused.value.code == 422
    assert "worked out by Hanse itself" in str(refused.value)
    with pytest.raises(HubRefused) as refused:
        await client.carry_out(client.scoring("Fit ness", {"eu-1": 1.0}, ttl=timedelta(0)))
    assert "ttlSeconds" in str(refused.value)


async def test_near_to_a_workload_by_what_members_measure(
    ground: tuple[Federation, HanseClient],
) -> None:
    federation, client = ground
    await client.carry_out(client.scoring("fitness", {"us-1": 7.0, "eu-1": 1.0}, ttl=MINUTE))
    async for where, _ in newcomers(federation, client, "us-1"):
        if where == ["us-1"]:
            break
    await apply(federation, deployment_key("db"), deployment("db", 1))
    await eventually(lambda: placed(federation, "db"))
    trips = RoundTrips("us-1", federation.bus, SystemClock())
    await trips.take({"eu-1": 30.0})
    # It is told again when it has moved.
    await trips.take({"eu-1": 29.0})
    await trips.take({"eu-1": 4.0})
    listed = (await client.scores()).scores
    assert [(one.name, one.from_cluster, one.cluster, one.value) for one in listed] == [
        ("fitness", "", "eu-1", 1.0),
        ("fitness", "", "us-1", 7.0),
        ("latency", "us-1", "eu-1", 4.0),
    ]
    near = [{"name": "latency", "fromWorkload": {"name": "db"}, "prefer": "Highest"}]
    await apply(federation, POLICY, a_policy(scores=near))
    async for _, part in newcomers(federation, client, "eu-1"):
        if part.name == "latency from Deployment db" and part.value == 4.0:
            assert part.points == 100
            break


async def test_what_is_no_number_is_set_aside(ground: tuple[Federation, HanseClient]) -> None:
    federation, _ = ground
    envelope = Envelope(type="dev.hanse.commands.score.v1", source="ops/fitness", id="bad-1")
    body = b'{"name": "fitness", "ttlSeconds": 9, "values": {"eu-1": "high"}}'
    await federation.bus.publish(Message("hanse.commands.score", body, envelope.headers()))
    async with asyncio.timeout(20), federation.bus.follow(DEAD, ["hanse.dead.>"]) as letters:
        async for letter in letters:
            if not isinstance(letter, CaughtUp):
                assert letter.body == body
                return


async def test_a_price_decides_where_nothing_runs_yet(
    ground: tuple[Federation, HanseClient],
) -> None:
    federation, client = ground
    for name, price in (("eu-1", "0.02"), ("us-1", "0.05")):
        key = ObjectKey("hanse.dev", "clusters", "", name)
        stored = await federation.store.get(key)
        assert stored is not None
        spec = {**stored.manifest.get("spec", {}), "price": {"cpu": price}}
        await federation.write(key, {**stored.manifest, "spec": spec})
    await apply(federation, POLICY, a_policy(scores=[{"name": "price"}]))
    await apply(federation, deployment_key("cheap"), deployment("cheap", 1))
    await eventually(lambda: placed(federation, "cheap"))
    assert await placed(federation, "cheap") == ["eu-1"]
    assert [one.name for one in (await verdict(client, "cheap", "us-1")).parts] == ["price"]


async def test_what_follows_scores_moves_when_one_is_published(
    ground: tuple[Federation, HanseClient],
) -> None:
    federation, client = ground
    fitness = {"name": "fitness", "weight": 50, "best": 10, "worst": 0}
    policy = a_policy(scores=[fitness], replicaScheduling={"replicaSchedulingType": "Divided"})
    policy["spec"]["reschedulePolicy"] = {"rescheduleWhen": {"scoreGain": 20}}
    await apply(federation, POLICY, policy)
    await apply(federation, deployment_key("web"), deployment("web", 2))
    await eventually(lambda: placed(federation, "web"))
    (home,) = await placed(federation, "web")
    other = ({"eu-1", "us-1"} - {home}).pop()
    # Of 100 points 20 more, by 50, are ten too few; 50 more are enough.
    await client.carry_out(client.scoring("fitness", {other: 7.0}, ttl=MINUTE))
    await client.carry_out(client.scoring("fitness", {home: 2.0}, ttl=MINUTE))

    async def moving() -> bool:
        return other in await placed(federation, "web")

    await eventually(moving)
