"""Whether this process was heard of all the time, so that what it was handed is still its own.

Who falls silent for two seconds loses its place at a member's orders to another worker. A process
that was stopped for longer, or cut off, finds orders in its hands, and in its buffers, that another
one has meanwhile carried out and perhaps undone. Of an object that was removed since, nothing in
the member tells that it is late.
"""

from shared.bus.port import Bus
from shared.clock import Clock

SILENCE_SECONDS = 2.0
_LOOK_SECONDS = 0.5
_SETTLE_SECONDS = 5.0
"""So long what was under way to us may arrive, after we are back."""


class Presence:
    """Of one worker; `run` watches."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._seen = clock.monotonic()
        self._back_at = float("-inf")

    async def run(self) -> None:
        """Notice every absence, until cancelled."""
        stop = self._bus.on_return(self._return)
        try:
            while True:
                self._look()
                await self._clock.sleep(_LOOK_SECONDS)
        finally:
            stop()

    def is_certain_of(self, received: float) -> bool:
        """Whether what came at *received*, by the worker's clock, was for us and still is."""
        # Whoever asks may be the first to have a turn after the process was stopped.
        self._look()
        return received > self._back_at + _SETTLE_SECONDS

    def _look(self) -> None:
        now = self._clock.monotonic()
        if now - self._seen > SILENCE_SECONDS or not self._bus.connected:
            self._back_at = now
        self._seen = now

    def _return(self) -> None:
        self._back_at = self._clock.monotonic()
