"""GET with `watch`: the changes of a collection as lines of JSON, for as long as both sides like.

A watcher costs one task. It is cut rather than waited for: the store ends it when it falls too far
behind (410 in the stream), the connection when a single write blocks too long. Once a second its
keeper looks whether the client is still there and whether a bookmark is due.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from shared.apiserver.rendering import Renderer, error_event
from shared.apiserver.request import ListOptions
from shared.apiserver.selection import Selection, read_selection, seen_change
from shared.apiserver.serving import Call, Serving
from shared.apiserver.status_errors import ApiFault, from_error
from shared.apiserver.verbs.listing import scope_of
from shared.errors import HanseError
from shared.store.port import ChangeType, Listing, Revision, Stored, Watch
from shared.telemetry import metrics

BOOKMARK_SECONDS = 45.0
BLOCKED_SECONDS = 30.0
KEEPER_SECONDS = 1.0
TIMEOUT_SECONDS = 1_800
TIMEOUT_SECONDS_MAX = 86_400

log = structlog.get_logger("hanse.apiserver")


class OpenWatches:
    """The watches of one server: bounded in number, and ended together when it stops."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._deadlines: set[asyncio.Timeout] = set()

    def __len__(self) -> int:
        return len(self._deadlines)

    @contextlib.asynccontextmanager
    async def one(self, seconds: float) -> AsyncIterator[asyncio.Timeout]:
        """A watch of at most *seconds*, ended by TimeoutError; raises `ApiFault` 429."""
        if len(self._deadlines) >= self._most:
            raise ApiFault(429, "too many watches, please try again later", retry_after_seconds=5)
        async with asyncio.timeout(seconds) as deadline:
            self._deadlines.add(deadline)
            try:
                yield deadline
            finally:
                self._deadlines.discard(deadline)

    def end_all(self) -> None:
        now = asyncio.get_running_loop().time()
        for deadline in tuple(self._deadlines):
            deadline.reschedule(now)


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
        self.response.enable_chunked_encoding()
        await self.response.prepare(self._request)

    async def write(self, line: bytes) -> None:
        self._blocked_since = self._loop.time()
        await self.response.write(line)
        self._blocked_since = None

    @property
    def lost(self) -> bool:
        """The client is gone, or takes nothing any more."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return True
        blocked = self._blocked_since
        return blocked is not None and self._loop.time() - blocked > BLOCKED_SECONDS

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
) -> web.StreamResponse:
    """Stream until the time is up, the client leaves or the history is gone."""
    call.require_verb("watch")
    selection = read_selection(call.kind, options.label_selector, options.field_selector)
    initial, since = await _beginning(serving, call, options)
    stream = _Stream(request)
    seconds = min(options.timeout_seconds or 0, TIMEOUT_SECONDS_MAX) or (
        # Spread, so that clients that came together do not come back together.
        TIMEOUT_SECONDS + secrets.randbelow(TIMEOUT_SECONDS)
    )
    watcher = _Watcher(stream, selection, renderer, options)
    metrics.WATCHES.inc()
    try:
        async with (
            watches.one(seconds) as deadline,
            serving.store.watch(scope_of(call), since=since) as watch,
        ):
            await stream.open()
            async with _kept(watcher, deadline):
                await watcher.run(initial, watch)
    except TimeoutError:
        with contextlib.suppress(ConnectionError):
            await watcher.bookmark()
    except HanseError as err:
        if not stream.response.prepared:
            raise
        with contextlib.suppress(ConnectionError):
            await stream.write(error_event(from_error(err).status()))
    except ConnectionError:
        log.debug("watch.lost", resource=str(call.resource))
    finally:
        metrics.WATCHES.dec()
    if not stream.response.prepared:
        await stream.open()
    with contextlib.suppress(ConnectionError):
        await stream.response.write_eof()
    return stream.response


async def _beginning(
    serving: Serving, call: Call, options: ListOptions
) -> tuple[Listing | None, Revision]:
    """Return what to send first (None: nothing), and the revision to go on from."""
    wanted = options.resource_version
    if wanted and not options.initial_events:
        return None, Revision(wanted)
    listing = await serving.store.list(scope_of(call))
    if options.initial_events is False:
        return None, listing.revision
    return listing, listing.revision


class _Watcher:
    """Filters and writes the events of one watch."""

    def __init__(
        self, stream: _Stream, selection: Selection, renderer: Renderer, options: ListOptions
    ) -> None:
        self.stream = stream
        self._selection = selection
        self._renderer = renderer
        self._options = options
        self._first = True
        self._ready = False
        self.bookmarked = asyncio.get_running_loop().time()
        self.watch: Watch | None = None

    async def run(self, initial: Listing | None, watch: Watch) -> None:
        self.watch = watch
        if initial is not None:
            for stored in initial.items:
                if self._selection.matches(stored.manifest):
                    await self._write(ChangeType.ADDED, stored)
            if self._options.initial_events and self._options.bookmarks:
                await self.stream.write(self._renderer.bookmark(initial.revision, initial_end=True))
        self._ready = True
        async for change in watch:
            seen = seen_change(change, self._selection)
            if seen is not None:
                await self._write(*seen)

    async def _write(self, change: ChangeType, stored: Stored) -> None:
        line = self._renderer.event(change, stored, first=self._first)
        self._first = False
        await self.stream.write(line)

    async def bookmark(self) -> None:
        """Tell how far the watch is, where the client wants to know and all before is sent."""
        if not self._options.bookmarks or not self._ready or self.watch is None:
            return
        if self.stream.lost:
            return
        self.bookmarked = asyncio.get_running_loop().time()
        await self.stream.write(self._renderer.bookmark(self.watch.revision))


@contextlib.asynccontextmanager
async def _kept(watcher: _Watcher, deadline: asyncio.Timeout) -> AsyncIterator[None]:
    keeper = asyncio.create_task(_keep(watcher, deadline), name="watch-keeper")
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await keeper


async def _keep(watcher: _Watcher, deadline: asyncio.Timeout) -> None:
    """Send bookmarks when due; bring the deadline forward once the client is gone."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(KEEPER_SECONDS)
        if watcher.stream.lost:
            watcher.stream.cut()
            deadline.reschedule(loop.time())
            return
        if loop.time() - watcher.bookmarked > BOOKMARK_SECONDS:
            with contextlib.suppress(ConnectionError):
                await watcher.bookmark()
