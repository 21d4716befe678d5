"""`works` and `clusterworks` as a read-only store, made by following WORK and STATUS.

What a member must hold is read from WORK when one work is asked for by name; lists and watches
leave it out, so that the view costs little whatever it shows. Both streams are followed only while
somebody looks, and a while longer: they carry several messages for each object that is propagated.
Revisions are this process's own: they begin at the time it started, so a client of an earlier
process is told to list again.
"""

import asyncio
from dataclasses import dataclass

import msgspec
import structlog

from services.gateway.attention import IDLE_SECONDS
from services.gateway.core.works import with_manifest, work_key, work_manifest
from services.gateway.view import Made, View
from shared.apimachinery.manifest import Head, Manifest, ObjectKey
from shared.apiserver.status_errors import ApiFault, method_not_allowed
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import STATUS, WORK, Stream
from shared.clock import Clock
from shared.events import subjects
from shared.events.work import WorkOrder, WorkReport, decode_order, decode_report, is_end
from shared.store.port import Revision, Stored, StoreLimits

log = structlog.get_logger("hanse.gateway")

_Place = tuple[str, ObjectKey]


@dataclass(frozen=True, slots=True)
class _Held:
    """The last order for one object in one member, without its manifest, and its sequence."""

    order: WorkOrder
    sequence: int


class _ShownWork(Made):
    """A work, made of the last order and report."""

    __slots__ = ("_cluster", "_held", "_report")

    def __init__(
        self,
        key: ObjectKey,
        revision: Revision,
        cluster: str,
        held: _Held,
        report: WorkReport | None,
    ) -> None:
        super().__init__(key, revision)
        self._cluster = cluster
        self._held = held
        self._report = report

    def _made(self) -> Manifest:
        order, sequence = self._held.order, self._held.sequence
        return work_manifest(self.key, self._cluster, order, sequence, self._report)

    def head(self) -> Head:
        """Without the uid, which a work never changes: nobody owns one, and it ends at once."""
        return Head(generation=self._held.sequence)


class WorkView(View):
    """Implements `ObjectStore`; whoever reads it waits until it is complete."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        limits: StoreLimits | None = None,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        super().__init__(clock, "works", limits, idle_seconds)
        self._bus = bus
        self._held: dict[_Place, _Held] = {}
        self._reports: dict[_Place, WorkReport] = {}
        self._places: dict[ObjectKey, _Place] = {}
        self._following: set[str] = set()

    @property
    def following(self) -> bool:
        """Whether it is being kept now."""
        return bool(self._following)

    async def run(self) -> None:
        """Follow both streams while somebody looks, until cancelled."""
        while True:
            await self._attention.wanted()
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._follow(WORK, subjects.WORK), name="follow-work"),
                    group.create_task(self._follow(STATUS, subjects.STATUS), name="follow-status"),
                ]
                await self._attention.until_idle()
                for task in tasks:
                    task.cancel()
            self._forget()

    def _forget(self) -> None:
        for known in (self._held, self._reports, self._places, self._following):
            known.clear()
        self._mirror.replace((), self._mirror.revision + 1)

    async def _follow(self, stream: Stream, prefix: str) -> None:
        async with self._bus.follow(stream, [f"{prefix}.>"]) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    self._forget_beside(stream, message)
                    self._following.add(stream.name)
                    if self._following == {WORK.name, STATUS.name}:
                        self._attention.satisfy()
                    continue
                try:
                    place = subjects.parse_member_subject(message.subject)
                    if stream is WORK:
                        self._take_order(place, message)
                    else:
                        self._take_report(place, message)
                except (ValueError, msgspec.DecodeError) as err:
                    log.warning("work.unreadable", subject=message.subject, error=str(err))

    def _take_order(self, place: _Place, message: Message) -> None:
        if is_end(message.headers):
            self._remove(place)
            return
        order = decode_order(message.body)
        if not order.is_tombstone:
            # Read again when asked for.
            order = msgspec.structs.replace(order, manifest=msgspec.Raw(b"{}"))
        self._held[place] = _Held(order, message.sequence)
        self._show(place)

    def _take_report(self, place: _Place, message: Message) -> None:
        if not message.body:
            self._reports.pop(place, None)
            return
        report = decode_report(message.body)
        if place in self._held:
            self._reports[place] = report
            self._show(place)
        elif report.present:
            # Its order may still come; of what is gone nothing is kept.
            self._reports[place] = report

    def _remove(self, place: _Place) -> None:
        held = self._held.pop(place, None)
        self._reports.pop(place, None)
        if held is None:
            return
        key = work_key(*place, held.order.kind)
        self._places.pop(key, None)
        shown = self._mirror.get(key)
        if shown is not None:
            revision = Revision(self._mirror.revision + 1)
            self._mirror.remove(Stored(key, revision, shown.manifest))

    def _forget_beside(self, stream: Stream, caught_up: CaughtUp) -> None:
        """Remove what ended while nobody listened, and whose end expired meanwhile."""
        if caught_up.shown is None:
            return
        if stream is WORK:
            for place in list(self._held):
                if subjects.work(*place) not in caught_up.shown:
                    self._remove(place)
        else:
            for place in list(self._reports):
                if subjects.status(*place) not in caught_up.shown:
                    del self._reports[place]

    def _show(self, place: _Place) -> None:
        held, report = self._held[place], self._reports.get(place)
        cluster, template = place
        key = work_key(cluster, template, held.order.kind)
        revision = Revision(self._mirror.revision + 1)
        stored = _ShownWork(key, revision, cluster, held, report)
        self._places[key] = place
        self._mirror.put(stored)

    # The store.

    async def get(self, key: ObjectKey, *, not_older_than: Revision | None = None) -> Stored | None:
        """Return the work with its manifest."""
        await self._attention.look()
        self._require(not_older_than)
        stored, place = self._mirror.get(key), self._places.get(key)
        if stored is None or place is None:
            return None
        message = await self._bus.last(WORK, subjects.work(*place))
        if message is None:
            return stored
        return Stored(key, stored.revision, with_manifest(stored.manifest, _order(message)))

    async def create(self, key: ObjectKey, manifest: Manifest) -> Stored:
        raise _refusal(key, manifest)

    async def update(self, key: ObjectKey, manifest: Manifest, *, expected: Revision) -> Stored:
        raise _refusal(key, manifest, expected)

    async def delete(self, key: ObjectKey, last: Manifest, *, expected: Revision) -> Stored:
        raise _refusal(key, last, expected)


def _order(message: Message) -> WorkOrder:
    return decode_order(message.body)


def _refusal(*_given: object) -> ApiFault:
    return method_not_allowed()
