"""How long connections to other members took, told on the board LATENCIES while it is so.

The least of the last few counts: a busy machine makes single ones longer, nothing makes them
shorter. It is told anew when it has moved, and often enough that it does not expire.
"""

from collections import deque
from collections.abc import Mapping

import structlog

from shared.bus.port import Bus
from shared.clock import Clock, format_time
from shared.errors import HanseError
from shared.events.round_trips import (
    BOARD,
    TTL,
    RoundTrip,
    encode_round_trip,
    has_moved,
    round_trip_key,
)

log = structlog.get_logger("hanse.propagator")

_KEPT = 5
_AGAIN_SECONDS = TTL.total_seconds() / 2
_TARGETS_MAX = 200
"""Other members of which it is told: of a thousand each would be a million words."""


class RoundTrips:
    """From one member."""

    def __init__(self, cluster: str, bus: Bus, clock: Clock) -> None:
        self._cluster = cluster
        self._board = bus.board(BOARD)
        self._clock = clock
        self._measured: dict[str, deque[float]] = {}
        self._told: dict[str, tuple[float, float]] = {}

    async def take(self, measured: Mapping[str, float]) -> None:
        """Take in the milliseconds that each connection took; who is missing gave no answer."""
        now = self._clock.monotonic()
        self._measured = {name: one for name, one in self._measured.items() if name in measured}
        for name, milliseconds in sorted(measured.items())[:_TARGETS_MAX]:
            kept = self._measured.setdefault(name, deque(maxlen=_KEPT))
            kept.append(milliseconds)
            least = min(kept)
            told, at = self._told.get(name, (None, 0.0))
            if told is None or has_moved(told, least) or now - at > _AGAIN_SECONDS:
                await self._tell(name, least, now)

    async def _tell(self, name: str, milliseconds: float, now: float) -> None:
        word = RoundTrip(milliseconds=round(milliseconds, 3), at=format_time(self._clock.now()))
        key = round_trip_key(self._cluster, name)
        try:
            await self._board.put(key, encode_round_trip(word), ttl=TTL)
        except HanseError as err:
            log.warning("round-trip.untold", cluster=self._cluster, target=name, error=str(err))
            return
        self._told[name] = (milliseconds, now)
