"""The watches of one server, looked after together.

Bounded in number, ended when the server stops. Once a second one keeper looks at all of them:
whether the client is there and takes what is sent, whether the kind is still served as it was when
the watch began, and whether a bookmark is due.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from shared.apiserver.requests.limits import ServerLimits
from shared.apiserver.status_errors import ApiFault

BOOKMARK_SECONDS = 45.0
LOOK_SECONDS = 1.0


class Connected(Protocol):
    """The connection of a watcher."""

    @property
    def is_lost(self) -> bool: ...

    @property
    def blocked_seconds(self) -> float:
        """For how long the client has taken nothing."""
        ...

    def cut(self) -> None: ...


class Watcher(Protocol):
    """What the keeper asks of a watch."""

    @property
    def stream(self) -> Connected: ...

    @property
    def wants_bookmarks(self) -> bool: ...

    async def bookmark(self) -> None: ...


class _Kept:
    """One open watch."""

    def __init__(
        self,
        watcher: Watcher,
        deadline: asyncio.Timeout,
        is_served: Callable[[], bool],
        blocked_seconds: float,
    ) -> None:
        self._watcher = watcher
        self._deadline = deadline
        self._blocked_seconds = blocked_seconds
        self._is_served = is_served
        self._loop = asyncio.get_running_loop()
        self._bookmark_due = self._loop.time() + BOOKMARK_SECONDS
        self._bookmarking: asyncio.Task[None] | None = None

    def end(self) -> None:
        if not self._deadline.expired():
            self._deadline.reschedule(self._loop.time())

    def look(self) -> None:
        stream = self._watcher.stream
        if stream.is_lost or stream.blocked_seconds > self._blocked_seconds:
            stream.cut()
            self.end()
        elif not self._is_served():
            self.end()
        elif self._loop.time() >= self._bookmark_due and not stream.blocked_seconds:
            self._bookmark_due = self._loop.time() + BOOKMARK_SECONDS
            if self._watcher.wants_bookmarks:
                # A task of its own: a slow client delays its own bookmark alone.
                self._bookmarking = asyncio.create_task(self._bookmark(), name="watch-bookmark")

    async def _bookmark(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._watcher.bookmark()

    async def leave(self) -> None:
        if self._bookmarking is not None and not self._bookmarking.done():
            self._bookmarking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._bookmarking


class OpenWatches:
    """All watches of one server."""

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._kept: set[_Kept] = set()
        self._keeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._kept)

    @contextlib.asynccontextmanager
    async def one(
        self, watcher: Watcher, seconds: float, is_served: Callable[[], bool]
    ) -> AsyncIterator[None]:
        """A watch of at most *seconds*, ended by TimeoutError; raises `ApiFault` 429."""
        if len(self._kept) >= self._limits.watches:
            raise ApiFault(429, "too many watches, please try again later", retry_after_seconds=5)
        async with asyncio.timeout(seconds) as deadline:
            kept = _Kept(watcher, deadline, is_served, self._limits.blocked_seconds)
            self._kept.add(kept)
            if self._keeper is None or self._keeper.done():
                self._keeper = asyncio.create_task(self._keep(), name="watch-keeper")
            try:
                yield
            finally:
                self._kept.discard(kept)
                await kept.leave()

    def end_all(self) -> None:
        for kept in tuple(self._kept):
            kept.end()

    async def _keep(self) -> None:
        """Run for as long as there are watches."""
        while self._kept:
            for kept in tuple(self._kept):
                kept.look()
            await asyncio.sleep(LOOK_SECONDS)
