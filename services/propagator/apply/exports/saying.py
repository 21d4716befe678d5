"""What lies in ENDPOINTS of one member, and saying something else there.

A service and each of its slices have subjects of their own: of a change only the slice that changed
is encoded and sent. Slices are said before their service and ended after it, so that whoever reads
never takes a part for the whole.
"""

import asyncio
from collections.abc import Callable

import msgspec

from services.propagator.apply.exports.view import Place
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import ENDPOINTS, ENDS_KEPT
from shared.events import subjects
from shared.events.exports import NamespacesReport, ServiceReport, SliceReport, encode_export


class Sayings:
    """`follow` keeps what was said, by whomever; nothing is said before `caught_up`.

    *lost* is called with the services of which nobody ended what was said: the stream began anew.
    """

    def __init__(self, cluster: str, bus: Bus, lost: Callable[[set[Place]], None]) -> None:
        self._cluster = cluster
        self._bus = bus
        self._lost = lost
        self._said: dict[str, bytes] = {}
        self._slices: dict[Place, set[str]] = {}
        # Slices as they were said last: what is the same object need not be encoded.
        self._known: dict[str, SliceReport] = {}
        self.caught_up = asyncio.Event()

    @property
    def places(self) -> set[Place]:
        """Services of which something is said."""
        parsed = (subjects.parse_endpoints(subject) for subject in self._said)
        return {one.service for one in parsed if one.service is not None}

    @property
    def is_of_namespaces(self) -> bool:
        """Whether anything was said of namespaces: something was imported then."""
        return subjects.namespaces(self._cluster) in self._said

    async def follow(self) -> None:
        mine = f"{subjects.ENDPOINTS}.{subjects.encode_token(self._cluster)}.>"
        async with self._bus.follow(ENDPOINTS, [mine]) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    if message.shown is not None:
                        self._forget(self._said.keys() - message.shown)
                    self.caught_up.set()
                else:
                    self._note(message.subject, message.body)

    async def say(self, place: Place, report: ServiceReport | None) -> None:
        """Make it the last word on the service; None ends it. Raises as `Bus.publish`."""
        subject = subjects.endpoints(self._cluster, *place)
        if report is None:
            await self._end(subject)
        slices = report.slices if report is not None else ()
        there = {subjects.slice_endpoints(self._cluster, *place, one.name): one for one in slices}
        await asyncio.gather(*(self._say_slice(*one) for one in there.items()))
        gone = self._slices.get(place, set()) - there.keys()
        await asyncio.gather(*(self._end(one) for one in gone))
        if report is not None:
            alone = msgspec.structs.replace(report, slices=())
            await self._publish(subject, encode_export(alone))

    async def say_namespaces(self, report: NamespacesReport) -> None:
        await self._publish(subjects.namespaces(self._cluster), encode_export(report))

    async def _say_slice(self, subject: str, report: SliceReport) -> None:
        if self._known.get(subject) is not report:
            await self._publish(subject, encode_export(report))
            self._known[subject] = report

    async def _publish(self, subject: str, body: bytes) -> None:
        if self._said.get(subject) == body:
            return
        headers = {
            "ce-specversion": "1.0",
            "ce-type": "dev.hanse.service.reported.v1",
            "ce-source": "hanse/propagator",
            "ce-id": f"{subject}/{hash(body):x}",
            "content-type": "application/json",
        }
        await self._bus.publish(Message(subject, body, headers))
        self._note(subject, body)

    async def _end(self, subject: str) -> None:
        if subject in self._said:
            await self._bus.publish(Message(subject, b""), ttl=ENDS_KEPT)
            self._note(subject, b"")

    def _note(self, subject: str, body: bytes) -> None:
        if self._said.get(subject, b"") == body:
            return
        # Perhaps somebody else's word.
        self._known.pop(subject, None)
        reported = subjects.parse_endpoints(subject)
        if body:
            self._said[subject] = body
        else:
            self._said.pop(subject, None)
        if not reported.slice or reported.service is None:
            return
        slices = self._slices.setdefault(reported.service, set())
        (slices.add if body else slices.discard)(subject)
        if not slices:
            del self._slices[reported.service]

    def _forget(self, lost: set[str]) -> None:
        places = set()
        for subject in lost:
            self._note(subject, b"")
            place = subjects.parse_endpoints(subject).service
            if place is not None:
                places.add(place)
        if lost:
            self._lost(places)
