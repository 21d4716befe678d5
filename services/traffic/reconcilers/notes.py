"""The statuses that members' exports and imports are to show, as they lie in ENDPOINTS."""

import asyncio

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.telling import conditions_in
from services.traffic.reconcilers.guarding import Guard
from shared.api.meta import Condition
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import ENDPOINTS, ENDS_KEPT
from shared.errors import MalformedEvent
from shared.events import subjects
from shared.events.exports import StatusNote, decode_note, encode_export

Place = tuple[str, ObjectKey]


class NoteLog:
    """What was noted last; `run` keeps it."""

    def __init__(self, bus: Bus, guard: Guard) -> None:
        self._bus = bus
        self._guard = guard
        self._notes: dict[ServiceName, dict[Place, bytes]] = {}
        self.caught_up = asyncio.Event()

    async def run(self) -> None:
        async with self._bus.follow(ENDPOINTS, [f"{subjects.EXPORTS}.>"]) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    self._forget_beside(message)
                    self.caught_up.set()
                    continue
                with self._guard.taking("notes", message.subject):
                    self._put(subjects.parse_member_subject(message.subject), message.body)

    def places(self, name: ServiceName) -> set[Place]:
        return set(self._notes.get(name, ()))

    def conditions(self, place: Place) -> tuple[Condition, ...]:
        """Those that were noted last."""
        body = self._notes.get(_name(place), {}).get(place)
        if body is None:
            return ()
        try:
            return conditions_in(decode_note(body).status)
        except MalformedEvent:
            return ()

    async def note(self, place: Place, note: StatusNote) -> None:
        """Have the member show it, unless it was told so already."""
        body = encode_export(note)
        if self._notes.get(_name(place), {}).get(place) == body:
            return
        headers = {
            "ce-specversion": "1.0",
            "ce-type": "dev.hanse.status.noted.v1",
            "ce-source": "hanse/traffic",
            "ce-id": f"{place[0]}/{place[1]}",
            "content-type": "application/json",
        }
        await self._bus.publish(Message(subjects.export(*place), body, headers))
        self._put(place, body)

    async def end(self, place: Place) -> None:
        await self._bus.publish(Message(subjects.export(*place), b""), ttl=ENDS_KEPT)
        self._put(place, b"")

    def _put(self, place: Place, body: bytes) -> None:
        name = _name(place)
        if body:
            self._notes.setdefault(name, {})[place] = body
            return
        notes = self._notes.get(name, {})
        notes.pop(place, None)
        if not notes:
            self._notes.pop(name, None)

    def _forget_beside(self, caught_up: CaughtUp) -> None:
        if caught_up.shown is None:
            return
        for notes in list(self._notes.values()):
            for place in list(notes):
                if subjects.export(*place) not in caught_up.shown:
                    self._put(place, b"")


def _name(place: Place) -> ServiceName:
    return ServiceName(place[1].namespace, place[1].name)
