"""What a careful client does: it tries again until there is an answer."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.errors import RetryableError

INSIST_SECONDS = 120.0
_AGAIN_SECONDS = 0.1


async def insist(call: Callable[[], Awaitable[object]]) -> int:
    """Return how often it had to be tried again."""
    again = 0
    async with asyncio.timeout(INSIST_SECONDS):
        while True:
            try:
                await call()
            except RetryableError:
                again += 1
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return again
