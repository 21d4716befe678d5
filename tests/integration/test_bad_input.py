"""What a gateway answers to broken HTTP, nonsense and mistakes: a precise Status, and goes on."""

import asyncio
import gzip
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from shared.apiserver.requests.limits import ServerLimits
from tests.served_api import (
    DEPLOYMENTS,
    MAPS,
    TOKEN,
    Client,
    Served,
    config_map,
    deployment,
    served_api,
)

HEAD = f"Host: x\r\nAuthorization: Bearer {TOKEN}\r\n"


async def spoken(served: Served, text: bytes) -> bytes:
    """Send *text* over a connection of its own; returns the first line of the answer."""
    parts = urlsplit(served.client.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(text)
        async with asyncio.timeout(20):
            return await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()


async def sent(
    served: Served, method: str, path: str, body: bytes, **headers: str
) -> tuple[int, Any]:
    """Send *body* exactly as it is, with exactly these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    parts = urlsplit(served.client.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [f"{method} {path} HTTP/1.1", HEAD.strip(), "Connection: close"]
    lines += [f"{name}: {value}" for name, value in named.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    try:
        writer.write("\r\n".join(lines).encode() + body)
        async with asyncio.timeout(20):
            answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    head, _, rest = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(rest)


@pytest.mark.parametrize(
    "text",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        f"POST {MAPS} HTTP/1.1\r\n{HEAD}Content-Length: -5\r\n\r\n".encode(),
        f"POST {MAPS} HTTP/1.1\r\n{HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\n".encode(),
        f"POST {MAPS} HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\nnonsense\r\n".encode(),
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_broken_http_is_refused_and_harms_nobody(served: Served, text: bytes) -> None:
    assert b" 400 " in await spoken(served, text)
    assert (await served.client.get(MAPS)).code == 200


async def test_http_of_1996_is_understood(served: Served) -> None:
    assert b" 200 " in await spoken(served, f"GET {MAPS} HTTP/1.0\r\n{HEAD}\r\n".encode())


async def test_long_selectors_and_tokens_are_read(served: Served) -> None:
    names = ",".join(f"n{number}" for number in range(3_000))
    answer = await served.client.get(MAPS, labelSelector=f"app in ({names})")
    assert answer.code == 200
    stranger = Client(served.client._session, served.client.url, "t" * 20_000)
    assert (await stranger.get(MAPS)).code == 401


async def test_a_body_without_a_type_is_json(served: Served) -> None:
    body = json.dumps(config_map("plain")).encode()
    assert (await sent(served, "POST", MAPS, body))[0] == 201


async def test_a_compressed_body_is_read_within_the_same_limit(served: Served) -> None:
    small = gzip.compress(json.dumps(config_map("small")).encode())
    assert (await sent(served, "POST", MAPS, small, Content_Encoding="gzip"))[0] == 201
    bomb = gzip.compress(b'{"a":"' + b"x" * (64 * 1024 * 1024) + b'"}')
    code, status = await sent(served, "POST", MAPS, bomb, Content_Encoding="gzip")
    assert (code, status["reason"]) == (413, "RequestEntityTooLarge")


async def test_a_body_that_is_not_compressed_as_it_says_is_a_bad_request(served: Served) -> None:
    code, status = await sent(served, "POST", MAPS, b"plain text", Content_Encoding="gzip")
    assert (code, status["reason"]) == (400, "BadRequest")
    assert "encoded" in status["message"]


async def test_text_that_is_not_utf8_is_told_with_its_place(client: Client) -> None:
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"\xff"}}'
    answer = await client.post(MAPS, body)
    assert answer.code == 400
    assert f"byte {body.index(0xFF)}" in answer.body["message"]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({"gracePeriodSeconds": "soon"}, None),
        ({"propagationPolicy": "Perhaps"}, None),
        ({"dryRun": "Perhaps"}, None),
        ({}, b"x"),
        ({}, b"[]"),
        ({}, config_map("kept")),
        ({}, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": "soon"}),
        ({}, {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": []}),
    ],
)
async def test_a_delete_that_is_not_understood_deletes_nothing(
    client: Client, query: dict[str, str], body: Any
) -> None:
    await client.post(MAPS, config_map("kept"))
    answer = await client.delete(f"{MAPS}/kept", body, **query)
    assert answer.code in (400, 422)
    assert answer.body["kind"] == "Status"
    assert (await client.get(f"{MAPS}/kept")).code == 200


async def test_replicas_below_none_are_refused_by_every_verb(client: Client) -> None:
    wrong = deployment("web", replicas=-1)
    answers = [
        await client.post(DEPLOYMENTS, wrong),
        await client.apply(f"{DEPLOYMENTS}/web", wrong),
    ]
    await client.post(DEPLOYMENTS, deployment("web"))
    patch: Any = {"spec": {"replicas": -1}}
    answers += [
        await client.put(f"{DEPLOYMENTS}/web", wrong),
        await client.patch(f"{DEPLOYMENTS}/web", patch),
        await client.patch(f"{DEPLOYMENTS}/web/scale", patch),
    ]
    for answer in answers:
        assert (answer.code, answer.body["reason"]) == (422, "Invalid")
        assert [one["field"] for one in answer.body["details"]["causes"]] == ["spec.replicas"]
    assert (await client.get(f"{DEPLOYMENTS}/web")).body["spec"]["replicas"] == 2


async def test_a_large_request_keeps_nobody_waiting(served: Served) -> None:
    large = config_map("large")
    large["unknown"] = [{}] * 500_000
    work = asyncio.create_task(served.client.post(MAPS, large))
    answered = 0
    while not work.done():
        assert (await served.client.get("/livez")).code == 200
        answered += 1
    assert (await work).code == 201
    # The one that was under way when the body came is no proof.
    assert answered > 5


async def test_large_requests_take_turns() -> None:
    async with served_api(limits=ServerLimits(large=1)) as served:
        names = [f"large-{number}" for number in range(4)]
        large = [config_map(name, x="x" * 100_000) for name in names]
        answers = await asyncio.gather(*(served.client.post(MAPS, each) for each in large))
        assert [answer.code for answer in answers] == [201] * 4
