"""What members hold of traffic's that is ordered no more, as they tell when they come back.

A member that leaves while it is away keeps what it was given. What goes meanwhile is taken back
from nobody, and its endpoints would lead clients nowhere for as long as nobody notices.
"""

import asyncio
from datetime import timedelta

from services.traffic.reconcilers.guarding import Guard
from services.traffic.reconcilers.order_log import OrderLog
from shared.bus.port import Bus, Message
from shared.bus.topology import EVENTS
from shared.events.subjects import EVENTS as FACTS
from shared.events.work_facts import decode_strayed

_HEARD = timedelta(hours=1)
"""How far back it listens when it begins: what was told before was dealt with, or is told again
when the worker of the member begins anew."""
_PATIENCE_SECONDS = 5.0
"""Who joins again says what it exports a moment after what it holds: until then its own imports
look as if nobody needed them, and one that is made anew has another address."""


class StrayFollower:
    """Has the log of orders know of them."""

    def __init__(self, bus: Bus, orders: OrderLog, guard: Guard) -> None:
        self._bus = bus
        self._orders = orders
        self._guard = guard

    async def run(self) -> None:
        """Until cancelled. Only who knows what is ordered can tell that something is not."""
        await self._orders.caught_up.wait()
        strays = [f"{FACTS}.work.strayed.>"]
        async with (
            self._bus.follow(EVENTS, strays, recent=_HEARD) as facts,
            asyncio.TaskGroup() as tasks,
        ):
            async for one in facts:
                if isinstance(one, Message):
                    tasks.create_task(self._take(one))

    async def _take(self, message: Message) -> None:
        await asyncio.sleep(_PATIENCE_SECONDS)
        with self._guard.taking("strays", message.subject):
            self._orders.take_stray(decode_strayed(message.body))
