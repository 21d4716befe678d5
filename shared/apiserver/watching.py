"""GET with `watch`: the changes of a collection as lines of JSON, for as long as both sides like.

A watcher costs one task. It is cut rather than waited for: the store ends it when it falls too far
behind (410 in the stream), the keeper when a single write blocks too long. What goes wrong once
the options are understood is an ERROR event of a stream that began well, as in kube-apiserver.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence

import structlog
from aiohttp import HttpVersion11, web

from shared.apiserver.answers.event_lines import EventLines
from shared.apiserver.answers.rendering import Renderer, error_event
from shared.apiserver.aside import aside
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.requests.list_options import ListOptions
from shared.apiserver.selection import Selection, read_selection, seen_change
from shared.apiserver.serving import Call, Serving
from shared.apiserver.status_errors import from_error
from shared.apiserver.verbs.listing import scope_of
from shared.apiserver.watch_keeping import OpenWatches
from shared.errors import HanseError, StoreUnavailable
from shared.store.port import Change, ChangeType, Listing, Revision, Scope, Stored, Watch
from shared.telemetry import metrics

TIMEOUT_SECONDS = 1_800
TIMEOUT_SECONDS_MAX = 86_400
_WRITE_BYTES = 128 * 1024

log = structlog.get_logger("hanse.apiserver")


class _Stream:
    """One watcher's connection: writes lines, and knows since when a write has been blocked."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        self._loop = asyncio.get_running_loop()
        self._blocked_since: float | None = None

    async def open(self) -> None:
        # HTTP/1.0 knows no chunks: there the end of the connection ends the answer.
        if self._request.version >= HttpVersion11:
            self.response.enable_chunked_encoding()
        else:
            self.response.force_close()
        await self.response.prepare(self._request)

    async def write(self, lines: bytes) -> None:
        self._blocked_since = self._loop.time()
        await self.response.write(lines)
        self._blocked_since = None

    @property
    def is_lost(self) -> bool:
        transport = self._request.transport
        return transport is None or transport.is_closing()

    @property
    def blocked_seconds(self) -> float:
        since = self._blocked_since
        return self._loop.time() - since if since is not None else 0.0

    def cut(self) -> None:
        transport = self._request.transport
        if transport is not None:
            transport.abort()


async def serve_watch(
    request: web.BaseRequest,
    serving: Serving,
    call: Call,
    options: ListOptions,
    *,
    renderer: Renderer,
    watches: OpenWatches,
    lines: EventLines,
) -> web.StreamResponse:
    """Stream until the time is up, the client leaves or the history is gone."""
    call.require_verb("watch")
    selection = read_selection(
        call.kind, options.label_selector, options.field_selector, serving.shown
    )
    scope = scope_of(call, selection)
    stream = _Stream(request)
    watcher = _Watcher(stream, selection, renderer, options, lines)
    metrics.WATCHES.inc()
    try:
        async with watches.one(watcher, _seconds(options), lambda: _is_served(serving, call.kind)):
            initial, since = await _beginning(serving, scope, options)
            async with serving.store.watch(scope, since=since) as watch:
                await stream.open()
                await watcher.run(initial, watch)
    except TimeoutError:
        with contextlib.suppress(ConnectionError):
            await watcher.bookmark()
    except StoreUnavailable:
        # Before the first byte the client can be told to come back.
        if not stream.response.prepared:
            raise
    except HanseError as err:
        with contextlib.suppress(ConnectionError):
            if not stream.response.prepared:
                await stream.open()
            await stream.write(error_event(from_error(err).status()))
    except ConnectionError:
        log.debug("watch.lost", resource=str(call.resource))
    finally:
        metrics.WATCHES.dec()
    with contextlib.suppress(ConnectionError):
        if not stream.response.prepared:
            await stream.open()
        await stream.response.write_eof()
    return stream.response


def _is_served(serving: Serving, kind: ResourceKind) -> bool:
    """Whether the kind is still declared as it was."""
    gvk = kind.gvk
    return serving.kinds.by_resource(gvk.group, gvk.version, kind.resource) is kind


def _seconds(options: ListOptions) -> float:
    wanted = min(options.timeout_seconds or 0, TIMEOUT_SECONDS_MAX)
    # Spread, so that clients that came together do not come back together.
    return max(0, wanted) or TIMEOUT_SECONDS + secrets.randbelow(TIMEOUT_SECONDS)


async def _beginning(
    serving: Serving, scope: Scope, options: ListOptions
) -> tuple[Listing | None, Revision]:
    """Return what to send first (None: nothing), and the revision to go on from."""
    wanted = options.resource_version
    at_least = Revision(wanted) if wanted is not None else None
    if wanted and not options.initial_events:
        return None, Revision(wanted)
    listing = await serving.store.list(scope, not_older_than=at_least)
    return (listing if options.initial_events else None), listing.revision


class _Watcher:
    """Filters and writes the events of one watch."""

    def __init__(
        self,
        stream: _Stream,
        selection: Selection,
        renderer: Renderer,
        options: ListOptions,
        lines: EventLines,
    ) -> None:
        self.stream = stream
        self._selection = selection
        self._renderer = renderer
        self._options = options
        self._lines = lines
        self._first = True
        self._watch: Watch | None = None

    async def run(self, initial: Listing | None, watch: Watch) -> None:
        if initial is not None:
            await self._write_initial(initial)
        # From here on all that was handed out is written: bookmarks are true.
        self._watch = watch
        while True:
            await self._write_changes(await watch.batch())

    async def _write_initial(self, initial: Listing) -> None:
        gathered: list[bytes] = []
        size = 0
        for stored in initial.items:
            if self._selection.matches(stored):
                weight, write = self._renderer.weight(stored), self._renderer.event
                line = await aside(weight, write, ChangeType.ADDED, stored, first=self._first)
                self._first = False
                gathered.append(line)
                size += len(line)
            if size > _WRITE_BYTES:
                await self.stream.write(b"".join(gathered))
                await asyncio.sleep(0)
                gathered, size = [], 0
        if self._options.initial_events and self._options.bookmarks:
            gathered.append(self._renderer.bookmark(initial.revision, initial_end=True))
        if gathered:
            await self.stream.write(b"".join(gathered))

    async def _write_changes(self, changes: Sequence[Change]) -> None:
        gathered = []
        for change in changes:
            seen = seen_change(change, self._selection)
            if seen is not None:
                gathered.append(self._line(*seen))
        if gathered:
            await self.stream.write(b"".join(gathered))

    def _line(self, change: ChangeType, stored: Stored) -> bytes:
        line = self._lines.line(self._renderer, change, stored, first=self._first)
        self._first = False
        return line

    @property
    def wants_bookmarks(self) -> bool:
        return self._options.bookmarks and self._watch is not None

    async def bookmark(self) -> None:
        """Tell how far the watch is, where the client wants to know and all before is sent."""
        if self._watch is None or not self._options.bookmarks or self.stream.is_lost:
            return
        await self.stream.write(self._renderer.bookmark(self._watch.revision))
