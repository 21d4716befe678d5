"""Writing STATUS by compare-and-set, so that no worker that is late overwrites what is newer.

What lies there is known from the start and from the answers to our own writes, so that nothing is
asked unless somebody else wrote.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from services.propagator.core.overtaking import Verdict, judge, says_the_same
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, Message
from shared.bus.topology import ENDS_KEPT, STATUS, WORK
from shared.errors import StaleRevision
from shared.events import subjects
from shared.events.work import WorkReport, decode_report, encode_report
from shared.telemetry.propagation import TRACEPARENT

_ATTEMPTS_MAX = 3

Overtaken = Callable[[ObjectKey, WorkReport, WorkReport, bool], None]
"""Told that instead of the first report the second stands, another worker's mostly; and whether the
member must be asked who is right."""


class StatusLog:
    """Of one member. Of one object, one report is written at a time."""

    def __init__(self, cluster: str, bus: Bus) -> None:
        self._cluster = cluster
        self._bus = bus
        # The last report's sequence, by object; none is 0.
        self._last: dict[ObjectKey, int] = {}
        # Reports of removals, which expire: when, of what, and the sequence of each.
        self._over: deque[tuple[float, ObjectKey, int]] = deque()
        self._speaks = False
        self.overtaken: Overtaken = lambda _key, _ours, _theirs, _open: None

    def found(self, key: ObjectKey, sequence: int) -> None:
        """A report lies at *sequence*: of use until something is written.

        Then a report of ours may be waiting, and is to be compared with what lies there first.
        """
        if not self._speaks:
            self._last[key] = sequence

    async def write(self, key: ObjectKey, report: WorkReport, trace: str | None) -> None:
        """Put *report* there, unless what lies there is newer; raises as `Publisher.publish`."""
        self._speaks = True
        message = self._message(key, report, trace)
        for _ in range(_ATTEMPTS_MAX):
            try:
                sequence = await self._bus.publish(
                    message,
                    expected=self._last.get(key, 0),
                    # Of what was removed nobody need be told for ever.
                    ttl=ENDS_KEPT if report.is_removed else None,
                )
            except StaleRevision:
                if not await self._give_way(key, report):
                    continue
            else:
                self._wrote(key, report, sequence)
            return
        raise StaleRevision(f"others keep reporting on {key}")

    def _wrote(self, key: ObjectKey, report: WorkReport, sequence: int) -> None:
        self._last[key] = sequence
        now = asyncio.get_running_loop().time()
        if report.is_removed:
            self._over.append((now + ENDS_KEPT.total_seconds(), key, sequence))
        while self._over and self._over[0][0] < now:
            _, gone, last = self._over.popleft()
            if self._last.get(gone) == last:
                del self._last[gone]

    async def _give_way(self, key: ObjectKey, ours: WorkReport) -> bool:
        """Whether what lies there, which is not what was expected, is to stay."""
        message = await self._bus.last(STATUS, subjects.status(self._cluster, key))
        verdict = await self._judge(key, ours, message)
        if verdict is not Verdict.THEIRS:
            # Else it is judged again when we come with more.
            self._last[key] = message.sequence if message is not None else 0
        return verdict is not Verdict.OURS

    async def _judge(self, key: ObjectKey, ours: WorkReport, message: Message | None) -> Verdict:
        if message is None or not message.body:
            # It is over, perhaps for the object too.
            current = await self._is_current(key, ours.generation)
            return Verdict.OURS if current else Verdict.THEIRS
        try:
            theirs = decode_report(message.body)
        except msgspec.DecodeError:
            # Of a newer version, or spoiled: it says nothing to anybody here.
            return Verdict.OURS
        if says_the_same(ours, theirs):
            # Ours, perhaps, of which no answer came.
            self._last[key] = message.sequence
        verdict = judge(ours, theirs)
        if theirs.generation > ours.generation and await self._is_current(key, ours.generation):
            # WORK began anew, and counts from one again.
            verdict = Verdict.OURS
        if verdict is not Verdict.OURS:
            self.overtaken(key, ours, theirs, verdict is Verdict.OPEN)
        return verdict

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
