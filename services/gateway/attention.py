"""Whether somebody looks at a view, or did so lately: until then nothing is followed for it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from shared.clock import Clock
from shared.errors import StoreUnavailable

IDLE_SECONDS = 300.0
"""How long a view is kept after the last look."""

_DEADLINE_SECONDS = 10.0


class Attention:
    """To one view; *what* it shows, in the plural, is for the message of who waits in vain."""

    def __init__(self, clock: Clock, what: str, idle_seconds: float = IDLE_SECONDS) -> None:
        self._clock = clock
        self._what = what
        self._idle_seconds = idle_seconds
        self._wanted = asyncio.Event()
        self._complete = asyncio.Event()
        self._readers = 0
        self._looked_at = 0.0

    async def wanted(self) -> None:
        """Wait until somebody looks."""
        await self._wanted.wait()

    def satisfy(self) -> None:
        """Say that the view is complete: who looks may read."""
        self._complete.set()

    async def until_idle(self) -> None:
        """Wait until nobody has looked for so long; who looks next waits for it anew."""
        while True:
            if self._readers:
                self._looked_at = self._clock.monotonic()
            left = self._looked_at + self._idle_seconds - self._clock.monotonic()
            if left <= 0:
                break
            await self._clock.sleep(left)
        self._wanted.clear()
        self._complete.clear()

    async def look(self) -> None:
        """Have the view followed from now on, and wait until it is complete.

        Raises `StoreUnavailable` where that takes too long.
        """
        with self.reading():
            self._wanted.set()
            try:
                async with asyncio.timeout(_DEADLINE_SECONDS):
                    await self._complete.wait()
            except TimeoutError as err:
                message = f"{self._what} cannot be shown yet: they are being read"
                raise StoreUnavailable(message) from err

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Within, the view is kept, and for a while afterwards."""
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1
            self._looked_at = self._clock.monotonic()
