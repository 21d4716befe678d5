"""`HttpMemberApi`: a member's API over HTTP/1.1, sparing of CPU and bounded in all it holds.

An own aiohttp session rather than a Kubernetes client's: no proxy lookups, no cookies, bodies that
are bytes already, answers decoded once. Calls share a few connections; watches have their own, so
that a long watch never keeps a call waiting. Redirects are not followed: they would carry the
token elsewhere.
"""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import msgspec
from prometheus_client import Counter
from yarl import URL

from shared.apimachinery.manifest import Manifest, decode, encode
from shared.errors import MemberRefused, MemberThrottled, MemberUnreachable
from shared.memberapi import discovery, request
from shared.memberapi.connector import Connector
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.faults import error_of, read_status, refusal_of, translated
from shared.memberapi.port import MemberEvent, MemberListing, ResourceType
from shared.memberapi.request import FIELD_MANAGER, MemberRequest
from shared.telemetry import metrics

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLimits:
    """What one member may cost us."""

    connections: int = 16
    """Calls under way at the same time; the rest wait their turn."""

    deadline: timedelta = timedelta(seconds=15)
    """How long one call may take, waiting for a connection included."""

    connect_deadline: timedelta = timedelta(seconds=5)

    watch_seconds: int = 240
    """After how long a watch is begun afresh."""

    line_bytes_max: int = 16 * MEBIBYTE
    """The longest line of a watch."""

    body_bytes_max: int = 256 * MEBIBYTE
    """The largest answer."""

    page: int = 500
    """Objects asked for at a time in a list."""


class _WatchLine(msgspec.Struct):
    type: str
    object: msgspec.Raw


_decode_line = msgspec.json.Decoder(_WatchLine).decode


class HttpMemberApi:
    """`MemberApi` of one member; made by `open_member`."""

    def __init__(
        self,
        credentials: MemberCredentials,
        limits: MemberLimits,
        calls: aiohttp.ClientSession,
        watches: aiohttp.ClientSession,
        name: str,
    ) -> None:
        self._base = credentials.server.rstrip("/")
        self._server_hostname = credentials.tls_server_name or None
        self._limits = limits
        self._calls = calls
        self._watches = watches
        self._name = name
        self._deadline = limits.deadline.total_seconds()
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}
        # Looking a counter up by its labels costs more than counting.
        self._counters: dict[tuple[str, str], Counter] = {}

    async def discover(self) -> list[ResourceType]:
        found: list[ResourceType] = []
        for path in ("/api", "/apis"):
            document = await self._decoded("discover", request.discovery_request(path))
            if document.get("kind") == discovery.AGGREGATED_KIND:
                found += discovery.read_aggregated(document)
                continue
            documents = []
            for one in discovery.read_group_versions(document):
                try:
                    documents.append(await self._decoded("discover", request.read_request(one)))
                except (MemberRefused, MemberThrottled):
                    # An aggregated API whose backend is away: the others are served.
                    continue
            found += discovery.read_resource_lists(documents)
        return found

    async def apply(
        self, kind: ResourceType, namespace: str, name: str, body: bytes, *, force: bool = True
    ) -> Manifest:
        found = request.apply_request(kind, namespace, name, body, force=force)
        return await self._decoded("apply", found)

    async def apply_encoded(
        self,
        kind: ResourceType,
        namespace: str,
        name: str,
        body: bytes,
        *,
        force: bool = True,
        manager: str = FIELD_MANAGER,
        dry_run: bool = False,
    ) -> bytes:
        asked = request.apply_request(
            kind, namespace, name, body, force=force, manager=manager, dry_run=dry_run
        )
        return await self._call("apply", asked)

    async def get(self, kind: ResourceType, namespace: str, name: str) -> Manifest | None:
        try:
            return await self._decoded("get", request.get_request(kind, namespace, name))
        except MemberRefused as err:
            if err.status == 404:
                return None
            raise

    async def delete(
        self, kind: ResourceType, namespace: str, name: str, *, uid: str, propagation: str
    ) -> bool:
        found = request.delete_request(kind, namespace, name, uid=uid, propagation=propagation)
        try:
            await self._call("delete", found)
        except MemberRefused as err:
            # 409: another object bears the name now, so the one of that uid is gone.
            if err.status in (404, 409):
                return False
            raise
        return True

    async def merge(
        self,
        kind: ResourceType,
        namespace: str,
        name: str,
        patch: Manifest,
        *,
        manager: str = FIELD_MANAGER,
        subresource: str = "",
    ) -> bool:
        asked = request.merge_request(
            kind, namespace, name, encode(patch), manager=manager, subresource=subresource
        )
        try:
            await self._call("merge", asked)
        except MemberRefused as err:
            if err.status == 404:
                return False
            raise
        return True

    async def list(
        self, kind: ResourceType, *, label_selector: str = "", namespace: str = ""
    ) -> MemberListing:
        items: list[Manifest] = []
        limit, token = self._limits.page, ""
        while True:
            page = request.list_request(
                kind, namespace=namespace, label_selector=label_selector, limit=limit, token=token
            )
            try:
                document = await self._decoded("list", page)
            except MemberRefused as err:
                if err.status != 410 or not token:
                    raise
                # The pages' snapshot is gone: one answer cannot expire halfway.
                items, limit, token = [], 0, ""
                continue
            metadata = document.get("metadata") or {}
            items += document.get("items") or []
            token = str(metadata.get("continue") or "")
            if not token:
                return MemberListing(tuple(items), str(metadata.get("resourceVersion") or ""))

    @asynccontextmanager
    async def watch(
        self,
        kind: ResourceType,
        *,
        resource_version: str,
        label_selector: str = "",
        namespace: str = "",
    ) -> AsyncIterator[AsyncIterator[MemberEvent]]:
        seconds = self._limits.watch_seconds
        asked = request.watch_request(
            kind,
            resource_version=resource_version,
            label_selector=label_selector,
            seconds=seconds,
            namespace=namespace,
        )
        timeout = aiohttp.ClientTimeout(
            total=None,
            sock_connect=self._limits.connect_deadline.total_seconds(),
            sock_read=seconds + 30,
        )
        with translated(self._name):
            response = await self._send(self._watches, asked, timeout)
        try:
            if response.status >= 300:
                with translated(self._name):
                    raise refusal_of(response, await response.content.read(MEBIBYTE), self._name)
            yield self._events(response)
        finally:
            # Nobody is to wait for the farewell of a stream that was left in its midst.
            connection = response.connection
            if connection is not None and connection.transport is not None:
                connection.transport.abort()
            response.close()

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncIterator[MemberEvent]:
        with translated(self._name):
            async for line in _lines(response.content, self._limits.line_bytes_max):
                event = _decode_line(line)
                if event.type == "ERROR":
                    raise error_of(read_status(bytes(event.object)), 500, None, self._name)
                yield MemberEvent(event.type, bytes(event.object))

    async def read(self, path: str, *, deadline_seconds: float) -> bytes:
        return await self._call("read", request.read_request(path), deadline_seconds)

    async def create(
        self,
        kind: ResourceType,
        namespace: str,
        manifest: Manifest,
        *,
        manager: str = FIELD_MANAGER,
    ) -> Manifest:
        asked = request.create_request(kind, namespace, encode(manifest), manager)
        return await self._decoded("create", asked)

    async def put(self, path: str, body: bytes) -> bytes:
        return await self._call("put", request.put_request(path, body))

    async def _decoded(self, verb: str, asked: MemberRequest) -> Manifest:
        body = await self._call(verb, asked)
        with translated(self._name):
            return decode(body)

    async def _call(self, verb: str, asked: MemberRequest, deadline: float | None = None) -> bytes:
        outcome = "unreachable"
        try:
            with translated(self._name):
                timeout = self._timeout(deadline or self._deadline)
                async with self._send(self._calls, asked, timeout) as response:
                    outcome = str(response.status)
                    body = await self._body(response)
                    if response.status >= 300:
                        raise refusal_of(response, body, self._name)
                    return body
        finally:
            self._count(verb, outcome)

    def _count(self, verb: str, outcome: str) -> None:
        counter = self._counters.get((verb, outcome))
        if counter is None:
            counter = metrics.MEMBER_CALLS.labels(self._name, verb, outcome)
            self._counters[verb, outcome] = counter
        counter.inc()

    def _timeout(self, seconds: float) -> aiohttp.ClientTimeout:
        found = self._timeouts.get(seconds)
        if found is None:
            connect = min(self._limits.connect_deadline.total_seconds(), seconds)
            found = aiohttp.ClientTimeout(total=seconds, sock_connect=connect)
            self._timeouts[seconds] = found
        return found

    def _send(
        self, session: aiohttp.ClientSession, asked: MemberRequest, timeout: aiohttp.ClientTimeout
    ) -> Any:
        body = asked.body
        return session.request(
            asked.method,
            URL(self._base + asked.target, encoded=True),
            # What is large goes in pieces, so that no other member's call waits for it.
            data=body if body is None or len(body) < MEBIBYTE else io.BytesIO(body),
            headers=asked.headers,
            timeout=timeout,
            allow_redirects=False,
            server_hostname=self._server_hostname,
        )

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._limits.body_bytes_max
        if (response.content_length or 0) > limit:
            raise MemberRefused(
                f"member {self._name} answered with more than {limit} bytes",
                reason="AnswerTooLarge",
                status=response.status,
            )
        if response.content_length is not None:
            return await response.read()
        parts = bytearray()
        async for chunk in response.content.iter_any():
            parts += chunk
            if len(parts) > limit:
                raise MemberRefused(
                    f"member {self._name} answered with more than {limit} bytes",
                    reason="AnswerTooLarge",
                    status=response.status,
                )
        return bytes(parts)


@asynccontextmanager
async def open_member(
    credentials: MemberCredentials, *, name: str, limits: MemberLimits | None = None
) -> AsyncIterator[HttpMemberApi]:
    """Connect lazily to the member called *name*; raises `UnusableCredentials` at once."""
    limits = limits or MemberLimits()
    headers = {"User-Agent": "hanse"}
    if credentials.token:
        headers["Authorization"] = f"Bearer {credentials.token}"
    context = credentials.ssl_context()
    async with (
        _session(context, headers, limits.connections) as calls,
        _session(context, headers, 0) as watches,
    ):
        yield HttpMemberApi(credentials, limits, calls, watches, name)
    # Transports close in the loop's next round.
    await asyncio.sleep(0)


def _session(
    context: ssl.SSLContext | None, headers: dict[str, str], connections: int
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=Connector(
            limit=connections,
            ssl=context if context is not None else True,
            keepalive_timeout=60,
            ttl_dns_cache=30,
        ),
        headers=headers,
        # The default consults the environment for proxies on every call: a millisecond each.
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def _lines(content: aiohttp.StreamReader, limit: int) -> AsyncIterator[bytes]:
    """Lines of any length up to *limit*; asyncio's own reader gives up at its buffer's size."""
    rest = bytearray()
    async for chunk in content.iter_any():
        *whole, tail = chunk.split(b"\n")
        for line in whole:
            found = bytes(rest) + line if rest else line
            rest.clear()
            if found:
                yield found
        rest += tail
        if len(rest) > limit:
            raise MemberUnreachable(f"a line of a watch is longer than {limit} bytes")
