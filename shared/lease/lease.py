"""Standing by for a duty, carrying it out while its lease is held, and handing it over.

Who stands by follows the board, so that one who lets go is followed at once, and one who dies when
its time is over. The work is ended before the lease is let go, and at the deadline of a holder that
cannot renew it.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import structlog

from shared.bus.port import Bus, CaughtUp
from shared.clock import Clock
from shared.errors import HanseError, MalformedEvent, RetryableError, StaleRevision
from shared.events.lease import LeaseRecord, decode_lease_record, encode_lease
from shared.lease.announcements import LeaseAnnouncements
from shared.lease.claim import Attempt, Claim
from shared.lease.settings import LeaseSettings, Life
from shared.telemetry import metrics

log = structlog.get_logger("hanse.lease")

BOARD = "LEASES"
_FAREWELL_SECONDS = 1.0
_MOMENT = 0.001
"""What is left of a span by rounding is not waited for again and again."""

Work = Callable[[], Coroutine[Any, Any, None]]


class Lease:
    """One process's share in one duty."""

    def __init__(
        self, name: str, bus: Bus, clock: Clock, settings: LeaseSettings | None = None
    ) -> None:
        self.name = name
        self._settings = settings or LeaseSettings()
        self._clock = clock
        life = self._settings.life or Life(self._settings.new_identity())
        self._identity = life.identity
        self._claim = Claim(self._settings, life)
        self._board = bus.board(BOARD)
        self._announcements = LeaseAnnouncements(name, self._identity, bus, clock)
        # Set once the board is known, and with every change of it.
        self._news = asyncio.Event()
        self._known = False
        self._held = metrics.LEASE_HELD.labels(name)
        self._taken = metrics.LEASES_TAKEN.labels(name)

    @property
    def held(self) -> bool:
        """Whether this process may carry out the duty now."""
        return self._claim.holds(self._clock.monotonic())

    @property
    def standing(self) -> str:
        """Who carries out the duty, in words."""
        if self.held:
            return "held"
        record = self._claim.record
        return f"standing by for {record.holder}" if record and record.holder else "standing by"

    async def run(self, work: Work) -> None:
        """Carry out *work* whenever the lease is held, until cancelled.

        *work* runs until it is cancelled; it begins anew with every term. Ends as it ends.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                following = tasks.create_task(self._follow(), name=f"lease-{self.name}")
                goes_on = True
                while goes_on:
                    previous = await self._take()
                    news = tasks.create_task(self._announcements.acquired(self._term, previous))
                    try:
                        goes_on = await self._carry_out(work)
                    finally:
                        news.cancel()
                following.cancel()
        finally:
            await self._let_go()

    @property
    def _term(self) -> int:
        record = self._claim.record
        return record.term if record is not None else 0

    async def _follow(self) -> None:
        async with self._board.follow() as entries:
            async for entry in entries:
                if isinstance(entry, CaughtUp):
                    self._known = True
                elif entry.key == self.name:
                    self._hear(entry.sequence, entry.value)
                self._news.set()

    def _hear(self, sequence: int, value: bytes | None) -> None:
        record: LeaseRecord | None = None
        if value is not None:
            try:
                record = decode_lease_record(value)
            except MalformedEvent as err:
                log.warning("lease.malformed", lease=self.name, error=str(err))
        self._claim.hear(sequence, record, self._clock.monotonic())

    # Standing by.

    async def _take(self) -> str:
        """Return once the lease is held; whose it was, where nobody had let it go."""
        while True:
            self._news.clear()
            now = self._clock.monotonic()
            wait = self._claim.vacant_in(now) if self._known else None
            if wait != 0.0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait and max(wait, _MOMENT)):
                        await self._news.wait()
                continue
            before = self._claim.record
            if await self._write(self._claim.take(now)) and self.held:
                self._taken.inc()
                log.info("lease.acquired", lease=self.name, term=self._term)
                return before.holder if before is not None else ""
            await self._clock.sleep(self._settings.renewal.total_seconds() / 4)

    # Holding.

    async def _carry_out(self, work: Work) -> bool:
        """Run *work* while the lease is held; False where it ended by itself."""
        working = asyncio.create_task(work(), name=f"duty-{self.name}")
        keeping = asyncio.create_task(self._keep(), name=f"keep-{self.name}")
        self._held.set(1)
        try:
            await asyncio.wait((working, keeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = working.done()
            working.cancel()
            # It is still kept meanwhile: what is begun may be ended in order.
            await asyncio.wait((working,))
            keeping.cancel()
            await asyncio.wait((keeping,))
            self._held.set(0)
        if ended:
            await working
            return False
        self._announcements.lost(self._term, self._why())
        self._claim.lose()
        return True

    def _why(self) -> Literal["NotRenewed", "Taken"]:
        record = self._claim.record
        ours = record is not None and record.holder == self._identity
        why: Literal["NotRenewed", "Taken"] = "NotRenewed" if ours else "Taken"
        log.warning("lease.lost", lease=self.name, reason=why)
        return why

    async def _keep(self) -> None:
        """Renew until that fails for too long, or another has taken it."""
        renewal = self._settings.renewal.total_seconds()
        pause = renewal
        while (left := self._claim.seconds_left(self._clock.monotonic())) > 0:
            await self._clock.sleep(max(min(pause, left), _MOMENT))
            now = self._clock.monotonic()
            left = self._claim.seconds_left(now)
            if left <= 0:
                return
            renewed = await self._write(self._claim.renew(now), within=left)
            pause = renewal if renewed else renewal / 4

    async def _write(self, attempt: Attempt, *, within: float = math.inf) -> bool:
        """Put *attempt* on the board in time; where another word lies there, hear it instead."""
        try:
            # A request may get lost; the next one is not to wait for it for long.
            async with asyncio.timeout(min(self._settings.renewal.total_seconds(), within)):
                sequence = await self._board.put(
                    self.name, encode_lease(attempt.record), expected=attempt.expected
                )
        except StaleRevision:
            await self._look()
            return False
        except (RetryableError, TimeoutError):
            return False
        self._claim.wrote(attempt, sequence)
        return True

    async def _look(self) -> None:
        """Where an answer was lost, what lies there is our own word."""
        with contextlib.suppress(RetryableError, TimeoutError):
            async with asyncio.timeout(self._settings.renewal.total_seconds()):
                entry = await self._board.entry(self.name)
                self._hear(entry.sequence, entry.value)

    async def _let_go(self) -> None:
        """Hand over, the work having ended; told within a second or not at all."""
        now = self._clock.monotonic()
        if not self._claim.holds(now):
            return
        with contextlib.suppress(HanseError, TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                term = self._term
                await self._write(self._claim.release(now))
                self._announcements.lost(term, "Released")
                await self._announcements.send()
