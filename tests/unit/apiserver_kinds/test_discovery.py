from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from shared.apimachinery.manifest import GroupVersionKind
from shared.apiserver import discovery, openapi
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.hanse_kinds import hanse_kinds
from shared.apiserver.kinds import ResourceKind, ScalePaths
from shared.apiserver.registry import Registry

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
    assert pods["subresources"][0]["subresource"] == "status"
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


async def test_version_two_is_json_and_says_in_protobuf_that_there_is_no_more(client: Client):
    document = await (await client.get("/openapi/v2")).json()

    assert document["swagger"] == "2.0"
    known = set(document["definitions"])
    assert "dev.hanse.v1alpha1.Cluster" in known
    assert {one.rpartition("/")[2] for one in references(document)} <= known
    protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    empty = await client.get("/openapi/v2", headers={"Accept": protobuf})
    assert empty.content_type == protobuf.replace("@", ".")
    # openapi.v2.Document: field 1, `swagger`; field 2, `info`; no definitions.
    assert (await empty.read()).startswith(b"\x0a\x032.0\x12")
    refused = await client.get("/openapi/v2", headers={"Accept": "application/xml"})
    assert refused.status == 406


def references(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(each) for each in value.values()))
    if isinstance(value, list):
        return set().union(*(references(each) for each in value))
    return set()
