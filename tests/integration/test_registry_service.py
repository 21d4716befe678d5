"""The registry over a real store and bus: memberships, commands and requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hanse.client import HanseClient, HubRefused
from services.registry.reconcilers.commands import CommandDoor
from services.registry.reconcilers.requests import RequestDoor
from services.registry.service import Memberships, open_door
from services.registry.settings import Settings
from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey
from shared.bus import topology
from shared.bus.dead_letters import REASON
from shared.bus.port import Bus, CaughtUp, Message
from shared.clock import SystemClock
from shared.events import subjects
from shared.events.work import WorkReport, encode_report
from shared.memberapi.port import ResourceType
from shared.store.port import ObjectStore
from tests.integration.watched_member import (
    KEY,
    Members,
    WatchedMember,
    cluster_key,
    condition,
    open_ground,
    register,
    until,
)

QUICK = Settings(join_retry=timedelta(milliseconds=30), inventory_delay=timedelta(milliseconds=10))
SETTINGS: Manifest = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "greeting", "namespace": "default"},
    "data": {"text": "hello"},
}
DEPLOYMENT: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "registry.example/web:1"}]},
        },
    },
}


SERVED = WorkReport(
    generation=1,
    template_uid="",
    template_generation=1,
    applied=True,
    present=True,
    observed_time="",
    health="Healthy",
)


async def reasons_of_dead_letters(bus: Bus) -> list[str]:
    found: list[str] = []
    async with bus.follow(topology.DEAD, ["hanse.dead.>"]) as messages:
        async for message in messages:
            if isinstance(message, CaughtUp):
                return found
            found.append(message.headers[REASON])
    return found


@pytest.fixture(params=["memory", "nats"])
async def ground(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[ObjectStore, Bus]]:
    async with open_ground(request.param, tmp_path) as found:
        yield found


@asynccontextmanager
async def running(
    store: ObjectStore, bus: Bus, members: Members | None = None
) -> AsyncIterator[HanseClient]:
    clock = SystemClock()
    memberships = Memberships(
        store,
        bus,
        key=KEY,
        connect=(members or Members()).connect,
        clock=clock,
        settings=QUICK,
    )
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    await store.create(ObjectKey("", "namespaces", "", "default"), namespace)
    async with AsyncExitStack() as stack:
        door = open_door(store, clock, stack)
        commands = CommandDoor(bus, door, clock, attempts_max=2)
        await stack.enter_async_context(RequestDoor(bus, door).serving())
        tasks = [
            asyncio.create_task(run(), name=name)
            for name, run in {**memberships.tasks, "commands": commands.run}.items()
        ]
        try:
            yield HanseClient(bus, "tests")
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [each for each in ended if not isinstance(each, asyncio.CancelledError)] == []


def joined(store: ObjectStore, name: str) -> tuple[str, str]:
    stored = store.mirror.get(cluster_key(name))
    found = condition(stored.manifest, "Joined") if stored is not None else {}
    return found.get("status", ""), found.get("reason", "")


async def last_of(bus: Bus, stream: topology.Stream, pattern: str) -> list[dict[str, Any]]:
    found = []
    async with bus.follow(stream, [pattern]) as messages:
        async for message in messages:
            if isinstance(message, CaughtUp):
                return found
            found.append(msgspec.json.decode(message.body) if message.body else {})
    return found


async def delete_cluster(store: ObjectStore, name: str) -> None:
    stored = await store.get(cluster_key(name))
    assert stored is not None
    await store.delete(stored.key, stored.manifest, expected=stored.revision)


async def test_a_cluster_with_credentials_joins(ground: tuple[ObjectStore, Bus]) -> None:
    store, bus = ground
    await register(store, bus, "eu-1", latencyMilliseconds=7)
    async with running(store, bus, Members(eu_1=WatchedMember())):
        await until(lambda: joined(store, "eu-1") == ("True", "Identified"))
        async with asyncio.timeout(20):
            while not (told := await last_of(bus, topology.EVENTS, "hanse.events.cluster.>")):
                await asyncio.sleep(0.01)
    stored = store.mirror.get(cluster_key("eu-1"))
    assert stored is not None
    status = stored.manifest["status"]
    assert (status["id"], status["kubernetesVersion"]) == ("uid-1", "v1.31.2")
    assert [each["groupVersion"] for each in status["apiEnablements"]] == ["apps/v1", "v1"]
    assert status["latencyMilliseconds"] == 7
    assert told[0]["type"] == "cluster.joined.v1"
    assert told[0]["region"] == "eu"


async def test_a_cluster_joins_under_one_name_until_it_leaves(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    members = Members(eu_1=WatchedMember(), eu_2=WatchedMember())
    await register(store, bus, "eu-1")
    async with running(store, bus, members):
        await until(lambda: joined(store, "eu-1")[0] == "True")
        await register(store, bus, "eu-2")
        await until(lambda: joined(store, "eu-2") == ("False", "AlreadyMember"))
        await delete_cluster(store, "eu-1")
        await until(lambda: joined(store, "eu-2") == ("True", "Identified"))


async def test_two_names_for_one_cluster_at_once_end_as_one_member(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    await register(store, bus, "eu-1")
    await register(store, bus, "eu-2")
    async with running(store, bus, Members(eu_1=WatchedMember(), eu_2=WatchedMember())):
        # Whichever was proved first; where both were, the elder.
        await until(
            lambda: (
                sorted(joined(store, name) for name in ("eu-1", "eu-2"))
                == [("False", "AlreadyMember"), ("True", "Identified")]
            )
        )


async def test_leaving_never_waits_for_the_leaver(ground: tuple[ObjectStore, Bus]) -> None:
    store, bus = ground
    members = Members(eu_1=WatchedMember())
    await register(store, bus, "eu-1")
    async with running(store, bus, members):
        await until(lambda: joined(store, "eu-1")[0] == "True")
        members["eu-1"].state = "silent"
        await delete_cluster(store, "eu-1")
        async with asyncio.timeout(20):
            while await bus.board("SECRETS").get(subjects.member_key("eu-1")) is not None:
                await asyncio.sleep(0.01)
            while not await last_of(bus, topology.EVENTS, "hanse.events.cluster.left.*"):
                await asyncio.sleep(0.01)


async def test_what_left_while_the_registry_was_away_is_forgotten_too(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    await register(store, bus, "eu-1")
    await delete_cluster(store, "eu-1")
    async with running(store, bus):
        async with asyncio.timeout(20):
            while await bus.board("SECRETS").get(subjects.member_key("eu-1")) is not None:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("state", "reason"), [("silent", "Unreachable"), ("refusing", "CredentialsRefused")]
)
async def test_one_that_cannot_be_identified_says_why_and_joins_later(
    ground: tuple[ObjectStore, Bus], state: str, reason: str
) -> None:
    store, bus = ground
    members = Members(eu_1=WatchedMember(), us_1=WatchedMember("uid-2"))
    members["eu-1"].state = state
    await register(store, bus, "eu-1")
    await register(store, bus, "us-1")
    async with running(store, bus, members):
        await until(lambda: joined(store, "eu-1") == ("False", reason))
        await until(lambda: joined(store, "us-1")[0] == "True")
        members["eu-1"].state = "well"
        await until(lambda: joined(store, "eu-1")[0] == "True")


async def test_new_kinds_of_a_member_are_seen_when_a_definition_is_served(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    members = Members(eu_1=WatchedMember())
    await register(store, bus, "eu-1")
    definition = ObjectKey("apiextensions.k8s.io", "customresourcedefinitions", "", "w.acme.dev")
    async with running(store, bus, members):
        await until(lambda: joined(store, "eu-1")[0] == "True")
        before = store.mirror.revision
        await bus.publish(Message(subjects.status("eu-1", definition), encode_report(SERVED)))
        await asyncio.sleep(0.1)
        assert store.mirror.revision == before, "an inventory that did not change is not written"
        gvk = GroupVersionKind("acme.dev", "v1", "Widget")
        members["eu-1"].kinds.append(ResourceType(gvk, "widgets", namespaced=True))
        await bus.publish(Message(subjects.status("eu-1", definition), encode_report(SERVED)))

        def groups() -> list[str]:
            stored = store.mirror.get(cluster_key("eu-1"))
            assert stored is not None
            return [each["groupVersion"] for each in stored.manifest["status"]["apiEnablements"]]

        await until(lambda: "acme.dev/v1" in groups())


async def test_requests_do_what_kubectl_would(ground: tuple[ObjectStore, Bus]) -> None:
    store, bus = ground
    async with running(store, bus) as client:
        applied = await client.apply(SETTINGS)
        assert applied["metadata"]["uid"]
        found = await client.get("v1", "ConfigMap", "greeting", namespace="default")
        assert found is not None
        assert found["data"] == {"text": "hello"}
        listed = [each async for each in client.list("v1", "ConfigMap", page=1)]
        assert [each["metadata"]["name"] for each in listed] == ["greeting"]

        assert await client.delete("v1", "ConfigMap", "greeting")
        assert not await client.delete("v1", "ConfigMap", "greeting")
        assert await client.get("v1", "ConfigMap", "greeting") is None


async def test_a_bad_request_is_answered_as_kubernetes_would(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    async with running(store, bus) as client:
        with pytest.raises(HubRefused) as refused:
            await client.apply(SETTINGS | {"datum": {}})
        assert refused.value.code in (400, 422)
        assert "datum" in str(refused.value)

        with pytest.raises(HubRefused) as refused:
            await client.apply({"apiVersion": "v9", "kind": "Nothing", "metadata": {"name": "x"}})
        assert refused.value.code == 404


async def test_a_policy_is_judged_by_the_rules_of_the_gateway(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    policy = {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "none", "namespace": "default"},
        "spec": {"resourceSelectors": []},
    }
    async with running(store, bus) as client:
        with pytest.raises(HubRefused) as refused:
            await client.apply(policy)
    assert refused.value.code == 422
    assert "resourceSelectors" in str(refused.value)


async def test_commands_are_carried_out_and_answered(ground: tuple[ObjectStore, Bus]) -> None:
    store, bus = ground
    key = ObjectKey("apps", "deployments", "default", "web")
    async with running(store, bus) as client:
        answer = await client.carry_out(client.applying(SETTINGS, DEPLOYMENT))
        assert [each.outcome for each in answer.results] == ["created", "created"]

        await client.carry_out(client.scaling("apps/v1", "Deployment", "web", 5))
        stored = await store.get(key)
        assert stored is not None
        assert stored.manifest["spec"]["replicas"] == 5
        assert stored.manifest["metadata"]["generation"] == 2

        answer = await client.carry_out(client.deleting("apps/v1", "Deployment", "web"))
        assert answer.results[0].outcome == "deleted"
        answer = await client.carry_out(client.deleting("apps/v1", "Deployment", "web"))
        assert answer.results[0].outcome == "absent"


async def test_a_command_that_cannot_be_done_is_refused_with_its_reason(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    async with running(store, bus) as client:
        with pytest.raises(HubRefused) as refused:
            await client.carry_out(client.scaling("apps/v1", "Deployment", "nowhere", 5))
        assert refused.value.reason == "NotFound"
        with pytest.raises(HubRefused) as refused:
            await client.carry_out(client.applying(SETTINGS, {"kind": "Pod"}))
        assert refused.value.reason == "BadRequest"


async def test_a_command_nobody_can_read_is_set_aside_and_harms_no_other(
    ground: tuple[ObjectStore, Bus],
) -> None:
    store, bus = ground
    async with running(store, bus) as client:
        await bus.publish(Message(subjects.command("apply"), b"\xff\xfe", {}))
        headers = {"ce-type": "dev.hanse.commands.dance.v1", "ce-source": "x", "ce-id": "d"}
        await bus.publish(Message(subjects.command("dance"), b"{}", headers))
        await client.carry_out(client.applying(SETTINGS))
        async with asyncio.timeout(20):
            while len(await reasons_of_dead_letters(bus)) < 2:
                await asyncio.sleep(0.01)
        pattern = subjects.fact("command", "refused", "d")
        (refused,) = await last_of(bus, topology.EVENTS, pattern)
        assert refused["reason"] == "MalformedEvent"


async def test_facts_can_be_followed_from_now_on(ground: tuple[ObjectStore, Bus]) -> None:
    store, bus = ground
    async with running(store, bus) as client:
        await client.carry_out(client.applying(SETTINGS))
        async with client.events("command.>") as facts:
            sent = [client.applying(SETTINGS), client.applying(SETTINGS)]
            for command in sent:
                await client.carry_out(command)
            async with asyncio.timeout(20):
                found = [await anext(facts), await anext(facts)]
    assert [fact.type for fact in found] == ["dev.hanse.command.completed.v1"] * 2
    assert [fact.data["id"] for fact in found] == [command.id for command in sent]
