"""An event loop on which time is a number: it jumps to the next timer when nothing is ready.

What runs on it (sleeps, timeouts, task groups) is asyncio's own. There are no threads and no
sockets: work meant for a thread is done at once.
"""

import asyncio
import heapq
import itertools
import selectors
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2030, 1, 1, tzinfo=UTC)
_ROUNDS_MAX = 50_000


class Stalled(Exception):
    """Time cannot go on: everything waits for ever, or runs in circles at one moment."""


class _Nothing(selectors.SelectSelector):
    """There is nothing to wait for."""

    def select(self, timeout: float | None = None) -> list[Any]:  # noqa: ARG002
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0 and moves by jumps.

    Half of a history is the loop's own work, so timers are kept by number, which compares fast,
    and of one moment they come in the order in which they were set.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._rounds = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count()
        # The base class's own, which it appends to.
        self._ready: deque[asyncio.Handle] = deque()
        super().__init__(_Nothing())

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def close(self) -> None:
        self._timers.clear()
        super().close()

    def _run_once(self) -> None:
        """What is ready, and nothing that becomes so meanwhile; for `run_forever`."""
        timers, ready = self._timers, self._ready
        if ready or self._stopping:  # type: ignore[attr-defined]
            self._rounds += 1
            if self._rounds > _ROUNDS_MAX:
                raise Stalled(f"{_ROUNDS_MAX} rounds without time going on")
        else:
            self._jump()
        while timers and timers[0][0] <= self._now:
            timer = heapq.heappop(timers)[2]
            if not timer.cancelled():
                ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()  # type: ignore[attr-defined]

    def _jump(self) -> None:
        """Go to the next timer: nothing else is to be done."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            raise Stalled("everything waits for ever")
        self._rounds = 0
        self._now = max(self._now, timers[0][0])

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002
        func: Callable[..., Any],
        *args: Any,
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as err:  # noqa: BLE001 - handed to whoever awaits it.
            future.set_exception(err)
        return future


class SkewedClock:
    """The clock of one machine: *ahead* of the others by seconds, and *fast* by a fraction."""

    def __init__(self, ahead: float = 0.0, fast: float = 0.0) -> None:
        self._ahead = ahead
        self._rate = 1.0 + fast

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic() + self._ahead)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() * self._rate

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._rate)
