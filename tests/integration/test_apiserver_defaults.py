"""A federation stores what its users wrote and shows it as a cluster would: with defaults."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.apimachinery.defaults import with_defaults
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.apiserver.assembly import Extensions
from tests.served_api import DEPLOYMENTS, TABLE, Client, Served, deployment, served_api

WEB = f"{DEPLOYMENTS}/web"
STATEFUL_SETS = "/apis/apps/v1/namespaces/default/statefulsets"
SERVICES = "/api/v1/namespaces/default/services"
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with served_api(extensions=Extensions(shown=with_defaults)) as found:
        yield found


def open_deployment() -> Manifest:
    """A Deployment that leaves its replicas to others."""
    manifest = deployment("web")
    del manifest["spec"]["replicas"]
    return manifest


async def stored(served: Served) -> Any:
    found = await served.store.get(ObjectKey("apps", "deployments", "default", "web"))
    assert found is not None
    return found.manifest["spec"]


async def test_defaults_are_shown_and_neither_stored_nor_owned(served: Served) -> None:
    client = served.client
    answer = await client.apply(WEB, open_deployment())
    for body in (answer.body, (await client.get(WEB)).body):
        assert body["spec"]["replicas"] == 1
        assert body["spec"]["strategy"] == ROLLING
        (container,) = body["spec"]["template"]["spec"]["containers"]
        assert container["imagePullPolicy"] == "IfNotPresent"
    (item,) = (await client.get(DEPLOYMENTS)).body["items"]
    assert item["spec"]["replicas"] == 1
    assert await stored(served) == open_deployment()["spec"]
    # Nobody owns the number, so that an autoscaler still may.
    (entry,) = answer.metadata["managedFields"]
    assert set(entry["fieldsV1"]["f:spec"]) == {"f:selector", "f:template"}


async def test_watchers_and_tables_see_them_too(client: Client) -> None:
    async with client.watch(DEPLOYMENTS) as lines:
        await client.post(DEPLOYMENTS, open_deployment())
        assert (await lines.next())["object"]["spec"]["strategy"] == ROLLING
    (row,) = (await client.get(DEPLOYMENTS, accept=TABLE)).body["rows"]
    assert row["cells"][1] == "0/1"


async def test_the_scale_of_what_is_left_open_is_the_one_shown(client: Client) -> None:
    await client.post(DEPLOYMENTS, open_deployment())
    assert (await client.get(f"{WEB}/scale")).body["spec"] == {"replicas": 1}


async def test_what_a_client_reads_and_writes_back_stays_unsaid(served: Served) -> None:
    client = served.client
    await client.post(DEPLOYMENTS, open_deployment())
    read = (await client.get(WEB)).body
    read["metadata"]["labels"] = {"tier": "front"}
    read["spec"]["template"]["spec"]["containers"][0]["image"] = "example/main:2"
    written = await client.put(WEB, read)
    assert written.code == 200
    assert written.body["spec"]["replicas"] == 1
    wanted = open_deployment()["spec"]
    wanted["template"]["spec"]["containers"][0]["image"] = "example/main:2"
    assert await stored(served) == wanted
    assert (await client.put(WEB, written.body)).metadata["generation"] == 2


async def test_an_item_more_leaves_the_others_unsaid(served: Served) -> None:
    client = served.client
    await client.post(DEPLOYMENTS, open_deployment())
    read = (await client.get(WEB)).body
    containers = read["spec"]["template"]["spec"]["containers"]
    containers.insert(0, {"name": "side", "image": "example/side:1"})
    await client.put(WEB, read)
    add = {"op": "add", "path": "/spec/template/spec/containers/0"}
    third = {"name": "third", "image": "example/third:1"}
    await client.patch(WEB, [{**add, "value": third}], "application/json-patch+json")

    wanted = open_deployment()["spec"]
    wanted["template"]["spec"]["containers"][:0] = [third, containers[0]]
    assert await stored(served) == wanted


async def test_what_a_client_says_is_kept_even_where_it_is_the_default(served: Served) -> None:
    client = served.client
    said = deployment("web", replicas=1)
    await client.post(DEPLOYMENTS, said)
    read = (await client.get(WEB)).body
    read["spec"]["strategy"] = {"type": "Recreate"}
    await client.put(WEB, read)
    assert await stored(served) == {**said["spec"], "strategy": {"type": "Recreate"}}


async def test_a_json_patch_speaks_of_what_it_was_shown(served: Served) -> None:
    client = served.client
    await client.post(DEPLOYMENTS, open_deployment())
    operations = [
        {"op": "test", "path": "/spec/replicas", "value": 1},
        {"op": "replace", "path": "/spec/strategy/rollingUpdate/maxSurge", "value": 2},
    ]
    answer = await client.patch(WEB, operations, "application/json-patch+json")
    assert answer.code == 200
    assert (await stored(served))["strategy"] == {"rollingUpdate": {"maxSurge": 2}}


async def test_kinds_that_kubectl_follows_say_how_they_update(client: Client) -> None:
    manifest = {**open_deployment(), "kind": "StatefulSet"}
    await client.post(STATEFUL_SETS, manifest)
    found = (await client.get(f"{STATEFUL_SETS}/web")).body["spec"]
    assert found["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


async def test_a_service_has_a_type_and_ports_a_protocol(client: Client) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    await client.post(SERVICES, {**service, "spec": {"ports": [{"port": 80}]}})
    spec = (await client.get(f"{SERVICES}/web")).body["spec"]
    assert spec["type"] == "ClusterIP"
    assert spec["ports"] == [{"protocol": "TCP", "targetPort": 80, "port": 80}]
    assert "clusterIP" not in spec
