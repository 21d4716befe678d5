"""Writing STATUS by compare-and-set, so that no worker that is late overwrites what is newer.

What lies there is known from the start and from the answers to our own writes, so that nothing is
asked unless somebody else wrote.
"""

from collections.abc import Callable

import msgspec

from services.propagator.core.overtaking import Verdict, judge
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, Message
from shared.bus.topology import STATUS, WORK
from shared.errors import StaleRevision
from shared.events import subjects
from shared.events.work import WorkReport, decode_report, encode_report
from shared.telemetry.propagation import TRACEPARENT

_ATTEMPTS_MAX = 3

Overtaken = Callable[[ObjectKey, WorkReport, bool], None]
"""Told that another worker's report stands; and whether the member must be asked who is right."""


class StatusLog:
    """Of one member. Of one object, one report is written at a time."""

    def __init__(self, cluster: str, bus: Bus) -> None:
        self._cluster = cluster
        self._bus = bus
        # The last report's sequence, by object; none is 0.
        self._last: dict[ObjectKey, int] = {}
        self.overtaken: Overtaken = lambda _key, _theirs, _open: None

    def found(self, key: ObjectKey, sequence: int) -> None:
        """A report lies at *sequence*."""
        self._last[key] = max(sequence, self._last.get(key, 0))

    async def write(self, key: ObjectKey, report: WorkReport, trace: str | None) -> None:
        """Put *report* there, unless what lies there is newer; raises as `Publisher.publish`."""
        message = self._message(key, report, trace)
        for _ in range(_ATTEMPTS_MAX):
            try:
                sequence = await self._bus.publish(message, expected=self._last.get(key, 0))
            except StaleRevision:
                if not await self._give_way(key, report):
                    continue
            else:
                self._wrote(key, report, sequence)
            return
        raise StaleRevision(f"others keep reporting on {key}")

    def _wrote(self, key: ObjectKey, report: WorkReport, sequence: int) -> None:
        if report.is_removed:
            # Dispatch forgets it now, and us with it.
            self._last.pop(key, None)
        else:
            self._last[key] = sequence

    async def _give_way(self, key: ObjectKey, ours: WorkReport) -> bool:
        """Whether what lies there, which is not what was expected, is to stay."""
        message = await self._bus.last(STATUS, subjects.status(self._cluster, key))
        if message is None:
            # Dispatch forgot what it was told, and perhaps the object.
            self._last.pop(key, None)
            return not await self._is_current(key, ours.generation)
        self._last[key] = message.sequence
        try:
            theirs = decode_report(message.body)
        except msgspec.DecodeError:
            # Of a newer version, or spoiled: it says nothing to anybody here.
            return False
        verdict = judge(ours, theirs)
        if theirs.generation > ours.generation and await self._is_current(key, ours.generation):
            # WORK began anew, and counts from one again.
            verdict = Verdict.OURS
        if verdict is Verdict.OURS:
            return False
        self.overtaken(key, theirs, verdict is Verdict.OPEN)
        return True

    async def _is_current(self, key: ObjectKey, generation: int) -> bool:
        order = await self._bus.last(WORK, subjects.work(self._cluster, key))
        return order is not None and order.sequence == generation

    def _message(self, key: ObjectKey, report: WorkReport, trace: str | None) -> Message:
        headers = {
            "ce-specversion": "1.0",
            "ce-type": "dev.hanse.work.reported.v1",
            "ce-source": "hanse/propagator",
            "ce-id": f"{self._cluster}-{report.generation}-{report.resource_version}",
            "content-type": "application/json",
        }
        if trace is not None:
            headers[TRACEPARENT] = trace
        return Message(subjects.status(self._cluster, key), encode_report(report), headers)
