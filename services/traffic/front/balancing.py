"""A front: asks how traffic is shared, has a load balancer do it, and tells what came of it.

What it heard last counts for as long as nobody says otherwise: without the hub, or without NATS, it
goes on as it is.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec
import structlog

from services.traffic.core.fronts import SortedPlans, sort_plans
from services.traffic.core.renderers.haproxy import (
    Front,
    Layout,
    commands,
    configuration,
    lay_out,
)
from services.traffic.front.haproxy import Haproxy, HaproxyFailed
from services.traffic.front.tally import Tally
from services.traffic.settings import FrontSettings
from shared.bus.port import Bus, CaughtUp, RequestError
from shared.bus.topology import EVENTS
from shared.clock import Clock, format_micro_time
from shared.errors import HanseError, RetryableError
from shared.events.requests import API_TRAFFIC
from shared.events.subjects import EVENTS as FACTS
from shared.events.traffic import (
    BOARD,
    NOUN,
    WORD_TTL,
    FrontTrouble,
    TrafficFeed,
    TrafficPlan,
    encode_traffic,
    word_key,
)

log = structlog.get_logger("hanse.front")

_DEADLINE = timedelta(seconds=3)
_read_feed = msgspec.json.Decoder(TrafficFeed).decode


class Balancing:
    """Keeps one load balancer as the plans say; `run` ends when it is cancelled, or that ends."""

    def __init__(self, bus: Bus, clock: Clock, settings: FrontSettings) -> None:
        assert settings.config is not None, "a front without a file is none"
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._front = Front(
            socket=str(settings.socket),
            address=settings.address,
            http_port=settings.http_port,
            region=settings.region,
            interval_milliseconds=int(settings.check_interval.total_seconds() * 1_000),
        )
        self._haproxy = Haproxy(settings.config, settings.socket, settings.reload, settings.binary)
        self._layout: Layout = {}
        self._sorted = SortedPlans()
        self._failure = ""
        self._stir = asyncio.Event()
        self._tally = Tally(settings.name, settings.region, format_micro_time(clock.now()))

    async def run(self) -> None:
        self._sort(await self._first())
        self._layout = lay_out(self._sorted.carried, self._settings.region, {})
        text = configuration(self._layout, self._front)
        async with self._haproxy.running(text), asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._tell())
            # Whoever runs this process begins both anew.
            tasks.create_task(self._haproxy.watch())
            await self._keep()

    async def _first(self) -> Sequence[TrafficPlan]:
        while (plans := await self._plans()) is None:
            await self._clock.sleep(self._settings.interval.total_seconds())
        return plans

    async def _keep(self) -> None:
        while True:
            self._stir.clear()
            plans = await self._plans()
            if plans is not None:
                self._sort(plans)
                layout = lay_out(self._sorted.carried, self._settings.region, self._layout)
                try:
                    await self._adopt(layout)
                    self._failure = ""
                except HaproxyFailed as err:
                    self._failure = str(err)
                    log.warning("front.failed", error=str(err))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.interval.total_seconds()):
                    await self._stir.wait()

    async def _plans(self) -> Sequence[TrafficPlan] | None:
        """None where nobody answers: then what was said last counts."""
        try:
            return _read_feed(await self._bus.request(API_TRAFFIC, b"{}", deadline=_DEADLINE)).plans
        except (RetryableError, RequestError, msgspec.DecodeError) as err:
            log.info("front.unheard", error=str(err))
            return None

    async def _adopt(self, layout: Layout) -> None:
        if layout == self._layout:
            return
        # What was counted until now was counted by the servers as they were.
        await self._count()
        said = commands(self._layout, layout)
        text = configuration(layout, self._front)
        if said is None or not await self._haproxy.tell(said, text):
            await self._haproxy.begin_anew(text)
        self._layout = layout

    def _sort(self, plans: Sequence[TrafficPlan]) -> None:
        """Say once of each policy that nobody carries its traffic here."""
        before, self._sorted = self._sorted, sort_plans(plans, self._front.http_port)
        for key, trouble in self._sorted.refused.items():
            if before.refused.get(key) != trouble:
                log.warning("front.left-out", policy=key, why=trouble.message)

    def _troubles(self) -> Mapping[str, FrontTrouble]:
        """By the key of its plan, why a policy is not carried as decided."""
        if not self._failure:
            return self._sorted.refused
        # None of the plans that are new has been taken in.
        why = FrontTrouble(reason="NotCarried", message=f"it goes on as it was: {self._failure}")
        return {
            **dict.fromkeys((one.key for one in self._sorted.carried), why),
            **self._sorted.refused,
        }

    async def _follow(self) -> None:
        """Look at once where a split is said to have changed."""
        async with self._bus.follow(EVENTS, [f"{FACTS}.{NOUN}.>"], recent=timedelta(0)) as facts:
            async for one in facts:
                if not isinstance(one, CaughtUp):
                    self._stir.set()

    async def _tell(self) -> None:
        """Put what was counted on the board, again and again."""
        seconds = self._settings.word_interval.total_seconds()
        board = self._bus.board(BOARD)
        while True:
            await self._clock.sleep(seconds)
            try:
                await self._count()
                now = self._clock.monotonic()
                for word in self._tally.words(self._layout, self._troubles(), now):
                    await board.put(word_key(word), encode_traffic(word), ttl=WORD_TTL)
            except HanseError as err:
                log.info("front.untold", error=str(err))

    async def _count(self) -> None:
        worker, counters = await self._haproxy.counters()
        self._tally.take(worker, counters, self._layout)
