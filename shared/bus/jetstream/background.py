"""Ending a background task for certain."""

import asyncio
import contextlib
from typing import Any

from shared.errors import HanseError

_AGAIN_SECONDS = 1.0


async def stop(task: "asyncio.Task[Any]") -> None:
    """Cancel *task* and wait for its end; its failure has been told elsewhere.

    More than once if need be: the NATS client swallows a cancellation that meets a flush.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=_AGAIN_SECONDS)
    with contextlib.suppress(asyncio.CancelledError, HanseError):
        task.result()
