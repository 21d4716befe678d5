"""Lists in pages, selectors, tables and watches over HTTP."""

from shared.store.memory import MemoryStore
from shared.store.port import StoreLimits
from tests.served_api import (
    DEPLOYMENTS,
    MAPS,
    TABLE,
    Client,
    config_map,
    deployment,
    served_api,
)

METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

PARTIAL = METADATA.replace("MetadataList", "Metadata")


def names(listing: dict) -> list[str]:
    return [one["metadata"]["name"] for one in listing["items"]]


async def some_maps(client: Client, count: int = 5) -> None:
    for number in range(count):
        manifest = config_map(f"m{number}")
        manifest["metadata"]["labels"] = {"even": "yes" if number % 2 == 0 else "no"}
        await client.post(MAPS, manifest)


async def test_pages_are_one_list_at_one_revision(client):
    await some_maps(client)
    first = (await client.get(MAPS, limit="2")).body
    assert names(first) == ["m0", "m1"]
    assert first["metadata"]["remainingItemCount"] == 3

    await client.delete(f"{MAPS}/m3")
    await client.post(MAPS, config_map("m2a"))
    token = first["metadata"]["continue"]
    second = (await client.get(MAPS, **{"limit": "2", "continue": token})).body
    last = (
        await client.get(MAPS, **{"limit": "2", "continue": second["metadata"]["continue"]})
    ).body

    assert names(second) + names(last) == ["m2", "m3", "m4"]
    versions = {page["metadata"]["resourceVersion"] for page in (first, second, last)}
    assert len(versions) == 1
    assert "continue" not in last["metadata"]


async def test_a_page_whose_snapshot_is_gone_is_answered_410_with_a_way_on(client):
    await some_maps(client)
    token = (await client.get(MAPS, limit="2")).metadata["continue"]
    async with served_api(MemoryStore(StoreLimits(history=2))) as other:
        await some_maps(other.client)
        for name in ("x", "y", "z"):
            await other.client.post(MAPS, config_map(name))
        lost = await other.client.get(MAPS, **{"limit": "2", "continue": token})
        assert lost.code == 410
        assert lost.body["reason"] == "Expired"
        present = lost.metadata["continue"]
        rest = await other.client.get(MAPS, **{"limit": "2", "continue": present})
        assert names(rest.body) == ["m2", "m3"]


async def test_a_page_is_the_same_whichever_replica_it_is_asked_of(client, served):
    await some_maps(client)
    first = (await client.get(MAPS, limit="2")).body
    await client.delete(f"{MAPS}/m3")
    await client.patch(f"{MAPS}/m2", {"data": {"x": "later"}})
    await client.post(MAPS, config_map("m2a"))
    # Over the same store, and without the snapshot that the first page left in its server.
    async with served_api(served.store) as replica:
        token = first["metadata"]["continue"]
        rest = await replica.client.get(MAPS, **{"continue": token})
    assert names(rest.body) == ["m2", "m3", "m4"]
    assert "x" not in rest.body["items"][0].get("data", {})
    assert rest.metadata["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_token_of_ones_own_making_is_refused(client):
    answer = await client.get(MAPS, **{"limit": "2", "continue": "bm9uc2Vuc2U"})
    assert answer.code == 400


async def test_selectors_choose(client):
    await some_maps(client)
    assert names((await client.get(MAPS, labelSelector="even=yes")).body) == ["m0", "m2", "m4"]
    assert names((await client.get(MAPS, labelSelector="even!=yes")).body) == ["m1", "m3"]
    assert names((await client.get(MAPS, fieldSelector="metadata.name=m1")).body) == ["m1"]
    assert names((await client.get(MAPS, labelSelector="even=yes", limit="1")).body) == ["m0"]

    assert (await client.get(MAPS, labelSelector="a b c")).code == 400
    unknown = await client.get(MAPS, fieldSelector="data.x=1")
    assert unknown.code == 400
    assert "not a known field selector" in unknown.body["message"]


async def test_exact_versions_are_served_or_expired(client):
    await some_maps(client, 1)
    now = (await client.get(MAPS)).metadata["resourceVersion"]
    exact = await client.get(MAPS, resourceVersion=now, resourceVersionMatch="Exact")
    assert exact.code == 200
    await client.post(MAPS, config_map("later"))
    old = await client.get(MAPS, resourceVersion=now, resourceVersionMatch="Exact")
    assert names(old.body) == names(exact.body) == ["m0"]
    future = await client.get(MAPS, resourceVersion="999999")
    assert future.code == 504
    assert future.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_a_table_is_what_kubectl_prints(client):
    await client.post(DEPLOYMENTS, deployment("web", 3))
    table = (await client.get(DEPLOYMENTS, accept=TABLE)).body
    assert table["kind"] == "Table"
    columns = [one["name"] for one in table["columnDefinitions"]]
    row = dict(zip(columns, table["rows"][0]["cells"], strict=True))
    assert row["Name"] == "web"
    assert row["Ready"] == "0/3"
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"

    one = (await client.get(f"{DEPLOYMENTS}/web", accept=TABLE, includeObject="Object")).body
    assert one["rows"][0]["object"]["kind"] == "Deployment"


async def test_metadata_alone_can_be_asked_for(client):
    await client.post(MAPS, config_map("a", x="1"))
    listing = (await client.get(MAPS, accept=METADATA)).body
    assert listing["kind"] == "PartialObjectMetadataList"
    assert "data" not in listing["items"][0]
    assert names(listing) == ["a"]


async def test_a_large_list_is_compressed_for_who_wants_it(client):
    big = config_map("big", x="lorem ipsum " * 20_000)
    await client.post(MAPS, big)
    async with client.open("GET", MAPS, {"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers["Vary"] == "Accept-Encoding"
        found = await packed.json()
    async with client.open("GET", MAPS, {"Accept-Encoding": "identity"}) as plain:
        assert "Content-Encoding" not in plain.headers
        assert await plain.json() == found
    async with client.open("GET", f"{MAPS}/big", {"Accept-Encoding": "gzip"}) as one:
        assert one.headers["Content-Encoding"] == "gzip"
    async with client.open("GET", "/api/v1/namespaces", {"Accept-Encoding": "gzip"}) as small:
        assert "Content-Encoding" not in small.headers
    assert found["items"][0]["data"] == big["data"]


async def test_a_list_of_many_parts_is_whole_in_every_form(client):
    for number in range(150):
        await client.post(MAPS, config_map(f"m{number:03}", x="lorem ipsum " * 100))
    expected = [f"m{number:03}" for number in range(150)]
    assert names((await client.get(MAPS)).body) == expected
    assert names((await client.get(MAPS, accept=METADATA)).body) == expected
    table = (await client.get(MAPS, accept=TABLE)).body
    assert [row["cells"][0] for row in table["rows"]] == expected
