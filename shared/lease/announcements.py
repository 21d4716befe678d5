"""Telling others in whose hands a duty is: soon, and never in the way of the duty itself."""

from collections import deque
from typing import Literal

from shared.bus.port import Bus, Message
from shared.clock import Clock, format_micro_time
from shared.errors import RetryableError
from shared.events import subjects
from shared.events.envelope import fact_envelope
from shared.events.lease import NOUN, LeaseAcquired, LeaseFact, LeaseLost, encode_lease, type_of

_WAITING_MAX = 100
_RETRY_SECONDS = 1.0


class LeaseAnnouncements:
    """Of one process on one lease. What could not be told waits for the next occasion."""

    def __init__(self, name: str, identity: str, bus: Bus, clock: Clock) -> None:
        self._name = name
        self._identity = identity
        self._bus = bus
        self._clock = clock
        self._waiting: deque[LeaseFact] = deque(maxlen=_WAITING_MAX)

    async def acquired(self, term: int, previous: str) -> None:
        """Tell of it, and of what waited."""
        self._waiting.append(
            LeaseAcquired(
                lease=self._name,
                holder=self._identity,
                term=term,
                previous=previous,
                occurred_at=format_micro_time(self._clock.now()),
            )
        )
        while True:
            try:
                await self.send()
            except RetryableError:
                await self._clock.sleep(_RETRY_SECONDS)
            else:
                return

    def lost(self, term: int, reason: Literal["Released", "NotRenewed", "Taken"]) -> None:
        """Remember to tell of it: who cannot renew a lease can tell nobody either."""
        self._waiting.append(
            LeaseLost(
                lease=self._name,
                holder=self._identity,
                term=term,
                reason=reason,
                occurred_at=format_micro_time(self._clock.now()),
            )
        )

    async def send(self) -> None:
        """Publish what waits, in order; raises as `Publisher.publish`."""
        while self._waiting:
            fact = self._waiting[0]
            kind = type_of(fact)
            envelope = fact_envelope(
                kind,
                service=self._name,
                identity=f"{fact.holder}/{fact.term}",
                at=self._clock.now(),
            )
            subject = subjects.fact(NOUN, kind.split(".")[1], self._name)
            await self._bus.publish(Message(subject, encode_lease(fact), envelope.headers()))
            # Its id makes a repeat harmless.
            if self._waiting and self._waiting[0] is fact:
                self._waiting.popleft()
