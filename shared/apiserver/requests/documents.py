"""Documents made from the registry: built when first asked for, dropped when it changes."""

import hashlib
from collections.abc import Awaitable, Callable, Hashable
from functools import cached_property

from aiohttp import web

from shared.apiserver.registry import Registry


class Document:
    """One encoded answer, with the digest of its bytes as its entity tag."""

    def __init__(self, body: bytes, media_type: str) -> None:
        text = media_type.startswith("application/json")
        self.body = body + b"\n" if text and not body.endswith(b"\n") else body
        self.media_type = media_type

    @cached_property
    def digest(self) -> str:
        """Upper-case hexadecimal SHA-512, as kube-apiserver has it."""
        return hashlib.sha512(self.body).hexdigest().upper()

    def response(self, request: web.Request) -> web.Response:
        """Answer 304 where the client has these bytes already."""
        tag = f'"{self.digest}"'
        headers = {"ETag": tag, "Cache-Control": "public"}
        known = (one.strip() for one in request.headers.get("If-None-Match", "").split(","))
        if tag in known:
            return web.Response(status=304, headers=headers)
        return web.Response(body=self.body, headers={**headers, "Content-Type": self.media_type})


class Documents:
    """The documents of one registry, by name."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kept: dict[Hashable, Document] = {}
        registry.subscribe(self._kept.clear)

    def get(self, name: Hashable, build: Callable[[], Document]) -> Document:
        """Return the document *name*, built now unless nothing changed since it last was."""
        document = self._kept.get(name)
        if document is None:
            document = self._kept[name] = build()
        return document

    async def get_later(self, name: Hashable, build: Callable[[], Awaitable[Document]]) -> Document:
        """As `get`, for what takes its time; what the registry overtook meanwhile is not kept."""
        document = self._kept.get(name)
        if document is None:
            generation = self._registry.generation
            document = await build()
            if generation == self._registry.generation:
                self._kept[name] = document
        return document
