"""Whatever is sent, the answer is a Status with the right code, and the server lives on."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apiserver.assembly import Extensions
from shared.apiserver.requests.limits import ServerLimits
from tests.served_api import MAPS, TOKEN, Client, config_map, served_api


async def test_only_health_and_version_answer_strangers(served):
    stranger = served.anonymous
    for path in ("/livez", "/healthz", "/readyz", "/readyz/ping", "/version"):
        assert (await stranger.get(path)).code == 200
    for path in (
        "/",
        "/metrics",
        "/api",
        "/apis",
        "/openapi/v3",
        "/api/v1/namespaces",
        MAPS,
        "/x",
    ):
        answer = await stranger.get(path)
        assert answer.code == 401
        assert answer.body["reason"] == "Unauthorized"


async def test_a_wrong_token_is_no_token(served):
    wrong = Client(served.client._session, served.client.url, "not-the-token-at-all")
    assert (await wrong.get(MAPS)).code == 401


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no body"),
        (b"{", "not valid JSON"),
        (b"[]", "must be an object"),
        (b'"text"', "must be an object"),
        (b'{"kind": "\xff\xfe"}', "not valid UTF-8"),
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, "JSON"),
    ],
)
async def test_a_body_that_cannot_be_read_is_a_bad_request(client, body, says):
    answer = await client.post(MAPS, body)
    assert answer.code == 400
    assert answer.body["kind"] == "Status"
    assert says in answer.body["message"] or "nested" in answer.body["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"a: [1, 2",
        b"a: \xff",
        b"- 1\n- 2\n",
        b"a: &a [x]\nb: " + b"[" + b",".join([b"*a"] * 2000) + b"]",
        b"a: !!python/object/apply:os.system ['true']",
        b"a: .nan",
    ],
)
async def test_yaml_that_cannot_be_read_is_a_bad_request(client, body):
    answer = await client.send("POST", MAPS, body, content_type="application/yaml")
    assert answer.code == 400


async def test_yaml_that_grows_is_stopped(client):
    levels = [b"l0: &l0 [x,x,x,x,x,x,x,x,x]"]
    levels += [b"l%d: &l%d [%s]" % (n, n, b",".join([b"*l%d" % (n - 1)] * 9)) for n in range(1, 10)]
    answer = await client.send("POST", MAPS, b"\n".join(levels), content_type="application/yaml")
    assert answer.code == 400
    assert "aliases" in answer.body["message"]


async def test_a_body_too_large_is_refused_without_being_read(served):
    parts = urlsplit(served.client.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    size = 20 * 1024 * 1024
    writer.write(
        f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode()
    )
    await writer.drain()
    async with asyncio.timeout(20):
        status = await reader.readline()
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        body = json.loads(await reader.readexactly(length))
    writer.close()
    await writer.wait_closed()
    assert b"413" in status
    assert body["reason"] == "RequestEntityTooLarge"
    assert (await served.client.get(MAPS)).code == 200


async def test_a_body_too_large_in_chunks_is_refused(served):
    answer = await served.client.post(MAPS, b" " * (4 * 1024 * 1024))
    assert answer.code == 413


async def test_an_object_of_three_mebibytes_is_accepted(client):
    # ConfigMaps and Secrets have a bound of their own, of one mebibyte.
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "big"},
        "revision": 1,
        "data": {"x": "y" * (3 * 1024 * 1024 - 1_000)},
    }
    path = "/apis/apps/v1/namespaces/default/controllerrevisions"
    assert (await client.post(path, manifest)).code == 201
    assert len((await client.get(f"{path}/big")).body["data"]["x"]) == 3 * 1024 * 1024 - 1_000


async def test_media_types_that_are_not_spoken_are_named(client):
    assert (await client.send("POST", MAPS, b"x", content_type="text/plain")).code == 415
    answer = await client.get(MAPS, accept="application/vnd.kubernetes.protobuf")
    assert answer.code == 406


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/namespaces/default/pods",
        "/api/v1/namespaces/default/nope",
        "/apis/apps/v9/namespaces/default/deployments",
        "/api/v1/pods/x",
        "/api/v1/namespaces/default/nodes/x",
        "/api/v1/namespaces/default/configmaps/x/status",
        "/api/v1/namespaces/default/pods/x/exec",
        "/api/v1/namespaces/default/pods/x/y/z",
        "/api/v1//pods",
    ],
)
async def test_paths_that_name_nothing_are_not_found(client, path):
    answer = await client.get(path)
    assert answer.code == 404
    assert answer.body["kind"] == "Status"


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "x"},
        {"resourceVersion": "abc"},
        {"watch": "true", "timeoutSeconds": "x"},
        {"includeObject": "Some"},
    ],
)
async def test_query_values_that_are_none_are_bad_requests(client, query):
    assert (await client.get(MAPS, **query)).code == 400


@pytest.mark.parametrize(
    "query", [{"dryRun": "Some"}, {"fieldValidation": "Loud"}, {"fieldManager": "x" * 200}]
)
async def test_write_options_that_are_none_are_invalid(client, query):
    assert (await client.post(MAPS, config_map("a"), **query)).code == 422


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_methods_where_they_do_not_belong_are_refused(client, method):
    path = f"{MAPS}/x" if method == "POST" else MAPS
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer = await client.send(method, path, config_map("x"), content_type=media)
    assert answer.code == 405


async def test_metadata_of_the_wrong_shape_is_named(client):
    manifest = config_map("a")
    manifest["metadata"] = "text"
    assert (await client.post(MAPS, manifest)).code == 400
    manifest = config_map("a")
    manifest["metadata"]["labels"] = {"ok": 1}
    assert (await client.post(MAPS, manifest)).code == 400
    manifest["metadata"]["labels"] = {"a b": "c"}
    answer = await client.post(MAPS, manifest)
    assert answer.code == 422
    fields = {one["field"] for one in answer.body["details"]["causes"]}
    assert any(field.startswith("metadata.labels") for field in fields)


@pytest.mark.parametrize("document", [None, 7, "x", [], {"metadata": None}, {"metadata": []}])
async def test_no_patch_breaks_the_server(client, document):
    await client.post(MAPS, config_map("a"))
    for media in (
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/json-patch+json",
        "application/apply-patch+yaml",
    ):
        body = json.dumps(document).encode()
        answer = await client.patch(f"{MAPS}/a", body, media, fieldManager="x")
        assert answer.code < 500, (media, answer.body)
    assert (await client.get(f"{MAPS}/a")).code == 200


class Broken:
    """An admission with a bug."""

    def admit(self, *_given: object) -> list[str]:
        raise RuntimeError("the secret word is swordfish")


async def test_a_bug_of_ours_is_a_plain_500():
    extensions = Extensions(admission={GroupResource("", "configmaps"): Broken()})
    async with served_api(extensions=extensions) as served:
        answer = await served.client.post(MAPS, config_map("a"))
        assert answer.code == 500
        assert answer.body["reason"] == "InternalError"
        assert "swordfish" not in json.dumps(answer.body)
        assert (await served.client.get(MAPS)).code == 200


async def test_a_body_that_never_comes_does_not_hold_the_server():
    async with served_api(limits=ServerLimits(body_seconds=0.2)) as served:
        parts = urlsplit(served.client.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(
            f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode()
        )
        async with asyncio.timeout(20):
            status = await reader.readline()
        writer.close()
        await writer.wait_closed()
        assert b"408" in status


async def test_who_writes_what_members_may_be_too_small_for_is_warned():
    async with served_api(limits=ServerLimits(told_bytes=512 * 1024)) as served:
        small = await served.client.post(MAPS, config_map("small", text="x" * 500_000))
        assert (small.code, small.warnings) == (201, ())
        large = await served.client.post(MAPS, config_map("large", text="x" * 600_000))
        assert large.code == 201
        (warning,) = large.warnings
        assert "the object has 0.6 MiB" in warning
        assert "refuses it" in warning


async def test_every_status_names_itself(client):
    answer = await client.get(f"{MAPS}/nope")
    status: Manifest = answer.body
    assert status["apiVersion"] == "v1"
    assert status["status"] == "Failure"
    assert status["code"] == answer.code == 404
