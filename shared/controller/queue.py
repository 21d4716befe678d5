"""The keys that wait to be reconciled: each at most once, none ever by two workers at a time.

A key woken while it is being reconciled runs once more afterwards. A key that failed comes back
after a delay that doubles; a wake-up by a change brings it back at once. The queue holds keys and
no messages, so it is bounded by the number of objects.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class KeyQueue(Generic[Key]):
    """Not thread-safe; times are those of the running event loop."""

    def __init__(self) -> None:
        self._ready: deque[Key] = deque()
        # In `_ready`, or woken again while running.
        self._dirty: set[Key] = set()
        self._running: set[Key] = set()
        # Key -> the moment it should wake; the heap may hold older entries for it.
        self._due: dict[Key, float] = {}
        self._timers: list[tuple[float, int, Key]] = []
        self._counter = 0
        self._arrival = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready) + len(self._due)

    @property
    def idle(self) -> bool:
        """Nothing ready and nothing running; keys may still wait for their time."""
        return not self._ready and not self._running

    def add(self, key: Key) -> None:
        self._due.pop(key, None)
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._running:
            self._ready.append(key)
            self._arrival.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Wake *key* once, after *seconds*, or earlier where it already waits for less."""
        due = asyncio.get_running_loop().time() + max(seconds, 0.0)
        if key in self._dirty or self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        self._counter += 1
        heapq.heappush(self._timers, (due, self._counter, key))
        self._arrival.set()

    async def take(self) -> Key:
        """Wait for a key; whoever takes it must call `finish`."""
        while True:
            self._release_due()
            if self._ready:
                key = self._ready.popleft()
                self._dirty.discard(key)
                self._running.add(key)
                return key
            await self._wait_for_arrival()

    def finish(self, key: Key) -> None:
        self._running.discard(key)
        if key in self._dirty:
            self._ready.append(key)
            self._arrival.set()

    def _release_due(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._timers and self._timers[0][0] <= now:
            due, _, key = heapq.heappop(self._timers)
            if self._due.get(key) == due:
                self.add(key)

    async def _wait_for_arrival(self) -> None:
        self._arrival.clear()
        delay = None
        if self._timers:
            delay = max(self._timers[0][0] - asyncio.get_running_loop().time(), 0.0)
        try:
            async with asyncio.timeout(delay):
                await self._arrival.wait()
        except TimeoutError:
            # The next timer is due: another worker may take it first, then we wait again.
            return
