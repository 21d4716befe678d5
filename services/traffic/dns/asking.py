"""Asking other servers by dnspython so that whoever asks can be stopped.

It waits by `asyncio.wait_for`, which in Python 3.11 forgets that it was cancelled where the answer
comes in the same moment (python/cpython#86296): a process would then never end.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")


async def asked(question: Coroutine[Any, Any, Answer]) -> Answer:
    """What *question* returns or raises; being cancelled always ends it."""
    task = asyncio.ensure_future(question)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        task.add_done_callback(_look_at)
        raise
    return task.result()


def _look_at(task: asyncio.Task[Any]) -> None:
    """So that nobody complains that what came of it was never looked at."""
    if not task.cancelled():
        task.exception()
