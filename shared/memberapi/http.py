"""`HttpMemberApi`: a member's API over HTTP/1.1, sparing of CPU and bounded in all it holds.

No proxies, no cookies, bodies that are bytes already, answers decoded once. Calls share a few
connections; watches have their own, so that a long watch never keeps a call waiting. Redirects are
not followed: they would carry the token elsewhere.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from prometheus_client import Counter
from yarl import URL

from shared.apimachinery.manifest import Manifest, decode, encode
from shared.errors import (
    InvalidObject,
    MemberRefused,
    MemberThrottled,
    MemberUnreachable,
    UnusableCredentials,
)
from shared.memberapi import discovery, request
from shared.memberapi.channel import Channel
from shared.memberapi.channels import Channels, Site
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.faults import error_of, read_status, refusal_of, translated
from shared.memberapi.port import MemberEvent, MemberListing, ResourceType
from shared.memberapi.request import FIELD_MANAGER, MemberRequest
from shared.telemetry import metrics

MEBIBYTE = 1024 * 1024
_NO_TARGET = re.compile(r"[^!-~]")


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
        self, channels: Channels, limits: MemberLimits, name: str, *, path: str, headers: str
    ) -> None:
        """*path* is what all paths begin with, *headers* what every request says."""
        self._channels = channels
        self._limits = limits
        self._name = name
        self._path = path
        self._headers = headers
        self._deadline = limits.deadline.total_seconds()
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
        head = self._head(asked)
        async with AsyncExitStack() as stack:
            # What the caller's own block raises is not the member's.
            with translated(self._name):
                listening = self._channels.listen(head, silence_max=seconds + 30)
                answer, channel = await stack.enter_async_context(listening)
                if answer.status >= 300:
                    answer.body = await _beginning(channel)
                    raise refusal_of(answer, self._name)
            yield self._events(channel)

    async def _events(self, channel: Channel) -> AsyncIterator[MemberEvent]:
        with translated(self._name):
            async for line in _lines(channel.chunks(), self._limits.line_bytes_max):
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
        limit = self._limits.body_bytes_max
        try:
            with translated(self._name):
                async with asyncio.timeout(deadline or self._deadline):
                    answer = await self._channels.ask(
                        asked.method, self._head(asked, packed=True), asked.body, limit=limit
                    )
                outcome = str(answer.status)
                if answer.status >= 300:
                    raise refusal_of(answer, self._name)
                return answer.body
        finally:
            self._count(verb, outcome)

    def _count(self, verb: str, outcome: str) -> None:
        counter = self._counters.get((verb, outcome))
        if counter is None:
            counter = metrics.MEMBER_CALLS.labels(self._name, verb, outcome)
            self._counters[verb, outcome] = counter
        counter.inc()

    def _head(self, asked: MemberRequest, *, packed: bool = False) -> bytes:
        if _NO_TARGET.search(asked.target):
            # Of what a member says there is, paths are made as well.
            raise InvalidObject(f"{asked.target!r} is no path")
        lines = [f"{asked.method} {self._path}{asked.target} HTTP/1.1\r\n{self._headers}"]
        lines += [f"{name}: {value}\r\n" for name, value in asked.headers.items()]
        if asked.body is not None:
            lines.append(f"Content-Length: {len(asked.body)}\r\n")
        elif packed:
            lines.append("Accept-Encoding: gzip\r\n")
        lines.append("\r\n")
        return "".join(lines).encode("latin-1")


@asynccontextmanager
async def open_member(
    credentials: MemberCredentials, *, name: str, limits: MemberLimits | None = None
) -> AsyncIterator[HttpMemberApi]:
    """Connect lazily to the member called *name*; raises `UnusableCredentials` at once."""
    limits = limits or MemberLimits()
    url = _read_server(credentials.server)
    site = Site(
        url.raw_host or "",
        url.port or 0,
        credentials.ssl_context(),
        credentials.tls_server_name,
        limits.connect_deadline.total_seconds(),
    )
    channels = Channels(site, limits.connections)
    headers = f"Host: {url.host_port_subcomponent}\r\nUser-Agent: hanse\r\n"
    if credentials.token:
        if not credentials.token.isascii() or not credentials.token.isprintable():
            raise UnusableCredentials(f"the token for {credentials.server} is none")
        headers += f"Authorization: Bearer {credentials.token}\r\n"
    try:
        yield HttpMemberApi(channels, limits, name, path=url.raw_path.rstrip("/"), headers=headers)
    finally:
        channels.close()
        # Transports close in the loop's next round.
        await asyncio.sleep(0)


def _read_server(server: str) -> URL:
    """Raise `UnusableCredentials` for what is no address of a server."""
    try:
        url = URL(server)
    except ValueError as err:
        raise UnusableCredentials(f"{server!r} is no address of a server") from err
    if url.scheme not in ("http", "https") or not url.raw_host or not url.port:
        raise UnusableCredentials(f"{server!r} is no address of a server")
    return url


async def _beginning(channel: Channel) -> bytes:
    """As much of a refusal as anybody reads."""
    found = bytearray()
    async for chunk in channel.chunks():
        found += chunk
        if len(found) >= MEBIBYTE:
            break
    return bytes(found)


async def _lines(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """Lines of any length up to *limit*."""
    rest = bytearray()
    async for chunk in chunks:
        *whole, tail = chunk.split(b"\n")
        for line in whole:
            found = bytes(rest) + line if rest else line
            rest.clear()
            if found:
                yield found
        rest += tail
        if len(rest) > limit:
            raise MemberUnreachable(f"a line of a watch is longer than {limit} bytes")
