"""Waking what follows scores: once for all that changed in a while, however often that was."""

from collections.abc import Callable
from datetime import timedelta

from services.scheduler.cache.federation import Federation
from services.scheduler.core.signals.values import changed_signals
from shared.apimachinery.manifest import ObjectKey
from shared.clock import Clock


class ScoreWatch:
    """Looks every *delay*; what nobody follows wakes nobody."""

    def __init__(
        self,
        federation: Federation,
        clock: Clock,
        delay: timedelta,
        wake: Callable[[ObjectKey], None],
    ) -> None:
        self._federation = federation
        self._clock = clock
        self._delay = delay
        self._wake = wake

    async def run(self) -> None:
        """Wake until cancelled."""
        known = self._federation.signals.now
        while True:
            await self._clock.sleep(self._delay.total_seconds())
            now = self._federation.signals.now
            if now is known:
                continue
            for template in self._federation.following_scores(changed_signals(known, now)):
                self._wake(template)
            known = now
