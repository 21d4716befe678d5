"""Events as a store: those that clients write, and those that Hanse's own facts amount to.

What a client writes lies in OBJECTS as everything else. What Hanse tells is made of the facts of
the last hour on EVENTS, which are followed while somebody looks and a while longer: nothing is
written twice, nothing has to be cleaned up, and nobody pays for what nobody reads. Those Events
cannot be written or deleted; they end an hour after what they tell of.

Revisions are this process's own, as those of works are: a client of another is told to list again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

import structlog

from services.gateway.attention import IDLE_SECONDS
from services.gateway.core.event_objects import KEPT, Told, event_key, event_manifest
from services.gateway.core.tellings import Fact, completed, read_fact, tellings_of
from services.gateway.view import Made, View
from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey
from shared.apiserver.status_errors import method_not_allowed
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import EVENTS
from shared.clock import Clock, parse_time
from shared.errors import AlreadyExists, StaleRevision
from shared.events import subjects
from shared.store.port import (
    Change,
    ChangeType,
    Listing,
    ObjectStore,
    Revision,
    Scope,
    Stored,
    StoreLimits,
)

log = structlog.get_logger("hanse.gateway")

RESOURCE = GroupResource("", "events")
TOLD_MAX = 20_000
"""Events made of facts that are kept; beyond that the oldest end early."""

_LOOK_SECONDS = 30.0
_OF_A_FACT = "this Event says what Hanse did, and ends an hour after it"
_FILTERS = (f"{subjects.EVENTS}.>",)


class _Shown(Made):
    """An Event, made by *make*."""

    __slots__ = ("_make",)

    def __init__(self, key: ObjectKey, revision: Revision, make: Callable[[], Manifest]) -> None:
        super().__init__(key, revision)
        self._make = make

    def _made(self) -> Manifest:
        return self._make()


class EventView(View):
    """Implements `ObjectStore` for Events; whoever reads it waits until it is complete."""

    def __init__(
        self,
        main: ObjectStore,
        bus: Bus,
        clock: Clock,
        limits: StoreLimits | None = None,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        super().__init__(clock, "events", limits, idle_seconds)
        self._main = main
        self._bus = bus
        self._clock = clock
        # Of what clients wrote: its revision in OBJECTS.
        self._written: dict[ObjectKey, Revision] = {}
        # What facts amount to, the one told last at the end.
        self._told: OrderedDict[ObjectKey, Told] = OrderedDict()
        self._following = False
        self._sequence = 0
        for stored in main.mirror.items(Scope.of(RESOURCE)):
            self._show_written(stored)
        # The mirror is as old as this view becomes: nobody need be told when to stop.
        main.mirror.on_change(self._on_change)

    # What clients write.

    def _on_change(self, change: Change) -> None:
        key = change.stored.key
        if key.group_resource != RESOURCE:
            return
        if change.type is not ChangeType.DELETED:
            self._show_written(change.stored)
        elif self._written.pop(key, None) is not None:
            last = change.stored
            self._mirror.remove(_Shown(key, self._next(), lambda: last.manifest))

    def _show_written(self, stored: Stored) -> None:
        self._written[stored.key] = stored.revision
        self._mirror.put(_Shown(stored.key, self._next(), lambda: stored.manifest))

    def _next(self) -> Revision:
        return Revision(self._mirror.revision + 1)

    # What facts amount to.

    @property
    def following(self) -> bool:
        """Whether facts are followed now."""
        return self._following

    async def run(self) -> None:
        """Follow the facts while somebody looks, until cancelled."""
        while True:
            await self._attention.wanted()
            async with asyncio.TaskGroup() as group:
                following = group.create_task(self._follow(), name="follow-facts")
                forgetting = group.create_task(self._forget_old(), name="forget-facts")
                await self._attention.until_idle()
                following.cancel()
                forgetting.cancel()
            self._forget()

    def _forget(self) -> None:
        self._following = False
        self._told.clear()
        self._sequence = 0
        left = [one for one in self._mirror.items() if one.key in self._written]
        self._mirror.replace(left, self._mirror.revision + 1)

    async def _follow(self) -> None:
        async with self._bus.follow(EVENTS, _FILTERS, recent=KEPT) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    self._following = True
                    self._attention.satisfy()
                elif message.sequence > self._sequence:
                    self._sequence = message.sequence
                    self._take(message)

    def _take(self, message: Message) -> None:
        fact = read_fact(message.body)
        if fact is None:
            return
        at = self._time_of(fact)
        if at <= self._clock.now() - KEPT:
            return
        for telling in tellings_of(fact):
            key = telling.about.key
            found = self._main.mirror.get(key) if key is not None else None
            about = completed(telling.about, found.manifest if found is not None else None)
            if about is not None:
                self._tell(Told.of(telling._replace(about=about), at))

    def _tell(self, new: Told) -> None:
        key = event_key(new.telling)
        if key in self._written:
            # A client's own, of that very name.
            return
        known = self._told.get(key)
        told = known.again(new.telling.cluster, new.last) if known is not None else new
        self._told[key] = told
        self._told.move_to_end(key)
        self._mirror.put(_Shown(key, self._next(), lambda: event_manifest(key, told)))
        while len(self._told) > TOLD_MAX:
            self._end(next(iter(self._told)))

    def _end(self, key: ObjectKey) -> None:
        told = self._told.pop(key)
        self._mirror.remove(_Shown(key, self._next(), lambda: event_manifest(key, told)))

    async def _forget_old(self) -> None:
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            bound = self._clock.now() - KEPT
            for key in [key for key, told in self._told.items() if told.last <= bound]:
                self._end(key)

    def _time_of(self, fact: Fact) -> datetime:
        now = self._clock.now()
        try:
            return min(parse_time(fact.occurred_at), now)
        except ValueError:
            return now

    # The store.

    async def get(self, key: ObjectKey, *, not_older_than: Revision | None = None) -> Stored | None:
        found = await self._main.get(key)
        if found is not None:
            return await self._seen(found)
        if key in self._written:
            # It was deleted, and the mirror is about to learn it.
            return None
        await self._attention.look()
        self._require(not_older_than)
        return self._mirror.get(key)

    async def list(self, scope: Scope, *, not_older_than: Revision | None = None) -> Listing:
        # What clients wrote is here once the mirror of OBJECTS has it.
        await self._main.list(scope)
        return await super().list(scope, not_older_than=not_older_than)

    async def create(self, key: ObjectKey, manifest: Manifest) -> Stored:
        if key in self._told:
            raise AlreadyExists(f"{key} exists")
        return await self._seen(await self._main.create(key, manifest))

    async def update(self, key: ObjectKey, manifest: Manifest, *, expected: Revision) -> Stored:
        revision = self._in_objects(key, expected)
        return await self._seen(await self._main.update(key, manifest, expected=revision))

    async def delete(self, key: ObjectKey, last: Manifest, *, expected: Revision) -> Stored:
        return await self._main.delete(key, last, expected=self._in_objects(key, expected))

    def _in_objects(self, key: ObjectKey, shown: Revision) -> Revision:
        """Return the revision in OBJECTS of what was shown at *shown*."""
        if key in self._told:
            raise method_not_allowed(_OF_A_FACT)
        found = self._mirror.get(key)
        if found is None or found.revision != shown or key not in self._written:
            raise StaleRevision(f"{key} holds no object at revision {shown}")
        return self._written[key]

    async def _seen(self, stored: Stored) -> Stored:
        """Return what clients are shown of *stored*, as of this moment or later."""
        await self._main.get(stored.key, not_older_than=stored.revision)
        shown = self._mirror.get(stored.key)
        return shown if shown is not None else stored
