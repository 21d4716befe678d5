"""Keys that need looking at, each looked at until it has nothing left to do.

What the server's own tidying needs of a queue; the reconcile loop of the services is built on top
of this package, so it cannot be used here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import structlog

from shared.apiserver.status_errors import ApiFault
from shared.errors import HanseError

Key = TypeVar("Key", bound=Hashable)

AGAIN_SECONDS = 1.0
FAILED_SECONDS = 5.0

log = structlog.get_logger("hanse.apiserver")


class Worklist(Generic[Key]):
    """Runs one key at a time through a reconciler; a key added while it waits is one key."""

    def __init__(self, name: str, reconcile: Callable[[Key], Awaitable[bool]]) -> None:
        """*reconcile* answers whether all is done; otherwise the key comes again."""
        self._name = name
        self._reconcile = reconcile
        self._keys: dict[Key, None] = {}
        self._waiting: dict[Key, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()

    def add(self, key: Key) -> None:
        handle = self._waiting.pop(key, None)
        if handle is not None:
            handle.cancel()
        self._keys[key] = None
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                while self._keys:
                    key = next(iter(self._keys))
                    del self._keys[key]
                    await self._one(key)
                self._wake.clear()
                await self._wake.wait()
        finally:
            for handle in self._waiting.values():
                handle.cancel()

    async def _one(self, key: Key) -> None:
        try:
            if not await self._reconcile(key):
                self._add_later(key, AGAIN_SECONDS)
        except (ApiFault, HanseError) as err:
            log.warning("tidying.retry", of=self._name, key=str(key), error=str(err))
            self._add_later(key, FAILED_SECONDS)
        except Exception:
            log.exception("tidying.bug", of=self._name, key=str(key))
            self._add_later(key, FAILED_SECONDS * 12)

    def _add_later(self, key: Key, seconds: float) -> None:
        if key not in self._keys and key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)
