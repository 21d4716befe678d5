"""Removals as members tell of them: facts, by which dispatch need not ask again and again.

A fact says what the report in STATUS says, of the same order. One that is lost costs the time until
dispatch asks there.
"""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import structlog

from services.propagator.dispatch.work_log import WorkLog
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, CaughtUp
from shared.bus.topology import EVENTS
from shared.events import subjects
from shared.events.work_facts import WorkRemoved

log = structlog.get_logger("hanse.propagator")

FILTER = f"{subjects.EVENTS}.work.removed.>"
RECENT = timedelta(seconds=10)

_decode = msgspec.json.Decoder(WorkRemoved).decode


class Confirmations:
    """Told to the log; *wake* is called once all removals of an object are confirmed."""

    def __init__(self, bus: Bus, work_log: WorkLog, wake: Callable[[ObjectKey], None]) -> None:
        self._bus = bus
        self._log = work_log
        self._wake = wake

    async def run(self) -> None:
        """Follow the facts until cancelled."""
        async with self._bus.follow(EVENTS, [FILTER], recent=RECENT) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    continue
                try:
                    fact = _decode(message.body)
                except msgspec.DecodeError as err:
                    log.warning("fact.unreadable", subject=message.subject, error=str(err))
                    continue
                group = fact.api_version.rpartition("/")[0]
                key = ObjectKey(group, fact.resource, fact.namespace, fact.name)
                if self._log.confirm(key, fact.cluster, fact.generation):
                    self._wake(key)
