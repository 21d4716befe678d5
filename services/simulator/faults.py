"""Faults on request: what a sick member does to those who call it.

They strike the Kubernetes API only. `/simulator` stays reachable, or nobody could end them.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

from aiohttp import web

from services.simulator.core.faults import Faults
from shared.apiserver.status_errors import ApiFault

CONTROL_PREFIX = "/simulator"
# A hanging request is let go in the end, so that a stopped test leaves nothing behind.
_HANG_SECONDS = 3600.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FaultGate:
    """Stands before the API and does to requests what the present faults say."""

    def __init__(self, faults: Faults, chance: random.Random | None = None) -> None:
        self._faults = faults
        self._chance = chance or random.Random()  # noqa: S311 - no secret depends on it.
        self._changed = asyncio.Event()
        self._budget = 1.0
        self._refilled = 0.0

    @property
    def faults(self) -> Faults:
        return self._faults

    def set(self, faults: Faults) -> None:
        """From now on; requests that hang go on once nothing hangs any more."""
        self._faults = faults
        self._changed.set()
        self._changed = asyncio.Event()

    async def pass_through(self, request: web.Request) -> None:
        """Raise `ApiFault` for a request that is to fail; may take long."""
        if self._faults == _NONE or request.path.startswith(CONTROL_PREFIX):
            return
        while self._faults.hang:
            try:
                async with asyncio.timeout(_HANG_SECONDS):
                    await self._changed.wait()
            except TimeoutError as err:
                raise ApiFault(504, "the simulated fault lasted too long") from err
        faults = self._faults
        if faults.latency_milliseconds:
            await asyncio.sleep(faults.latency_milliseconds / 1000)
        if faults.throttle and not self._has_budget(faults.throttle):
            raise ApiFault(429, "too many requests (a simulated fault)", retry_after_seconds=1)
        if faults.error_rate and self._chance.random() < faults.error_rate:
            raise ApiFault(faults.status, "a simulated fault")

    def _has_budget(self, per_second: float) -> bool:
        """A bucket that holds one second's worth."""
        now = asyncio.get_running_loop().time()
        gained = (now - self._refilled) * per_second
        self._budget = min(self._budget + gained, max(per_second, 1.0))
        self._refilled = now
        if self._budget < 1.0:
            return False
        self._budget -= 1.0
        return True


_NONE = Faults()
