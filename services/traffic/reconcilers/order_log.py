"""What lies in WORK of traffic's own, and what members say of it: a digest and a sequence each.

Of orders that are dispatch's only those are remembered that are in the way of our own: whoever
decides by a policy wins, and we wait until it is over.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from services.traffic.core.orders import ROUTE, Held, held_of, stray_of
from services.traffic.core.renderers.gateway_api import ROUTES_GROUP
from services.traffic.reconcilers.guarding import Guard
from shared.api.multicluster import ABOUT_GROUP, MULTICLUSTER_GROUP
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import STATUS, WORK, Stream
from shared.events import subjects
from shared.events.work import WorkOrder, WorkReport, decode_order, decode_report, is_end
from shared.events.work_facts import WorkStrayed

_KINDS = (
    ("discovery.k8s.io", "endpointslices"),
    (MULTICLUSTER_GROUP, "serviceimports"),
    ("", "services"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    (ABOUT_GROUP, "clusterproperties"),
    *((ROUTES_GROUP, f"{name}routes") for name in ("http", "tcp", "udp")),
)

Place = tuple[str, ObjectKey]
"""A member and an object of it."""


def _filters(prefix: str) -> list[str]:
    encode = subjects.encode_token
    return [f"{prefix}.*.{encode(group)}.{encode(resource)}.>" for group, resource in _KINDS]


class OrderLog:
    """The mirror of traffic's part of WORK and STATUS; `run` keeps it."""

    def __init__(self, bus: Bus, guard: Guard) -> None:
        self._bus = bus
        self._guard = guard
        self._by_owner: dict[str, dict[Place, Held]] = {}
        self._owner: dict[Place, str] = {}
        # Subjects that do not hold an order of ours, where that is known: their last sequence.
        self._other: dict[Place, int] = {}
        self.foreign: set[Place] = set()
        """Where a policy ordered an object of the same name."""
        self.troubles: dict[Place, str] = {}
        """What members say of orders that they did not carry out."""
        self.held: set[Place] = set()
        """Of Services and routes: what members say that they hold."""
        self._listeners: list[Callable[[str], None]] = []
        self._read_streams: set[str] = set()
        self.caught_up = asyncio.Event()

    def of(self, owner: str) -> Mapping[Place, Held]:
        """Every order for the sake of *owner*, tombstones included."""
        return self._by_owner.get(owner) or {}

    def owners(self) -> list[str]:
        return list(self._by_owner)

    def is_anothers(self, place: Place, owner: str) -> bool:
        """Whether what lies there is for the sake of anything but *owner*."""
        return place in self.foreign or self._owner.get(place, owner) != owner

    def last_of(self, key: ObjectKey, cluster: str) -> int:
        """The sequence that the next write must expect; 0 where the subject is empty."""
        return self._last_of((cluster, key))

    def _last_of(self, place: Place) -> int:
        held = self.of(self._owner.get(place, "")).get(place)
        return held.sequence if held is not None else self._other.get(place, 0)

    def on_change(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call *listener* with the owner whenever others wrote, or a member said something."""
        self._listeners.append(listener)
        for owner in self.owners():
            listener(owner)
        return lambda: self._listeners.remove(listener)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(WORK, subjects.WORK, self._take_order))
            group.create_task(self._follow(STATUS, subjects.STATUS, self._take_report))

    def record(self, key: ObjectKey, cluster: str, order: WorkOrder, sequence: int) -> None:
        """Remember a write of our own that was acknowledged."""
        if self.last_of(key, cluster) <= sequence:
            self._put((cluster, key), held_of(order, sequence))

    def end(self, key: ObjectKey, cluster: str, sequence: int) -> None:
        """Nothing of ours lies there any more; the last message is *sequence*."""
        self._drop((cluster, key))
        self.held.discard((cluster, key))
        self._other[cluster, key] = sequence

    async def refresh(self, key: ObjectKey, cluster: str) -> None:
        """Read the subject again: it is not as it was known."""
        place = (cluster, key)
        before = self.of(self._owner.get(place, "")).get(place)
        message = await self._bus.last(WORK, subjects.work(cluster, key))
        if message is None:
            self._other.pop(place, None)
            self._drop(place)
        else:
            self._other[place] = message.sequence
            self._note(place, message)
        if before is not None and before.strayed:
            self._put_stray(place, before)

    def take_stray(self, fact: WorkStrayed) -> None:
        """Take what a member holds of ours without an order as if it had been ordered.

        So it is taken back by whoever takes back orders, if it is not ordered anew.
        """
        found = stray_of(fact)
        if found is not None:
            key, held = found
            self._put_stray((fact.cluster, key), held)
            self._tell(held.owner)

    def _put_stray(self, place: Place, held: Held) -> None:
        if place not in self._owner and place not in self.foreign:
            self._put(place, replace(held, sequence=self._other.get(place, 0)))

    async def _follow(
        self, stream: Stream, prefix: str, take: Callable[[Place, Message], None]
    ) -> None:
        async with self._bus.follow(stream, _filters(prefix)) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    if stream is WORK:
                        self._forget_beside(message)
                    self._read_streams.add(stream.name)
                    if self._read_streams == {WORK.name, STATUS.name}:
                        self.caught_up.set()
                    continue
                with self._guard.taking("orders", message.subject):
                    take(subjects.parse_member_subject(message.subject), message)

    def _take_order(self, place: Place, message: Message) -> None:
        if self._last_of(place) >= message.sequence:
            return
        before = self._owner.get(place)
        waited = place in self.foreign
        self._note(place, message)
        for owner in {before, self._owner.get(place)} - {None}:
            self._tell(str(owner))
        if waited and place not in self.foreign:
            # Whose turn it is now, whoever has an object for it knows.
            for owner in self.owners():
                self._tell(owner)

    def _note(self, place: Place, message: Message) -> None:
        if is_end(message.headers):
            self.foreign.discard(place)
            self._drop(place)
            if place in self._other:
                self._other[place] = message.sequence
            return
        order = decode_order(message.body)
        if not order.is_dispatched:
            self._put(place, held_of(order, message.sequence))
            return
        if place in self._owner or place in self._other or place[1].resource != "services":
            self._drop(place)
            self._other[place] = message.sequence
            self.foreign.add(place)

    def _take_report(self, place: Place, message: Message) -> None:
        report: WorkReport | None = decode_report(message.body) if message.body else None
        if report is None or report.is_dispatched:
            return
        owner = report.template_uid.partition("@")[0]
        if report.applied:
            known = self.troubles.pop(place, None) is not None
            if self._note_held(place, report) or report.is_removed or known:
                self._tell(owner)
        elif self.troubles.get(place) != report.message:
            self.troubles[place] = report.message or report.reason
            self._tell(owner)

    def _note_held(self, place: Place, report: WorkReport) -> bool:
        """Whether it is news that a member holds what something else waits for."""
        if place[1].resource != "services" and not report.template_uid.startswith(ROUTE):
            return False
        before = len(self.held)
        if report.is_removed:
            self.held.discard(place)
        else:
            self.held.add(place)
        return len(self.held) != before

    def _forget_beside(self, caught_up: CaughtUp) -> None:
        if caught_up.shown is None:
            return
        for place, owner in list(self._owner.items()):
            cluster, key = place
            held = self.of(owner)[place]
            gone = subjects.work(cluster, key) not in caught_up.shown
            if gone and held.sequence <= caught_up.sequence:
                self._drop(place)
                self._tell(owner)

    def _put(self, place: Place, held: Held) -> None:
        self._drop(place)
        self._other.pop(place, None)
        self.foreign.discard(place)
        self._owner[place] = held.owner
        self._by_owner.setdefault(held.owner, {})[place] = held

    def _drop(self, place: Place) -> None:
        owner = self._owner.pop(place, None)
        if owner is not None:
            places = self._by_owner[owner]
            del places[place]
            if not places:
                del self._by_owner[owner]

    def _tell(self, owner: str) -> None:
        for listener in tuple(self._listeners):
            listener(owner)
