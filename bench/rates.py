"""Requests by a fixed number at once, or at a fixed rate whatever the answers take."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter

Ask = Callable[[], Awaitable[None]]
AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Rate:
    """What came out; times in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float], whole: float) -> "Rate":
        ordered = sorted(seconds)
        return cls(
            round(len(ordered) / whole, 1),
            round(statistics.median(ordered) * 1000, 2),
            round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 2),
        )

    def figures(self, name: str) -> dict[str, float]:
        return {
            f"{name}_per_second": self.per_second,
            f"{name}_p50_ms": self.p50_ms,
            f"{name}_p99_ms": self.p99_ms,
        }


async def closed_loop(asks: Iterable[Ask], at_once: int = AT_ONCE) -> Rate:
    """As fast as the answers come, *at_once* under way."""
    waiting = iter(asks)
    seconds: list[float] = []

    async def work() -> None:
        for ask in waiting:
            started = perf_counter()
            await ask()
            seconds.append(perf_counter() - started)

    began = perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return Rate.of(seconds, perf_counter() - began)


async def open_loop(asks: Sequence[Ask], per_second: float) -> Rate:
    """At *per_second*, each timed from the moment it was due: waiting counts."""
    began = perf_counter()

    async def one(number: int, ask: Ask) -> float:
        due = began + number / per_second
        await asyncio.sleep(max(0.0, due - perf_counter()))
        await ask()
        return perf_counter() - due

    seconds = await asyncio.gather(*(one(number, ask) for number, ask in enumerate(asks)))
    return Rate.of(seconds, perf_counter() - began)
