"""What WORK orders of one member now, and how far STATUS says that it came.

Read when a worker starts, and whenever it may have missed something: of what is newer than it
knows, only what the reports do not call done is left to do.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import msgspec

from services.propagator.apply.objects import Objects, TrackedObject, kind_of
from services.propagator.apply.reporting.reports import DELETED
from services.propagator.apply.reporting.status_log import StatusLog
from shared.apimachinery.manifest import GroupResource, ObjectKey
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import STATUS, WORK, Stream
from shared.clock import Clock
from shared.events import subjects
from shared.events.work import FENCED, WorkReport, decode_order, decode_report, is_end
from shared.memberapi.port import ResourceType


class StandingOrders:
    """Of one member."""

    def __init__(
        self, cluster: str, bus: Bus, clock: Clock, objects: Objects, status: StatusLog
    ) -> None:
        self._cluster = cluster
        self._bus = bus
        self._clock = clock
        self._objects = objects
        self._status = status
        self._removed_kinds: dict[GroupResource, ResourceType] = {}

    async def read(self) -> list[TrackedObject]:
        """Take note of every order that is newer than what is known of its object.

        Returns the objects concerned. One that is in hand, or about to be, is left alone.
        """
        found: set[ObjectKey] = set()
        async with self._messages(WORK, subjects.WORK) as messages:
            async for message in messages:
                key = self._take_order(message)
                if key is not None:
                    found.add(key)
        async with self._messages(STATUS, subjects.STATUS) as messages:
            async for message in messages:
                self._take_report(message, found)
        return [tracked for key in found if (tracked := self._objects.get(key)) is not None]

    @asynccontextmanager
    async def _messages(self, stream: Stream, prefix: str) -> AsyncIterator[AsyncIterator[Message]]:
        """The last of each subject that is about the member."""
        subject = f"{prefix}.{subjects.encode_token(self._cluster)}.>"
        async with self._bus.follow(stream, [subject]) as messages:

            async def until_caught_up() -> AsyncIterator[Message]:
                async for message in messages:
                    if isinstance(message, CaughtUp):
                        return
                    yield message

            yield until_caught_up()

    def _take_order(self, message: Message) -> ObjectKey | None:
        try:
            _, key = subjects.parse_member_subject(message.subject)
            known = self._objects.get(key)
            if known is not None and (
                known.sequence >= message.sequence or known.arrived or known.message
            ):
                return None
            if is_end(message.headers):
                self._note_kind(key, message)
                return self._take_end(known)
            order = decode_order(message.body)
        except (ValueError, msgspec.DecodeError):
            # The consumer hands it out too, and sets it aside with the reason.
            return None
        self._objects.track(key).restore(message, order)
        return key

    def _note_kind(self, key: ObjectKey, end: Message) -> None:
        place = key.group_resource
        if place not in self._removed_kinds:
            self._removed_kinds[place] = kind_of(decode_order(end.body))

    @property
    def removed_kinds(self) -> Collection[ResourceType]:
        """Of what was removed lately: it may come back, with a member from a backup."""
        return self._removed_kinds.values()

    def _take_end(self, known: TrackedObject | None) -> ObjectKey | None:
        """Another worker removed it: whoever knows it still reads that when its turn is."""
        if known is None:
            return None
        known.pending = True
        return known.key

    def _take_report(self, message: Message, of: set[ObjectKey]) -> None:
        try:
            _, key = subjects.parse_member_subject(message.subject)
            tracked = self._objects.get(key) if key in of else None
            report = decode_report(message.body) if tracked is not None else None
        except (ValueError, msgspec.DecodeError):
            return
        if tracked is None or report is None:
            return
        tracked.reported = report
        self._status.found(key, message.sequence)
        tracked.stilled = report.reason == FENCED
        if report.generation == tracked.sequence and (report.applied or report.reason == DELETED):
            self._take_outcome(tracked, report)

    def _take_outcome(self, tracked: TrackedObject, report: WorkReport) -> None:
        """The order was carried out, by a predecessor or by whoever is on duty."""
        if tracked.deleted:
            if report.is_removed:
                self._objects.drop(tracked)
            return
        tracked.delegated = report.replicas_owner == "Member"
        # Whether it still does was not watched meanwhile.
        tracked.pending = tracked.suspect = tracked.delegated
        tracked.applied = report.generation
        tracked.baseline = report.fields_digest
        if report.drift is not msgspec.UNSET:
            tracked.resume(report.drift, self._clock.monotonic())
