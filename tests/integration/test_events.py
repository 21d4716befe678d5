"""Events at the gateway, over memory and over a real nats-server."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.port import Bus, Message
from shared.clock import SystemClock, format_micro_time
from shared.events import subjects
from shared.events.work_facts import WorkApplied, WorkRefused, fact_key
from shared.store.port import ObjectStore
from tests.integration.test_gateway import running_gateway
from tests.integration.watched_member import open_ground
from tests.served_api import DEPLOYMENTS, Client, deployment

EVENTS = "/api/v1/namespaces/default/events"
NEWER = "/apis/events.k8s.io/v1/namespaces/default/events"
WEB = ObjectKey("apps", "deployments", "default", "web")


@pytest.fixture(params=["memory", "nats"])
async def ground(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[ObjectStore, Bus]]:
    async with open_ground(request.param, tmp_path) as found:
        yield found


def fact(
    kind: type[WorkApplied] | type[WorkRefused], cluster: str, uid: str, **known: str
) -> bytes:
    return msgspec.json.encode(
        kind(
            cluster=cluster,
            api_version="apps/v1",
            kind="Deployment",
            resource="deployments",
            namespace="default",
            name="web",
            generation=1,
            template_uid=uid,
            template_generation=1,
            occurred_at=format_micro_time(SystemClock().now()),
            **known,
        )
    )


async def tell(bus: Bus, verb: str, cluster: str, body: bytes) -> None:
    await bus.publish(Message(subjects.fact("work", verb, fact_key(cluster, WEB)), body))


def about(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    selector = f"involvedObject.name={metadata['name']},involvedObject.uid={metadata['uid']}"
    return f"{EVENTS}?fieldSelector={selector}"


async def test_what_describe_asks_for_tells_what_became_of_the_object(
    ground: tuple[ObjectStore, Bus], tmp_path: Path
) -> None:
    store, bus = ground
    async with running_gateway(tmp_path / "gateway", store, bus) as (_, client):
        web = (await client.post(DEPLOYMENTS, deployment("web"))).body
        uid = web["metadata"]["uid"]
        for cluster in ("eu-1", "us-1"):
            await tell(bus, "applied", cluster, fact(WorkApplied, cluster, uid))
        refused = fact(WorkRefused, "ap-1", uid, reason="Forbidden", message="quota")
        await tell(bus, "refused", "ap-1", refused)
        await tell(bus, "applied", "eu-1", fact(WorkApplied, "eu-1", "of another web"))
        events = (await client.get(about(web))).body["items"]
        assert {(one["type"], one["reason"], one["message"], one["count"]) for one in events} == {
            ("Normal", "Applied", "generation 1 applied to eu-1, us-1", 2),
            ("Warning", "Refused", "ap-1: Forbidden: quota", 1),
        }
        newer = (await client.get(NEWER)).body["items"]
        assert {one["note"] for one in newer} >= {one["message"] for one in events}


async def test_events_of_clients_and_of_hanse_are_one_list_that_goes_on(
    ground: tuple[ObjectStore, Bus], tmp_path: Path
) -> None:
    store, bus = ground
    async with running_gateway(tmp_path / "gateway", store, bus) as (_, client):
        web = (await client.post(DEPLOYMENTS, deployment("web"))).body
        await _write_own(client)
        await tell(bus, "applied", "eu-1", fact(WorkApplied, "eu-1", web["metadata"]["uid"]))
        listing = (await client.get(EVENTS)).body
        assert [one["reason"] for one in listing["items"]] == ["Mine", "Applied"]
        version = listing["metadata"]["resourceVersion"]
        await _write_own(client, "second")
        await tell(bus, "applied", "us-1", fact(WorkApplied, "us-1", web["metadata"]["uid"]))
        async with client.watch(EVENTS, resourceVersion=version) as lines:
            seen = [(await lines.next())["object"] for _ in range(2)]
        assert {one["metadata"]["name"] for one in seen} >= {"second"}
        assert {one.get("count") for one in seen} >= {2}
        told = next(one for one in listing["items"] if one["reason"] == "Applied")
        refusal = await client.delete(f"{EVENTS}/{told['metadata']['name']}")
        assert (refusal.code, refusal.body["kind"]) == (405, "Status")
        patched = await client.patch(
            f"{EVENTS}/mine", b'{"count": 7}', "application/merge-patch+json"
        )
        assert patched.body["count"] == 7
        assert (await client.delete(f"{EVENTS}/mine")).code == 200
        assert "mine" not in _names((await client.get(EVENTS)).body)


def _names(listing: Manifest) -> list[str]:
    return [one["metadata"]["name"] for one in listing["items"]]


async def _write_own(client: Client, name: str = "mine") -> None:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"namespace": "default", "kind": "Deployment", "name": "web"},
        "reason": "Mine",
        "type": "Normal",
    }
    assert (await client.post(EVENTS, event)).code == 201
