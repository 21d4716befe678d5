"""An event loop on which time is a number: it jumps to the next timer when nothing is ready.

What runs on it (sleeps, timeouts, task groups) is asyncio's own. There are no threads and no
sockets: work meant for a thread is done at once.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2030, 1, 1, tzinfo=UTC)
_ROUNDS_MAX = 50_000


class Stalled(Exception):
    """Time cannot go on: everything waits for ever, or runs in circles at one moment."""


class _Jumps(selectors.SelectSelector):
    """Waits by moving the clock of its loop."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        self.loop.jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0 and moves by jumps."""

    def __init__(self) -> None:
        self._now = 0.0
        self._rounds = 0
        selector = _Jumps()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def jump(self, timeout: float | None) -> None:
        """Go to the next timer where nothing else is to be done."""
        if timeout is None:
            raise Stalled("everything waits for ever")
        if timeout <= 0:
            self._rounds += 1
            if self._rounds > _ROUNDS_MAX:
                raise Stalled(f"{_ROUNDS_MAX} rounds without time going on")
            return
        self._rounds = 0
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        self._now = max(self._now, scheduled[0].when())

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
