"""`HttpMemberApi` against a server that answers as a Kubernetes API does, well and badly."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web

from shared.apimachinery.manifest import GroupVersionKind
from shared.errors import MemberRefused, MemberThrottled, MemberUnreachable
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import HttpMemberApi, MemberLimits, open_member
from shared.memberapi.port import ResourceType

CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
ROLES = ResourceType(
    GroupVersionKind("rbac.authorization.k8s.io", "v1", "ClusterRole"), "clusterroles", False
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def member(
    handler: Handler, limits: MemberLimits | None = None
) -> AsyncIterator[HttpMemberApi]:
    app = web.Application(client_max_size=1024**3)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    credentials = MemberCredentials(server=f"http://{host}:{port}", token="t")
    try:
        async with open_member(credentials, name="eu-1", limits=limits) as api:
            yield api
    finally:
        await runner.cleanup()


def status(code: int, reason: str, **more: object) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": "why", "code": code}
    return web.json_response({**body, **more}, status=code)


async def test_apply_sends_the_bytes_it_was_given_as_hanse() -> None:
    seen: list[tuple[str, str, str, bytes]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(
            (
                request.method,
                request.path_qs,
                request.headers["Content-Type"] + " " + request.headers["Authorization"],
                await request.read(),
            )
        )
        return web.json_response({"metadata": {"uid": "u"}}, status=201)

    async with member(handler) as api:
        found = await api.apply(CONFIG_MAPS, "shop", "a", b'{"data":{}}')
    assert found["metadata"] == {"uid": "u"}
    target = "/api/v1/namespaces/shop/configmaps/a?fieldManager=hanse&force=true"
    assert seen == [
        ("PATCH", target, "application/apply-patch+yaml Bearer t", b'{"data":{}}'),
    ]


async def test_names_with_colons_reach_the_server_whole() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({"path": request.path})

    async with member(handler) as api:
        found = await api.get(ROLES, "", "system:node")
    assert found == {
        "path": "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
    }


async def test_what_is_not_there_is_an_answer() -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return status(404, "NotFound")

    async with member(handler) as api:
        assert await api.get(CONFIG_MAPS, "shop", "a") is None
        assert not await api.delete(CONFIG_MAPS, "shop", "a", uid="u", propagation="Background")
        with pytest.raises(MemberRefused) as raised:
            await api.apply(CONFIG_MAPS, "shop", "a", b"{}")
    assert (raised.value.status, raised.value.reason) == (404, "NotFound")


async def test_delete_names_the_uid_it_means() -> None:
    bodies: list[dict[str, object]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        return status(409, "Conflict") if len(bodies) > 1 else web.json_response({})

    async with member(handler) as api:
        assert await api.delete(CONFIG_MAPS, "shop", "a", uid="u", propagation="Background")
        assert not await api.delete(CONFIG_MAPS, "shop", "a", uid="u", propagation="Background")
    assert bodies[0]["preconditions"] == {"uid": "u"}
    assert bodies[0]["propagationPolicy"] == "Background"


async def test_refusals_carry_kubernetes_reason_and_throttling_its_patience() -> None:
    answers = [
        status(422, "Invalid"),
        status(429, "TooManyRequests", details={"retryAfterSeconds": 7}),
        web.Response(status=503, headers={"Retry-After": "2"}, text="overloaded"),
        web.Response(status=502, text="<html>"),
        web.Response(status=403, text="\xff not json"),
    ]

    async def handler(_request: web.Request) -> web.StreamResponse:
        return answers.pop(0)

    async with member(handler) as api:
        with pytest.raises(MemberRefused, match="why") as refused:
            await api.apply(CONFIG_MAPS, "shop", "a", b"{}")
        assert (refused.value.status, refused.value.reason) == (422, "Invalid")
        for seconds in (7, 2):
            with pytest.raises(MemberThrottled) as throttled:
                await api.apply(CONFIG_MAPS, "shop", "a", b"{}")
            assert throttled.value.retry_after == timedelta(seconds=seconds)
        with pytest.raises(MemberUnreachable):
            await api.apply(CONFIG_MAPS, "shop", "a", b"{}")
        with pytest.raises(MemberRefused) as bare:
            await api.apply(CONFIG_MAPS, "shop", "a", b"{}")
        assert (bare.value.status, bare.value.reason) == (403, "HTTP403")


async def test_nobody_there_and_nobody_answering_are_unreachable() -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with member(handler) as api:
        with pytest.raises(MemberUnreachable, match="deadline"):
            await api.read("/readyz", deadline_seconds=0.05)
    nowhere = MemberCredentials(server="http://127.0.0.1:1")
    async with open_member(nowhere, name="gone") as api:
        with pytest.raises(MemberUnreachable, match="gone"):
            await api.read("/readyz", deadline_seconds=1)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"\xff"])
async def test_an_answer_that_is_no_object_counts_as_none(body: bytes) -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    async with member(handler) as api:
        with pytest.raises(MemberUnreachable):
            await api.get(CONFIG_MAPS, "shop", "a")
        with pytest.raises(MemberUnreachable):
            await api.list(CONFIG_MAPS)
        with pytest.raises(MemberUnreachable):
            await api.discover()


async def test_a_redirect_is_not_followed() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.path == "/readyz"
        raise web.HTTPFound("/elsewhere")

    async with member(handler) as api:
        with pytest.raises(MemberRefused) as raised:
            await api.read("/readyz", deadline_seconds=5)
    assert raised.value.status == 302


async def test_a_list_is_put_together_from_pages_and_begun_again_when_they_expire() -> None:
    asked: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        limit, token = request.query.get("limit", ""), request.query.get("continue", "")
        asked.append((limit, token))
        if token == "stale":
            return status(410, "Expired")
        names = ["a", "b"] if not limit else ["a"]
        return web.json_response(
            {
                "metadata": {"resourceVersion": "9", "continue": "stale" if limit else ""},
                "items": [{"metadata": {"name": name}} for name in names],
            }
        )

    async with member(handler, MemberLimits(page=1)) as api:
        found = await api.list(CONFIG_MAPS, label_selector="a=b")
    assert [item["metadata"]["name"] for item in found.items] == ["a", "b"]
    assert found.resource_version == "9"
    assert asked == [("1", ""), ("1", "stale"), ("", "")]


def line(kind: str, **content: object) -> bytes:
    return json.dumps({"type": kind, "object": content}).encode() + b"\n"


async def test_a_watch_hands_out_lines_of_any_length_in_any_chunks() -> None:
    big = "x" * 3_000_000

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.query["resourceVersion"] == "5"
        assert request.query["allowWatchBookmarks"] == "true"
        response = web.StreamResponse()
        await response.prepare(request)
        text = line("ADDED", data=big) + line("MODIFIED", data="é") + line("BOOKMARK", data="")
        for start in range(0, len(text), 999_983):
            await response.write(text[start : start + 999_983])
        await response.write_eof()
        return response

    async with member(handler) as api, api.watch(CONFIG_MAPS, resource_version="5") as events:
        found = [(event.type, event.manifest["data"]) async for event in events]
    assert found == [("ADDED", big), ("MODIFIED", "é"), ("BOOKMARK", "")]


async def test_a_line_without_end_is_given_up() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * 5000)
        await asyncio.sleep(30)
        return response

    limits = MemberLimits(line_bytes_max=4000)
    async with member(handler, limits) as api:
        with pytest.raises(MemberUnreachable, match="longer than"):
            async with api.watch(CONFIG_MAPS, resource_version="") as events:
                await anext(events)


@pytest.mark.parametrize("when", ["at the start", "within"])
async def test_an_expired_watch_says_410(when: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if when == "at the start":
            return status(410, "Expired")
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(line("ERROR", code=410, reason="Expired", message="too old"))
        return response

    async with member(handler) as api:
        with pytest.raises(MemberRefused) as raised:
            async with api.watch(CONFIG_MAPS, resource_version="1") as events:
                await anext(events)
    assert raised.value.status == 410


@pytest.mark.parametrize("aggregated", [True, False])
async def test_discovery_reads_both_forms(*, aggregated: bool) -> None:
    def resources(group_version: str, *entries: dict[str, object]) -> dict[str, object]:
        return {"groupVersion": group_version, "resources": list(entries)}

    pods = {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get", "list"]}
    pod_log = {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]}
    review = {"name": "reviews", "kind": "Review", "namespaced": False, "verbs": ["create"]}
    old = {"name": "widgets", "kind": "Widget", "namespaced": False, "verbs": ["list"]}
    classic: dict[str, object] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": resources("v1", pods, pod_log),
        "/apis": {
            "groups": [
                {
                    "name": "x.io",
                    "versions": [{"groupVersion": "x.io/v2"}, {"groupVersion": "x.io/v1"}],
                    "preferredVersion": {"groupVersion": "x.io/v1"},
                }
            ]
        },
        "/apis/x.io/v1": resources("x.io/v1", old, review),
        "/apis/x.io/v2": resources("x.io/v2", old),
    }

    def document(group: str, *versions: tuple[str, str, str, str]) -> dict[str, object]:
        return {
            "kind": "APIGroupDiscoveryList",
            "items": [
                {
                    "metadata": {"name": group},
                    "versions": [
                        {
                            "version": version,
                            "resources": [
                                {
                                    "resource": name,
                                    "scope": scope,
                                    "responseKind": {"kind": kind},
                                    "verbs": ["create"] if kind == "Review" else ["list", "watch"],
                                }
                            ],
                        }
                        for version, name, kind, scope in versions
                    ],
                }
            ],
        }

    new = {
        "/api": document(
            "", ("v1", "pods", "Pod", "Namespaced"), ("v1", "reviews", "Review", "Cluster")
        ),
        "/apis": document(
            "x.io", ("v1", "widgets", "Widget", "Cluster"), ("v2", "widgets", "Widget", "Cluster")
        ),
    }

    async def handler(request: web.Request) -> web.StreamResponse:
        assert "apidiscovery.k8s.io" in request.headers["Accept"] or request.path.count("/") > 1
        return web.json_response((new if aggregated else classic)[request.path])

    async with member(handler) as api:
        found = await api.discover()
    assert sorted(found, key=lambda one: one.resource) == [
        ResourceType(GroupVersionKind("", "v1", "Pod"), "pods", namespaced=True),
        ResourceType(GroupVersionKind("x.io", "v1", "Widget"), "widgets", namespaced=False),
        ResourceType(GroupVersionKind("x.io", "v2", "Widget"), "widgets", namespaced=False),
    ]


async def test_no_more_calls_than_connections_are_under_way() -> None:
    running = most = 0

    async def handler(_request: web.Request) -> web.StreamResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return web.json_response({})

    async with member(handler, MemberLimits(connections=3)) as api, asyncio.TaskGroup() as calls:
        for number in range(20):
            calls.create_task(api.get(CONFIG_MAPS, "shop", f"a{number}"))
    assert most == 3
