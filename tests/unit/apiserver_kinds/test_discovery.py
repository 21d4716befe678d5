from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from shared.apimachinery.manifest import GroupVersionKind
from shared.apiserver import discovery, openapi
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.hanse_kinds import hanse_kinds
from shared.apiserver.kinds import ResourceKind, ScalePaths
from shared.apiserver.registry import Registry
from shared.apiserver.requests.wire import wire_fields

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
BOATS = ResourceKind(
    gvk=GroupVersionKind("sea.example.org", "v1", "Boat"),
    resource="boats",
    singular="boat",
    namespaced=False,
    custom=True,
    scale=ScalePaths(spec_replicas=".spec.crew", status_replicas=".status.crew"),
    schema={"type": "object", "properties": {"spec": {"x-kubernetes-int-or-string": True}}},
)
Client = TestClient[web.Request, web.Application]


@asynccontextmanager
async def serving(registry: Registry) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes([*discovery.routes(registry), *openapi.routes(registry)])
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
def registry() -> Registry:
    return Registry(builtin_kinds(), hanse_kinds())


@pytest.fixture
async def client(registry: Registry) -> AsyncIterator[Client]:
    async with serving(registry) as found:
        yield found


async def test_the_core_group_has_one_version(client: Client):
    answer = await (await client.get("/api")).json()

    assert answer["versions"] == ["v1"]


async def test_the_groups_are_listed_with_their_preferred_version(client: Client):
    answer = await (await client.get("/apis")).json()

    groups = {group["name"]: group for group in answer["groups"]}
    assert groups["autoscaling"]["preferredVersion"]["version"] == "v2"
    assert groups["hanse.dev"]["versions"][0]["groupVersion"] == "hanse.dev/v1alpha1"
    assert "" not in groups


async def test_a_group_version_lists_kinds_and_subresources(client: Client):
    answer = await (await client.get("/apis/apps/v1")).json()

    resources = {resource["name"]: resource for resource in answer["resources"]}
    assert resources["deployments"]["shortNames"] == ["deploy"]
    assert resources["deployments/scale"]["kind"] == "Scale"
    assert resources["deployments/scale"]["group"] == "autoscaling"
    assert resources["daemonsets/status"]["verbs"] == ["get", "patch", "update"]
    assert "daemonsets/scale" not in resources


@pytest.mark.parametrize("path", ["/apis/apps/v9", "/api/v2"])
async def test_what_is_not_served_is_not_found(client: Client, path: str):
    answer = await client.get(path)

    assert answer.status == 404
    assert (await answer.json())["kind"] == "Status"


async def test_a_group_that_is_not_served_is_no_page(client: Client):
    answer = await client.get("/apis/nowhere")

    assert answer.status == 404
    assert await answer.text() == "404 page not found\n"


async def test_aggregated_discovery_tells_everything_in_two_answers(client: Client):
    core = await client.get("/api", headers={"Accept": f"{AGGREGATED},application/json"})
    others = await client.get("/apis", headers={"Accept": AGGREGATED})

    assert core.headers["Content-Type"] == AGGREGATED
    (group,) = (await core.json())["items"]
    pods = next(one for one in group["versions"][0]["resources"] if one["resource"] == "pods")
    assert pods["scope"] == "Namespaced"
    assert {one["subresource"] for one in pods["subresources"]} == {"ephemeralcontainers", "status"}
    names = [one["metadata"]["name"] for one in (await others.json())["items"]]
    assert names[0] == "apiregistration.k8s.io"
    assert names[-1] == "hanse.dev"


async def test_an_old_client_gets_the_older_aggregated_form_or_none(client: Client):
    beta = AGGREGATED.replace("v=v2", "v=v2beta1")
    future = AGGREGATED.replace("v=v2", "v=v3")

    assert (await (await client.get("/apis", headers={"Accept": beta})).json())[
        "apiVersion"
    ] == "apidiscovery.k8s.io/v2beta1"
    answer = await client.get("/apis", headers={"Accept": f"{future},application/json"})
    assert (await answer.json())["kind"] == "APIGroupList"


async def test_what_the_client_has_is_not_sent_again_until_it_changes(
    client: Client, registry: Registry
):
    first = await client.get("/apis", headers={"Accept": AGGREGATED})
    known = {"Accept": AGGREGATED, "If-None-Match": first.headers["ETag"]}
    assert (await client.get("/apis", headers=known)).status == 304

    registry.put_custom("boats.sea.example.org", [BOATS])

    again = await client.get("/apis", headers=known)
    assert again.status == 200
    assert "sea.example.org" in await again.text()


async def test_the_index_names_a_document_for_every_group_version(
    client: Client, registry: Registry
):
    paths = (await (await client.get("/openapi/v3")).json())["paths"]

    assert {"api/v1", "apis/apps/v1", "apis/hanse.dev/v1alpha1"} <= set(paths)
    before = paths["apis/apps/v1"]
    registry.put_custom("boats.sea.example.org", [BOATS])
    paths = (await (await client.get("/openapi/v3")).json())["paths"]
    assert "apis/sea.example.org/v1" in paths
    assert paths["apis/apps/v1"] == before


async def test_a_document_describes_paths_and_types(client: Client):
    index = (await (await client.get("/openapi/v3")).json())["paths"]
    answer = await client.get(index["apis/apps/v1"]["serverRelativeURL"])
    assert "immutable" in answer.headers["Cache-Control"]
    document = await answer.json()

    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
    }
    assert {"fieldValidation", "force"} <= {one["name"] for one in patch["parameters"]}
    assert "application/strategic-merge-patch+json" in patch["requestBody"]["content"]
    schemas = document["components"]["schemas"]
    container = schemas["io.k8s.api.core.v1.Container"]
    assert container["properties"]["ports"]["x-kubernetes-patch-merge-key"] == "containerPort"
    assert "name" in container["properties"]["image"].get("description", "name")


async def test_every_reference_leads_somewhere(client: Client, registry: Registry):
    registry.put_custom("boats.sea.example.org", [BOATS])
    index = (await (await client.get("/openapi/v3")).json())["paths"]
    for name in index:
        document = await (await client.get(f"/openapi/v3/{name}")).json()
        known = set(document["components"]["schemas"])
        assert {one.rpartition("/")[2] for one in references(document)} <= known, name


async def test_operation_ids_are_unique(client: Client):
    document = await (await client.get("/openapi/v3/apis/apps/v1")).json()

    found = [
        operation["operationId"]
        for path in document["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    ]
    assert len(found) == len(set(found))


async def test_a_custom_kind_has_no_strategic_merge(client: Client, registry: Registry):
    registry.put_custom("boats.sea.example.org", [BOATS])

    document = await (await client.get("/openapi/v3/apis/sea.example.org/v1")).json()

    content = document["paths"]["/apis/sea.example.org/v1/boats/{name}"]["patch"]["requestBody"]
    assert "application/strategic-merge-patch+json" not in content["content"]
    boat = document["components"]["schemas"]["org.example.sea.v1.Boat"]
    assert boat["properties"]["metadata"]["allOf"][0]["$ref"].endswith("ObjectMeta")


async def test_types_and_fields_are_explained_in_words(client: Client):
    document = await (await client.get("/openapi/v3/apis/apps/v1")).json()

    schemas = document["components"]["schemas"]
    assert "declarative updates" in schemas["io.k8s.api.apps.v1.Deployment"]["description"]
    strategy = schemas["io.k8s.api.apps.v1.DeploymentStrategy"]["properties"]
    assert strategy["type"]["description"].startswith("Type of deployment.")
    assert strategy["type"]["enum"] == ["Recreate", "RollingUpdate"]


PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


async def test_version_two_is_whole_in_json_and_in_protobuf(client: Client):
    document = await (await client.get("/openapi/v2")).json()
    binary = await client.get("/openapi/v2", headers={"Accept": PROTOBUF})

    assert document["swagger"] == "2.0"
    known = set(document["definitions"])
    assert "dev.hanse.v1alpha1.Cluster" in known
    assert {one.rpartition("/")[2] for one in references(document)} <= known
    assert binary.content_type == PROTOBUF.replace("@", ".")
    # openapi.v2.Document: 1 is `swagger`, 8 are the paths and 9 the definitions, by name.
    parts = message(await binary.read())
    assert parts[1] == [b"2.0"]
    assert names(parts[9][0], entry=1) == known
    assert names(parts[8][0], entry=2) == set(document["paths"])


async def test_a_field_in_protobuf_has_its_type_meaning_and_extensions(client: Client):
    binary = await client.get("/openapi/v2", headers={"Accept": PROTOBUF})
    definitions = dict(entries(message(await binary.read())[9][0], entry=1))
    spec = message(definitions[b"io.k8s.api.core.v1.PodSpec"])
    fields = dict(entries(spec[25][0], entry=1))

    containers = message(fields[b"containers"])

    # openapi.v2.Schema: 4 is the description, 22 the type, 31 are extensions.
    assert containers[4][0].startswith(b"List of containers")
    assert message(containers[22][0])[1] == [b"array"]
    extensions = dict(entries(fields[b"containers"], entry=31))
    assert message(extensions[b"x-kubernetes-patch-merge-key"])[2] == [b'"name"\n']
    assert spec[19] == [b"containers"]


async def test_no_other_form_of_version_two_is_served(client: Client):
    refused = await client.get("/openapi/v2", headers={"Accept": "application/xml"})

    assert refused.status == 406


def message(body: bytes) -> dict[int, list[Any]]:
    """Return the fields of a protobuf message by number, as they are encoded."""
    found: dict[int, list[Any]] = {}
    for number, value in wire_fields(body):
        found.setdefault(number, []).append(value)
    return found


def entries(body: bytes, *, entry: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and value of the pairs under one number."""
    for pair in message(body)[entry]:
        parts = message(pair)
        yield parts[1][0], parts[2][0]


def names(body: bytes, *, entry: int) -> set[str]:
    return {name.decode() for name, _ in entries(body, entry=entry)}


def references(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(each) for each in value.values()))
    if isinstance(value, list):
        return set().union(*(references(each) for each in value))
    return set()
