"""The REST door: one request on a resource, read, carried out by a verb, and answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import msgspec
from aiohttp import web

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apiserver.answers.event_lines import EventLines
from shared.apiserver.answers.rendering import Renderer, read_include, render_review, render_scale
from shared.apiserver.answers.responses import json_response
from shared.apiserver.answers.sending import send_json
from shared.apiserver.answers.tables import IncludeObject
from shared.apiserver.answers.warnings import add_warnings, note_deprecation, size_warnings
from shared.apiserver.aside import Room, aside
from shared.apiserver.authentication import TokenTable, User
from shared.apiserver.elsewhere import absent_part
from shared.apiserver.life.marks import DEFINITIONS
from shared.apiserver.requests.bodies import decode_object
from shared.apiserver.requests.limits import ServerLimits, read_body
from shared.apiserver.requests.list_options import ListOptions, read_list_options, read_version
from shared.apiserver.requests.negotiation import (
    APPLY_PATCH,
    JSON,
    YAML,
    Accepted,
    Form,
    accepted,
    accepted_but_tables,
    media_type,
    not_acceptable,
)
from shared.apiserver.requests.negotiation import unsupported_media_type as unsupported
from shared.apiserver.requests.target import (
    Target,
    read_bool,
    read_delete_options,
)
from shared.apiserver.requests.wire import PROTOBUF
from shared.apiserver.requests.write_options import read_write_options
from shared.apiserver.reviews import answer, is_review
from shared.apiserver.serving import Call, Outcome, Serving
from shared.apiserver.status_errors import (
    ApiFault,
    PageNotFound,
    bad_request,
    method_not_allowed,
    object_details,
    success,
    unknown_path,
    warned,
)
from shared.apiserver.verbs import patch as patching
from shared.apiserver.verbs.create import create
from shared.apiserver.verbs.delete import RETURNED, delete, delete_collection
from shared.apiserver.verbs.listing import get_object, list_objects
from shared.apiserver.verbs.paging import Snapshots
from shared.apiserver.verbs.reading import read_object, read_patch
from shared.apiserver.verbs.scale import apply_scale, paths_of, scale_of, write_scale
from shared.apiserver.verbs.update import update
from shared.apiserver.versions.conversion import ConvertedStore, conversion_of
from shared.apiserver.watch_keeping import OpenWatches
from shared.apiserver.watching import serve_watch
from shared.apiserver.writing.addressed import of_kind
from shared.store.port import Stored

_BODY_TYPES = (JSON, YAML, PROTOBUF)
_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch"}
# A mirror is milliseconds behind; beyond a second, NATS has other troubles than ours.
_NOTICE_SECONDS = 0.005
_NOTICE_LOOKS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One authenticated request on a resource, with its call."""

    request: web.BaseRequest
    call: Call
    user: User
    query: Mapping[str, str]
    serving: Serving
    watch_path: bool = False
    """By the old form of the path, which says what is to be done."""
    body: bytes = b""


Subresource = Callable[[Asked], Awaitable[web.StreamResponse]]


class Resources:
    """Serves every kind of the registry over its store."""

    def __init__(
        self,
        serving: Serving,
        tokens: TokenTable,
        limits: ServerLimits,
        subresources: Mapping[tuple[GroupResource, str], Subresource] | None = None,
    ) -> None:
        """*subresources*: further ones by resource and name, for whoever serves them."""
        self._serving = serving
        self._tokens = tokens
        self._limits = limits
        self._subresources = dict(subresources or {})
        self._snapshots = Snapshots(serving.clock)
        self._room = Room(limits.large)
        self.watches = OpenWatches(limits)
        self._event_lines = EventLines()
        self._methods: dict[str, Subresource] = {
            "GET": self._read,
            "POST": self._create,
            "PUT": self._update,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }

    async def serve(
        self, request: web.BaseRequest, target: Target, user: User
    ) -> web.StreamResponse:
        """Raise `ApiFault` and Hanse's errors."""
        query: Mapping[str, str] = request.rel_url.query
        if target.watch_path and request.method != "GET":
            raise method_not_allowed()
        call = self._call(request, target, query)
        note_deprecation(request, call.kind)
        asked = Asked(request, call, user, query, self._serving_of(call), target.watch_path)
        subresource = target.subresource
        if subresource not in ("", "status"):
            found = self._subresources.get((asked.call.resource, subresource))
            if found is not None:
                return await found(asked)
            if subresource == "scale":
                return await self._carry_out(self._scale, asked)
            verbs = asked.call.kind.parts.get(subresource)
            if verbs is None:
                raise await absent_part(asked.serving, asked.call, subresource)
            if _VERBS.get(request.method) not in verbs:
                raise method_not_allowed()
        elif subresource == "status" and not asked.call.kind.has_status:
            raise unknown_path()
        method = self._methods.get(request.method)
        if method is None:
            raise method_not_allowed()
        return await self._carry_out(method, asked)

    async def _carry_out(self, method: Subresource, asked: Asked) -> web.StreamResponse:
        """Read what is sent before anything that is held while others wait."""
        if asked.request.method == "GET":
            return await method(asked)
        body = await read_body(asked.request, self._limits)
        call = replace(asked.call, size=len(body))
        async with self._room.of(len(body)):
            return await method(replace(asked, call=call, body=body))

    def nothing_at(self, path: str) -> ApiFault:
        """What to answer on a path that is none of a resource."""
        match path.split("/"):
            case ["", "api", _, *_]:
                return unknown_path()
            case ["", "apis", group, *_]:
                return self._unknown(group)
            case _:
                return PageNotFound()

    def _unknown(self, group: str) -> ApiFault:
        """Nobody looks after a group that is not served."""
        return unknown_path() if self._serving.kinds.versions(group) else PageNotFound()

    def _serving_of(self, call: Call) -> Serving:
        """The store in the version that is asked for."""
        conversion = conversion_of(call.kind.gvk)
        if conversion is None:
            return self._serving
        store = ConvertedStore(self._serving.store, call.resource, conversion)
        return replace(self._serving, store=store)

    def _call(self, request: web.BaseRequest, target: Target, query: Mapping[str, str]) -> Call:
        kind = self._serving.kinds.by_resource(target.group, target.version, target.resource)
        if kind is None or (target.namespace and not kind.namespaced):
            raise self._unknown(target.group)
        if kind.namespaced and not target.namespace and target.name:
            raise unknown_path()
        # Whoever approves writes conditions, which are status.
        part = "status" if target.subresource == "approval" else target.subresource
        call = Call(kind, target.namespace, target.name, part)
        if request.method in ("POST", "PUT", "PATCH"):
            options = read_write_options(
                query,
                request.method,
                user_agent=request.headers.get("User-Agent", ""),
                media=media_type(request.headers.get("Content-Type", "")),
            )
            return replace(call, options=options)
        return call

    def _renderer(
        self, call: Call, wish: Accepted, include: IncludeObject = "Metadata"
    ) -> Renderer:
        serving = self._serving
        return Renderer(
            call.kind, wish, now=serving.clock.now, shown=serving.shown, include=include
        )

    # Reading.

    async def _read(self, asked: Asked) -> web.StreamResponse:
        request, call, query = asked.request, asked.call, asked.query
        wish = accepted(request.headers.get("Accept", ""))
        watch = asked.watch_path or (not call.name and read_bool(query, "watch"))
        if watch and wish.form is Form.METADATA_LIST:
            # What a watch sends are single objects, whatever it was called.
            wish = replace(wish, form=Form.METADATA)
        include = read_include(query.get("includeObject", "")) if query else "Metadata"
        renderer = self._renderer(call, wish, include)
        if call.name and not watch:
            version = read_version(query) if query else None
            stored = await get_object(asked.serving, call, resource_version=version)
            body = await aside(renderer.weight(stored), renderer.object, stored)
            return await send_json(request, (body, b"\n"))
        if not watch:
            options = read_list_options(query, watch=False)
            page = await list_objects(asked.serving, self._snapshots, call, options)
            return await send_json(request, renderer.page(page))
        if wish.media == YAML:
            raise not_acceptable(JSON)
        return await serve_watch(
            request,
            asked.serving,
            call,
            _only(read_list_options(query, watch=True), call.name),
            renderer=renderer,
            watches=self.watches,
            lines=self._event_lines,
        )

    # Writing.

    async def _body(self, asked: Asked) -> tuple[Manifest, tuple[str, ...]]:
        """Read an object and the warnings about its text; raises `ApiFault`."""
        request = asked.request
        media = media_type(request.headers.get("Content-Type") or JSON)
        if media not in _BODY_TYPES:
            raise unsupported(_BODY_TYPES)
        return await aside(len(asked.body), read_object, asked.call, asked.body, media)

    async def _create(self, asked: Asked) -> web.StreamResponse:
        call = asked.call
        if call.name or (call.kind.namespaced and not call.namespace):
            raise method_not_allowed()
        manifest, warnings = await self._body(asked)
        if is_review(call.resource):
            manifest = of_kind(call.kind, manifest)
            wish = accepted_but_tables(asked.request.headers.get("Accept", ""))
            review = answer(call.resource, manifest, asked.user, self._tokens)
            return json_response(render_review(review, wish), status=201)
        with warned(warnings):
            outcome = await create(asked.serving, call, manifest)
        return await self._written(asked, outcome, warnings)

    async def _update(self, asked: Asked) -> web.StreamResponse:
        if not asked.call.name:
            raise method_not_allowed()
        manifest, warnings = await self._body(asked)
        with warned(warnings):
            outcome = await update(asked.serving, asked.call, manifest)
        return await self._written(asked, outcome, warnings)

    async def _patch(self, asked: Asked) -> web.StreamResponse:
        call = asked.call
        if not call.name:
            raise method_not_allowed()
        media = patching.check_media(
            call.kind, media_type(asked.request.headers.get("Content-Type", ""))
        )
        body = asked.body
        document, warnings = await aside(len(body), read_patch, call, body, media)
        with warned(warnings):
            outcome = await patching.patch(asked.serving, call, document, media)
        return await self._written(asked, outcome, warnings)

    async def _written(
        self, asked: Asked, outcome: Outcome, warnings: tuple[str, ...]
    ) -> web.StreamResponse:
        if asked.call.resource == DEFINITIONS:
            await self._noticed(outcome.stored.revision)
        wish = accepted(asked.request.headers.get("Accept", ""))
        renderer = self._renderer(asked.call, wish)
        body = await aside(renderer.weight(outcome.stored), renderer.object, outcome.stored)
        response = json_response(body, status=201 if outcome.created else 200)
        if asked.call.options.dry_run and not asked.call.subresource:
            warnings += await asked.serving.foreseen.written(outcome.stored)
        size = max(len(asked.body), outcome.stored.size)
        large = size_warnings(asked.call.kind, size, self._limits.told_bytes)
        add_warnings(response, (*warnings, *outcome.warnings, *large))
        return response

    async def _noticed(self, revision: int) -> None:
        """Wait until this process has seen its own write, so that its kind is served by then."""
        mirror = self._serving.store.mirror
        for _ in range(_NOTICE_LOOKS):
            if mirror.revision >= revision:
                return
            await self._serving.clock.sleep(_NOTICE_SECONDS)

    async def _delete(self, asked: Asked) -> web.StreamResponse:
        request, call, body = asked.request, asked.call, asked.body
        media = media_type(request.headers.get("Content-Type") or JSON)
        given = await aside(len(body), decode_object, body, media) if body.strip() else {}
        options = read_delete_options(given, asked.query, named=bool(call.name))
        if call.subresource:
            raise method_not_allowed()
        wish = accepted(request.headers.get("Accept", ""))
        renderer = self._renderer(call, wish)
        if not call.name:
            if call.kind.namespaced and not call.namespace:
                raise method_not_allowed()
            listing = read_list_options(asked.query, watch=False)
            page = await list_objects(asked.serving, self._snapshots, call, listing)
            keys = [stored.key for stored in page.items]
            await delete_collection(asked.serving, call, keys, options)
            return await send_json(request, renderer.page(page))
        deletion = await delete(asked.serving, call, options)
        if deletion.gone and call.resource not in RETURNED:
            details = object_details(call.resource, call.name)
            details["uid"] = deletion.stored.manifest["metadata"].get("uid", "")
            response = json_response(msgspec.json.encode(success(details)))
        else:
            response = json_response(renderer.object(deletion.stored))
        warnings = deletion.warnings
        if options.dry_run:
            warnings += await asked.serving.foreseen.deleted(deletion.stored)
        add_warnings(response, warnings)
        return response

    # Scale.

    async def _scale(self, asked: Asked) -> web.StreamResponse:
        request, call = asked.request, asked.call
        paths = paths_of(call)
        wish = accepted(request.headers.get("Accept", ""))
        match request.method:
            case "GET":
                stored = await get_object(asked.serving, call)
                shown = asked.serving.shown(call.resource, stored.manifest)
                return self._scaled(scale_of(paths, shown), wish)
            case "PUT":
                wanted, _ = await self._body(asked)
                change: Callable[[Manifest], Manifest] = lambda _scale: wanted  # noqa: E731
            case "PATCH":
                media = patching.check_media(
                    call.kind, media_type(request.headers.get("Content-Type", ""))
                )
                document, _ = read_patch(call, asked.body, media)
                if media == APPLY_PATCH:
                    return await self._rescaled(
                        asked, await apply_scale(asked.serving, call, document), wish
                    )
                change = patching.scale_patch(document, media)
            case _:
                raise method_not_allowed()
        return await self._rescaled(asked, await write_scale(asked.serving, call, change), wish)

    async def _rescaled(self, asked: Asked, stored: Stored, wish: Accepted) -> web.StreamResponse:
        response = self._scaled(scale_of(paths_of(asked.call), stored.manifest), wish)
        if asked.call.options.dry_run:
            add_warnings(response, await asked.serving.foreseen.written(stored))
        return response

    def _scaled(self, scale: Manifest, wish: Accepted) -> web.StreamResponse:
        return json_response(render_scale(scale, wish, self._serving.clock.now()))


def _only(options: ListOptions, name: str) -> ListOptions:
    """Watching one object by its path is watching the collection for that name.

    Raises `ApiFault` 400 where a selector asks for something else beside it.
    """
    if not name:
        return options
    wanted = f"metadata.name={name}"
    if options.field_selector not in ("", wanted):
        raise bad_request("fieldSelector metadata.name doesn't match requested name")
    return replace(options, field_selector=wanted)
