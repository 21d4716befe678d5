"""The keys that wait to be reconciled: each at most once, none ever by two workers at a time.

A key woken while it is being reconciled runs once more afterwards. A key that failed comes back
after a delay that doubles; a wake-up by a change brings it back at once. The queue holds keys and
no messages, so it is bounded by the number of objects. A key wakes one worker, and all delays
together have one timer.
"""

import asyncio
import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class KeyQueue(Generic[Key]):
    """Not thread-safe; times are those of the running event loop."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        # In `_ready`, or woken again while running.
        self._dirty: set[Key] = set()
        self._running: set[Key] = set()
        # Key -> the moment it should wake; the heap may hold older entries for it.
        self._due: dict[Key, float] = {}
        self._delays: list[tuple[float, int, Key]] = []
        self._counter = 0
        self._timer: asyncio.Handle | None = None
        self._timer_due = float("inf")

    def __len__(self) -> int:
        return self._ready.qsize() + len(self._due)

    @property
    def idle(self) -> bool:
        """Nothing ready and nothing running; keys may still wait for their time."""
        return self._ready.empty() and not self._running

    def add(self, key: Key) -> None:
        self._due.pop(key, None)
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._running:
            self._ready.put_nowait(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Wake *key* once, after *seconds*, or earlier where it already waits for less."""
        due = asyncio.get_running_loop().time() + max(seconds, 0.0)
        if key in self._dirty or self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        self._counter += 1
        heapq.heappush(self._delays, (due, self._counter, key))
        if due < self._timer_due:
            self._set_timer()

    async def take(self) -> Key:
        """Wait for a key; whoever takes it must call `finish`."""
        key = await self._ready.get()
        self._dirty.discard(key)
        self._running.add(key)
        return key

    def finish(self, key: Key) -> None:
        self._running.discard(key)
        if key in self._dirty:
            self._ready.put_nowait(key)

    def _set_timer(self) -> None:
        """To the earliest delay there is."""
        if self._timer is not None:
            self._timer.cancel()
        # Not asked of the timer: what is due at once is none with uvloop.
        self._timer_due = self._delays[0][0]
        self._timer = asyncio.get_running_loop().call_at(self._timer_due, self._release)

    def _release(self) -> None:
        self._timer, self._timer_due = None, float("inf")
        now = asyncio.get_running_loop().time()
        while self._delays and self._delays[0][0] <= now:
            due, _, key = heapq.heappop(self._delays)
            if self._due.get(key) == due:
                self.add(key)
        if self._delays:
            self._set_timer()
