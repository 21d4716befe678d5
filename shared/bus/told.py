"""Facts of one subject that are still known: what was told, in order of time."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from shared.bus.port import Bus, CaughtUp
from shared.bus.topology import EVENTS
from shared.errors import MalformedEvent

Fact = TypeVar("Fact")
_READING = timedelta(seconds=8)
"""How long facts are read before what was found is the answer."""


async def told(bus: Bus, subject: str, decode: Callable[[bytes], Fact], *, most: int) -> list[Fact]:
    """Return the last *most* of them; what *decode* does not understand is left out."""
    found: list[Fact] = []
    try:
        async with (
            asyncio.timeout(_READING.total_seconds()),
            bus.follow(EVENTS, [subject], recent=EVENTS.age_max) as messages,
        ):
            async for message in messages:
                if isinstance(message, CaughtUp):
                    break
                try:
                    found.append(decode(message.body))
                except MalformedEvent:
                    continue
                del found[:-most]
    except TimeoutError:
        return found
    return found
