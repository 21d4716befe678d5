"""One writer and many watchers: how fast, and how late, each of them hears of each write."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import perf_counter

import aiohttp

from bench.rates import Rate

Write = Callable[[int], Awaitable[None]]


class Listeners:
    """Open watches that count lines and look at nothing else."""

    def __init__(self, count: int) -> None:
        self.heard: list[list[float]] = [[] for _ in range(count)]
        self._changed = asyncio.Event()

    async def listen(self, number: int, response: aiohttp.ClientResponse) -> None:
        async for chunk in response.content.iter_any():
            now = perf_counter()
            self.heard[number].extend([now] * chunk.count(b"\n"))
            self._changed.set()

    async def until_heard(self, lines: int, *, deadline: float) -> None:
        async with asyncio.timeout(deadline):
            while any(len(one) < lines for one in self.heard):
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def listeners(
    session: aiohttp.ClientSession, path: str, query: Mapping[str, str], count: int
) -> AsyncIterator[Listeners]:
    found = Listeners(count)
    responses = [await session.get(path, params=query) for _ in range(count)]
    tasks = [
        asyncio.create_task(found.listen(number, response))
        for number, response in enumerate(responses)
    ]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        for response in responses:
            response.close()
        await asyncio.gather(*tasks, return_exceptions=True)


async def steady(heard: Listeners, write: Write, writes: int, per_second: float) -> Rate:
    """Write at *per_second*; the times are from a write's answer to each watcher's hearing of it.

    A watcher may hear before the writer has its answer: that counts as no time at all.
    """
    began = perf_counter()
    answered = []
    for number in range(writes):
        await asyncio.sleep(max(0.0, began + number / per_second - perf_counter()))
        await write(number)
        answered.append(perf_counter())
    await heard.until_heard(writes, deadline=60)
    return Rate.of(_late(heard.heard, answered), perf_counter() - began)


def _late(heard: Sequence[Sequence[float]], answered: Sequence[float]) -> list[float]:
    return [
        max(0.0, at - answered[number])
        for one in heard
        for number, at in enumerate(one[: len(answered)])
    ]


async def flood(heard: Listeners, write: Write, writes: int, at_once: int) -> float:
    """Write as fast as the answers come; returns events delivered per second."""
    before = len(heard.heard[0])
    waiting = iter(range(writes))

    async def work() -> None:
        for number in waiting:
            await write(number)

    began = perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    await heard.until_heard(before + writes, deadline=120)
    return round(writes * len(heard.heard) / (perf_counter() - began), 1)
