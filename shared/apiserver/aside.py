"""Large requests are worked out beside the event loop, a few at a time.

What a request costs grows with its size: three mebibytes of list items take seconds to compare.
In a thread they cost their sender that time and nobody else, and since each may need a hundred
times its size in memory, only so many are worked on at once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

LARGE_BYTES = 64 * 1024

Given = ParamSpec("Given")
Result = TypeVar("Result")


async def aside(
    size: int, compute: Callable[Given, Result], *given: Given.args, **named: Given.kwargs
) -> Result:
    """Return what *compute*, which must be pure, makes of what is given, *size* bytes or so."""
    if size <= LARGE_BYTES:
        return compute(*given, **named)
    return await asyncio.to_thread(compute, *given, **named)


class Room:
    """Lets *most* large requests in at a time; others wait in their order."""

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)

    @asynccontextmanager
    async def of(self, size: int) -> AsyncIterator[None]:
        """Wait for a place where *size* bytes are many."""
        if size <= LARGE_BYTES:
            yield
            return
        async with self._places:
            yield
