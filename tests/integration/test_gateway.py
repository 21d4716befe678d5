"""The gateway over memory, and over a real nats-server: rules, works, credentials."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import msgspec
import pytest

from services.gateway.service import Gateway, open_gateway
from services.gateway.settings import Settings
from shared.apimachinery.manifest import Manifest, ObjectKey, encode
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, Message
from shared.bus.settings import NatsSettings
from shared.bus.topology import STREAMS
from shared.clock import SystemClock
from shared.events import subjects
from shared.events.work import (
    ENDED,
    TOMBSTONE,
    WorkOrder,
    WorkReport,
    encode_order,
    encode_report,
)
from shared.memberapi.sealing import EnvelopeKey, unseal
from shared.runtime.probes import Readiness
from shared.runtime.tokens import ensure_token
from shared.store.jetstream import open_store
from shared.store.memory import MemoryStore
from shared.store.port import ObjectStore
from tests.served_api import DEPLOYMENTS, MAPS, TABLE, Client, config_map, deployment, until

HANSE = "/apis/hanse.dev/v1alpha1"
WORKS = f"{HANSE}/namespaces/shop/works"
POLICIES = f"{HANSE}/namespaces/default/propagationpolicies"
CLUSTERS = f"{HANSE}/clusters"
KEY = EnvelopeKey(b"k" * 32)
WEB = ObjectKey("apps", "deployments", "shop", "web")


@asynccontextmanager
async def running_gateway(
    folder: Path, store: ObjectStore, bus: Bus
) -> AsyncIterator[tuple[Gateway, Client]]:
    settings = Settings(port=0, tls_folder=folder / "tls", tokens_file=folder / "tokens")
    readiness = Readiness(started=True)
    async with (
        open_gateway(
            settings, store, bus, KEY, readiness=readiness, clock=SystemClock()
        ) as gateway,
        asyncio.TaskGroup() as tasks,
    ):
        running = [tasks.create_task(task()) for task in gateway.tasks.values()]
        context = ssl.create_default_context(cafile=folder / "tls" / "ca.crt")
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(connector=connector) as session:
            client = Client(session, gateway.listening.url, ensure_token(folder / "tokens"))

            async def is_ready() -> bool:
                return (await client.get("/readyz")).code == 200

            await until(is_ready)
            yield gateway, client
        for task in running:
            task.cancel()


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def client(tmp_path: Path, bus: MemoryBus) -> AsyncIterator[Client]:
    async with running_gateway(tmp_path, MemoryStore(), bus) as (_, found):
        yield found


def policy(**spec: object) -> Manifest:
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "p"},
        "spec": {"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}], **spec},
    }


def divided(**parts: object) -> Manifest:
    scheduling = {"replicaSchedulingType": "Divided", **parts}
    return policy(placement={"replicaScheduling": scheduling})


def weights(*values: int) -> Manifest:
    entries = [
        {"targetCluster": {"clusterNames": [f"c{index}"]}, "weight": weight}
        for index, weight in enumerate(values)
    ]
    return divided(weightPreference={"staticWeightList": entries})


def limits(least: int, most: int) -> Manifest:
    return divided(replicaLimits=[{"targetCluster": {}, "minReplicas": least, "maxReplicas": most}])


_SCHEDULING = "spec.placement.replicaScheduling"


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        (policy(resourceSelectors=[]), "spec.resourceSelectors"),
        (weights(0, 0), f"{_SCHEDULING}.weightPreference.staticWeightList"),
        (weights(1, -1), f"{_SCHEDULING}.weightPreference.staticWeightList[1].weight"),
        (limits(3, 2), f"{_SCHEDULING}.replicaLimits[0].maxReplicas"),
        (
            policy(placement={"clusterAffinity": {"clusterNames": ["not*a*name"]}}),
            "spec.placement.clusterAffinity.clusterNames[0]",
        ),
        (
            policy(
                placement={
                    "clusterAffinity": {
                        "labelSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}
                    }
                }
            ),
            "spec.placement.clusterAffinity.labelSelector.matchExpressions[0].operator",
        ),
        (policy(placement=7), "spec.placement"),
        (
            policy(resourceSelectors=[{"apiVersion": "events.k8s.io/v1", "kind": "Event"}]),
            "spec.resourceSelectors[0].kind",
        ),
    ],
)
async def test_a_policy_that_cannot_be_meant_is_refused_with_its_path(client, manifest, path):
    answer = await client.post(POLICIES, manifest)
    assert answer.code == 422
    assert path in {one["field"] for one in answer.body["details"]["causes"]}


async def test_who_writes_what_members_may_refuse_for_its_size_is_warned(client):
    large = deployment("large")
    container = large["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "A", "value": "x" * 1_600_000}]
    answer = await client.post(DEPLOYMENTS, large)
    assert answer.code == 201
    assert "takes requests of 1.5 MiB" in answer.warnings[0]


async def test_a_sound_policy_is_taken(client):
    assert (await client.post(POLICIES, weights(2, 0))).code == 201


@pytest.mark.parametrize(
    ("pointer", "code"),
    [("spec/replicas", 422), ("/spec/re~2", 422), ("/metadata/name", 422), ("/spec/replicas", 201)],
)
async def test_overrides_need_a_json_pointer_that_may_be_changed(client, pointer, code):
    plain = {"path": pointer, "operator": "replace", "value": 3}
    manifest = {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "OverridePolicy",
        "metadata": {"name": "o"},
        "spec": {"overrideRules": [{"overriders": {"plaintext": [plain]}}]},
    }
    answer = await client.post(f"{HANSE}/namespaces/default/overridepolicies", manifest)
    assert answer.code == code


@pytest.mark.parametrize("name", ["eu.1", "EU", "x" * 60])
async def test_a_clusters_name_is_short_and_plain(client, name):
    answer = await client.post(CLUSTERS, cluster(name))
    assert answer.code == 422
    assert answer.body["details"]["causes"][0]["field"] == "metadata.name"


def cluster(name: str) -> Manifest:
    return {"apiVersion": "hanse.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": name}}


async def test_a_taint_that_has_things_leave_keeps_the_time_when_it_came(client):
    taint = {"key": "upkeep", "effect": "NoExecute"}
    made = (await client.post(CLUSTERS, {**cluster("eu-1"), "spec": {"taints": [taint]}})).body
    (found,) = made["spec"]["taints"]
    assert found == {**taint, "timeAdded": found["timeAdded"]}
    # Whoever writes the same file again says no time.
    spec = {"taints": [taint], "region": "eu"}
    again = await client.put(f"{CLUSTERS}/eu-1", {**made, "spec": spec})
    assert again.body["spec"]["taints"] == [found]


async def test_credentials_go_in_sealed_and_never_come_out(client, bus):
    path = f"{CLUSTERS}/eu-1/credentials"
    body = {"server": "https://127.0.0.1:6443", "token": "the-members-token"}
    assert (await client.put(path, body)).code == 404
    await client.post(CLUSTERS, cluster("eu-1"))

    taken = await client.put(path, body)
    assert taken.code == 200
    sealed = await bus.board("SECRETS").get(subjects.member_key("eu-1"))
    assert sealed is not None
    assert b"the-members-token" not in sealed
    assert unseal(KEY, "eu-1", sealed).token == "the-members-token"
    for method in ("GET", "PATCH", "DELETE"):
        refused = await client.send(method, path)
        assert refused.code == 405
        assert "the-members-token" not in json.dumps(refused.body)


@pytest.mark.parametrize(
    "body",
    [
        {"server": "https://127.0.0.1:6443"},
        {"server": "ftp://127.0.0.1", "token": "swordfish"},
        {"server": "https://me:swordfish@127.0.0.1:6443", "token": "swordfish"},
        {"server": "https://127.0.0.1:6443", "token": "swordfish", "certificateAuthorityData": "?"},
        {
            "server": "https://127.0.0.1:6443",
            "token": "swordfish",
            "certificateAuthorityData": base64.b64encode(b"no certificate").decode(),
        },
        {"server": "https://127.0.0.1:6443", "clientCertificateData": "c3dvcmRmaXNo"},
        {"server": 7, "token": "swordfish"},
        {"token": "swordfish"},
        {"server": "https://x", "token": "swordfish", "passphrase": "swordfish"},
        ["swordfish"],
    ],
)
async def test_unusable_credentials_are_refused_without_being_repeated(client, bus, body):
    await client.post(CLUSTERS, cluster("eu-1"))
    answer = await client.put(f"{CLUSTERS}/eu-1/credentials", body)
    assert answer.code in (400, 422)
    assert "swordfish" not in json.dumps(answer.body)
    assert await bus.board("SECRETS").get(subjects.member_key("eu-1")) is None


def order(manifest: msgspec.Raw | None = None) -> Message:
    found = WorkOrder(
        api_version="apps/v1",
        kind="Deployment",
        resource="deployments",
        namespaced=True,
        namespace="shop",
        name="web",
        manifest=manifest or msgspec.Raw(encode(deployment("web"))),
        digest="d",
        template_uid="u",
        template_generation=3,
    )
    return Message(subjects.work("eu-1", WEB), encode_order(found))


def report(generation: int, *, applied: bool = True, present: bool = True) -> Message:
    found = WorkReport(
        generation=generation,
        template_uid="u",
        template_generation=3,
        applied=applied,
        present=present,
        observed_time="2026-01-01T00:00:00Z",
        health="Healthy",
    )
    return Message(subjects.status("eu-1", WEB), encode_report(found))


def end(why: str = "removed") -> Message:
    return replace(order(TOMBSTONE), headers={ENDED: why})


async def test_works_show_what_members_hold_and_report(client, bus):
    async with client.watch(WORKS) as lines:
        sequence = await bus.publish(order())
        added = await lines.next()
        await bus.publish(report(sequence))
        reported = await lines.next()
        await bus.publish(order(TOMBSTONE))
        told = await lines.next()
        await bus.publish(report(told["object"]["metadata"]["generation"], present=False))
        done = await lines.next()
        await bus.publish(end())
        gone = await lines.next()

    assert [one["type"] for one in (added, reported, told, done, gone)] == [
        "ADDED",
        "MODIFIED",
        "MODIFIED",
        "MODIFIED",
        "DELETED",
    ]
    assert added["object"]["metadata"]["name"] == "eu-1.web-deployment"
    assert added["object"]["spec"]["cluster"] == "eu-1"
    assert reported["object"]["status"]["conditions"][0]["status"] == "True"
    assert told["object"]["spec"]["deleted"] is True
    assert (await client.get(WORKS)).body["items"] == []


async def test_the_works_of_a_member_that_left_are_shown_no_more(client, bus):
    async with client.watch(WORKS) as lines:
        await bus.publish(order())
        assert (await lines.next())["type"] == "ADDED"
        # By dispatch, whatever the last order was.
        await bus.publish(end("left"))
        assert (await lines.next())["type"] == "DELETED"
    assert (await client.get(WORKS)).body["items"] == []


async def test_one_work_shows_its_manifest_and_nobody_writes_it(client, bus):
    await bus.publish(order())
    path = f"{WORKS}/eu-1.web-deployment"

    async def is_shown() -> bool:
        return (await client.get(path)).code == 200

    await until(is_shown)
    found = (await client.get(path)).body
    assert found["spec"]["manifest"]["spec"]["replicas"] == 2
    table = (await client.get(WORKS, accept=TABLE)).body
    assert table["rows"][0]["cells"][0] == "eu-1.web-deployment"

    assert (await client.put(path, found)).code == 405
    assert (await client.post(WORKS, found)).code == 405
    assert (await client.delete(path)).code == 405


async def test_the_api_works_the_same_over_jetstream(tmp_path: Path, nats_settings: NatsSettings):
    async with connect(nats_settings, "test") as connection:
        await ensure_topology(connection, STREAMS)
        async with (
            open_store(connection) as store,
            running_gateway(tmp_path, store, open_bus(connection, "test")) as (_, client),
        ):
            await a_session(client)


async def a_session(client: Client) -> None:
    created = await client.apply(f"{DEPLOYMENTS}/web", deployment("web"))
    assert created.code == 201
    version = (await client.get(DEPLOYMENTS)).metadata["resourceVersion"]
    async with client.watch(DEPLOYMENTS, resourceVersion=version) as lines:
        await client.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 5}})
        event = await lines.next()
    assert event["object"]["spec"]["replicas"] == 5

    stale = await client.put(f"{DEPLOYMENTS}/web", created.body)
    assert stale.code == 409
    assert (await client.post(MAPS, config_map("big", x="y" * 1_000_000))).code == 201
    assert (await client.delete(f"{DEPLOYMENTS}/web")).body["status"] == "Success"
    assert (await client.get(f"{DEPLOYMENTS}/web")).code == 404


async def test_a_decision_is_the_schedulers(tmp_path: Path, bus: MemoryBus) -> None:
    store = MemoryStore()
    bindings = f"{HANSE}/namespaces/default/resourcebindings"
    resource = {"apiVersion": "v1", "kind": "ConfigMap", "resource": "configmaps", "name": "a"}
    policy_of = {"kind": "PropagationPolicy", "name": "p"}
    binding = {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "ResourceBinding",
        "metadata": {"name": "mine", "namespace": "default"},
        "spec": {"resource": resource, "policy": policy_of, "clusters": [{"name": "eu-1"}]},
    }
    async with running_gateway(tmp_path, store, bus) as (_, client):
        refused = await client.post(bindings, binding)
        assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
        assert "scheduler" in refused.body["message"]
        key = ObjectKey("hanse.dev", "resourcebindings", "default", "mine")
        await store.create(key, binding)
        change = {"spec": {"clusters": [{"name": "us-1"}]}}
        assert (await client.patch(f"{bindings}/mine", change)).code == 403
        label = {"metadata": {"labels": {"a": "b"}}}
        assert (await client.patch(f"{bindings}/mine", label)).code == 200
        assert (await client.delete(f"{bindings}/mine")).code == 200
