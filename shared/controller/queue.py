"""The keys that wait to be reconciled: each at most once, none ever by two workers at a time.

A key woken while it is being reconciled runs once more afterwards. A key that failed comes back
after a delay that doubles; a wake-up by a change brings it back at once. The queue holds keys and
no messages, so it is bounded by the number of objects. A key wakes one worker, and all delays
together have one timer. Who is next is decided in `turns`.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from shared.controller.turns import FlowOf, Turns, Urgency, change_of_any

Key = TypeVar("Key", bound=Hashable)


def _namespace_of(key: Hashable) -> Hashable:
    return getattr(key, "namespace", None)


class KeyQueue(Generic[Key]):
    """Not thread-safe; times are those of the running event loop.

    *urgency_of* is asked whenever a key begins to wait, and again when it is woken meanwhile.
    """

    def __init__(
        self,
        *,
        urgency_of: Callable[[Key], Urgency] = change_of_any,
        flow_of: FlowOf[Key] = _namespace_of,
    ) -> None:
        self._urgency_of = urgency_of
        self._turns: Turns[Key] = Turns(flow_of)
        # Workers that wait for a key.
        self._waiting: deque[asyncio.Future[None]] = deque()
        # Those that were told of a key and have not had their turn yet.
        self._woken = 0
        self._capacity: int | None = None
        self._held_until = 0.0
        self._hold: asyncio.TimerHandle | None = None
        # In `_turns`, or woken again while running.
        self._dirty: set[Key] = set()
        self._running: set[Key] = set()
        # Key -> the moment it should wake; the heap may hold older entries for it.
        self._due: dict[Key, float] = {}
        self._delays: list[tuple[float, int, Key]] = []
        self._counter = 0
        self._timer: asyncio.Handle | None = None
        self._timer_due = float("inf")

    def __len__(self) -> int:
        return len(self._turns) + len(self._due)

    @property
    def idle(self) -> bool:
        """Nothing ready and nothing running; keys may still wait for their time."""
        return not self._turns and not self._running

    def add(self, key: Key) -> None:
        self._due.pop(key, None)
        self._dirty.add(key)
        if key not in self._running:
            self._turns.add(key, self._urgency_of(key))
            self._wake_workers()

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
        while not self._may_take():
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    # Woken and gone: the key is for another.
                    self._woken -= 1
                    self._wake_workers()
                raise
            self._woken -= 1
        key = self._turns.take()
        self._dirty.discard(key)
        self._running.add(key)
        return key

    def finish(self, key: Key) -> None:
        self._running.discard(key)
        if key in self._dirty:
            self._turns.add(key, self._urgency_of(key))
        self._wake_workers()

    # How much is handed out.

    def limit(self, capacity: int) -> None:
        """Hand out no more while *capacity* keys are running."""
        self._capacity = capacity
        self._wake_workers()

    def hold(self, seconds: float) -> None:
        """Hand out nothing for so long; of several the longest counts."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if until <= self._held_until:
            return
        self._held_until = until
        if self._hold is not None:
            self._hold.cancel()
        self._hold = loop.call_at(until, self._let_go)

    def _let_go(self) -> None:
        self._hold, self._held_until = None, 0.0
        self._wake_workers()

    def _room(self) -> int:
        """How many more keys may be taken now."""
        if self._hold is not None:
            return 0
        waiting = len(self._turns)
        if self._capacity is None:
            return waiting
        return min(waiting, self._capacity - len(self._running))

    def _may_take(self) -> bool:
        return self._room() > 0

    def _wake_workers(self) -> None:
        """One for each key there is room for."""
        room = self._room() - self._woken
        while room > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._woken += 1
                room -= 1

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
