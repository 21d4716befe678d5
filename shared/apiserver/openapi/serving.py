"""The routes of OpenAPI. Documents are large, so each is built when first asked for.

The index names every document with a fingerprint of what it is made from, so that a client may
keep a document for as long as its address stays the same, and no document is built for the index.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence

from aiohttp import web

from shared.apimachinery import facts
from shared.apimachinery.manifest import Manifest, encode
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.openapi.components import facts_fingerprint
from shared.apiserver.openapi.gnostic import encode_document
from shared.apiserver.openapi.version_three import version_three
from shared.apiserver.openapi.version_two import version_two
from shared.apiserver.registry import Registry
from shared.apiserver.requests.documents import Document, Documents
from shared.apiserver.status_errors import ApiFault, unknown_path
from shared.apiserver.version import KUBERNETES_VERSION

_JSON = "application/json"
# Raise it when documents are built differently from the same kinds.
_LAYOUT = "2"
# How Go clients ask for the v2 document.
_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
# As kube-apiserver answers: an `@` is no part of a media type (RFC 6838), and kubectl minds.
_PROTOBUF_ANSWER = _PROTOBUF.replace("@", ".")
_READABLE = {"application/json", "application/*", "*/*", ""}


def routes(registry: Registry) -> list[web.RouteDef]:
    """Return the routes of OpenAPI v3 and v2; they follow *registry* as it changes."""
    served = _OpenApi(registry)
    return [
        web.get("/openapi/v3", served.index),
        web.get("/openapi/v3/", served.index),
        web.get("/openapi/v3/api/{version}", served.group_version),
        web.get("/openapi/v3/apis/{group}/{version}", served.group_version),
        web.get("/openapi/v2", served.whole),
    ]


class _OpenApi:
    """The handlers and the documents they share."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._documents = Documents(registry)

    async def index(self, request: web.Request) -> web.Response:
        document = self._documents.get("index", lambda: Document(encode(self._index()), _JSON))
        return document.response(request)

    async def group_version(self, request: web.Request) -> web.Response:
        group, version = request.match_info.get("group", ""), request.match_info["version"]
        kinds = self._registry.kinds_of(group, version)
        if not kinds:
            return _refusal(unknown_path())
        document = await self._document(
            ("v3", group, version),
            lambda: version_three(kinds, version=KUBERNETES_VERSION),
        )
        response = document.response(request)
        if request.query.get("hash") == fingerprint(kinds):
            response.headers["Cache-Control"] = "public, immutable"
        return response

    async def whole(self, request: web.Request) -> web.Response:
        accept = request.headers.get("Accept", "")
        choices = {choice.partition(";")[0].strip() for choice in accept.split(",")}
        binary = _PROTOBUF in choices
        if not binary and not _READABLE & choices:
            accepted = f"{_JSON}, {_PROTOBUF}"
            fault = ApiFault(406, f"only the following media types are accepted: {accepted}")
            return _refusal(fault)
        kinds = self._registry.all()
        media = _PROTOBUF_ANSWER if binary else _JSON

        def build() -> Document:
            document = version_two(kinds, version=KUBERNETES_VERSION)
            return Document((encode_document if binary else encode)(document), media)

        document = await self._documents.get_later(("v2", media), lambda: asyncio.to_thread(build))
        return document.response(request)

    def _index(self) -> Manifest:
        paths = {}
        for group in self._registry.groups():
            for version in self._registry.versions(group):
                name = f"apis/{group}/{version}" if group else f"api/{version}"
                digest = fingerprint(self._registry.kinds_of(group, version))
                paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
        return {"paths": paths}

    async def _document(self, name: tuple[str, ...], build: Callable[[], Manifest]) -> Document:
        # A thread, since the largest takes a good part of a second and other requests wait.
        return await self._documents.get_later(
            name, lambda: asyncio.to_thread(lambda: Document(encode(build()), _JSON))
        )


def _refusal(fault: ApiFault) -> web.Response:
    return web.Response(status=fault.code, body=fault.encoded(), content_type=_JSON)


def fingerprint(kinds: Sequence[ResourceKind]) -> str:
    """Return a digest of what the document of *kinds* is made from; cheap beside building it."""
    digest = hashlib.sha512(f"{_LAYOUT} {KUBERNETES_VERSION} {facts_fingerprint()}".encode())
    for kind in kinds:
        known = facts.definition_name(kind.gvk)
        summary = {
            "gvk": list(kind.gvk),
            "names": [kind.resource, kind.namespaced, *kind.verbs],
            "subresources": [kind.has_status, kind.scale is not None, kind.custom],
            "schema": known or dict(kind.schema or {}),
        }
        digest.update(encode(summary))
    return digest.hexdigest().upper()
