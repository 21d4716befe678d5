"""What a member exports and imports, reported to ENDPOINTS as it changes.

A service is reported once everything that the report rests on was listed, and its report ends only
when it is known that there is nothing to say any more: a view that is not complete reports nothing,
and whatever was reported stands.
"""

import asyncio
import contextlib
from collections.abc import Iterable

import structlog

from services.propagator.apply.exports.interest import Interest
from services.propagator.apply.exports.names import NamesLook
from services.propagator.apply.exports.notes import Find, Shown, StatusNotes
from services.propagator.apply.exports.reach import ReachLook
from services.propagator.apply.exports.round_trips import RoundTrips
from services.propagator.apply.exports.saying import Sayings
from services.propagator.apply.exports.view import Place
from services.propagator.apply.exports.watching import ExportWatches
from services.propagator.core.exported import report_of
from shared.api.multicluster import EXPORTS, export_key
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus
from shared.clock import Clock
from shared.errors import RetryableError
from shared.events.exports import NamespacesReport
from shared.memberapi.port import MemberApi

log = structlog.get_logger("hanse.propagator")

_GATHER_SECONDS = 0.02
_RETRY_FIRST = 0.05
_RETRY_MAX = 2.0
_BATCH = 256
_FAILED_SECONDS = 5.0


class ExportObserver:
    """Of one member; `keep` until cancelled."""

    def __init__(
        self,
        cluster: str,
        api: MemberApi,
        bus: Bus,
        interest: Interest,
        clock: Clock,
        *,
        imported: Find,
        within: bool = False,
    ) -> None:
        """*imported* tells of the imports that the member's worker put there.

        *within*: this process runs in the network of the member.
        """
        self._imported = imported
        self._within = within
        self._cluster = cluster
        self._api = api
        self._bus = bus
        self._interest = interest
        self._sayings = Sayings(cluster, bus, self._on_lost)
        self._dirty: set[Place] = set()
        self._namespaces_dirty = True
        self._exports_dirty = self._all_dirty = True
        self._news = asyncio.Event()
        self._watches: ExportWatches | None = None
        self._notes: StatusNotes | None = None
        self._names = NamesLook(api, self._on_namespaces)
        round_trips = RoundTrips(cluster, bus, clock)
        self._reach = ReachLook(cluster, api, self._on_namespaces, round_trips.take)

    async def keep(self) -> None:
        """Run, again and again: whatever fails here must not stop the works of the member."""
        while True:
            try:
                await self._run()
            except Exception:
                log.exception("exports.failed", cluster=self._cluster)
            await asyncio.sleep(_FAILED_SECONDS)

    async def _run(self) -> None:
        self._exports_dirty = self._namespaces_dirty = self._all_dirty = True
        self._sayings.caught_up.clear()
        self._news.set()
        stop = self._interest.listen(self._on_interest)
        try:
            async with asyncio.TaskGroup() as group:
                self._watches = ExportWatches(
                    self._cluster,
                    self._api,
                    group,
                    changed=self._on_change,
                    exports_changed=self._on_exports,
                    namespaces_changed=self._on_namespaces,
                )
                notes = StatusNotes(self._cluster, self._api, self._bus, self._find)
                self._notes = notes
                group.create_task(self._sayings.follow(), name=f"said-{self._cluster}")
                group.create_task(notes.run(), name=f"notes-{self._cluster}")
                group.create_task(self._watches.run(), name=f"watch-exports-{self._cluster}")
                group.create_task(self._names.run(), name=f"names-{self._cluster}")
                if self._within:
                    group.create_task(self._reach.run(), name=f"reach-{self._cluster}")
                await self._sayings.caught_up.wait()
                await self._report()
        finally:
            stop()

    def look_soon(self) -> None:
        """The member serves other kinds than before."""
        if self._watches is not None:
            self._watches.look_soon()

    def look_at(self, key: ObjectKey) -> None:
        """The member's worker has just put the object there."""
        if self._notes is not None:
            self._notes.look(key)

    def _find(self, key: ObjectKey) -> Shown | None:
        if key.resource != EXPORTS:
            return self._imported(key)
        watches = self._watches
        found = watches.exports.get((key.namespace, key.name)) if watches is not None else None
        return Shown(found.metadata.uid, found.status) if found is not None else None

    def _on_interest(self, place: Place | None) -> None:
        if place is None:
            self._namespaces_dirty = True
        else:
            self._dirty.add(place)
            self._adjust_for(place)
        self._news.set()

    def _on_change(self, place: Place) -> None:
        self._dirty.add(place)
        self._news.set()

    def _on_exports(self, places: Iterable[Place] = ()) -> None:
        """Of some *places*, or all there are."""
        self._exports_dirty = self._exports_dirty or not places
        self._news.set()
        for place in places:
            self._adjust_for(place)
            self.look_at(export_key(*place))

    def _adjust_for(self, place: Place) -> None:
        """Have the watches adjusted, unless one more export is where others are."""
        watches = self._watches
        if watches is None or not (self._is_exported(place) and watches.is_watched(place[0])):
            self._exports_dirty = True

    def _on_namespaces(self) -> None:
        self._namespaces_dirty = True
        self._news.set()

    def _on_lost(self, places: set[Place]) -> None:
        self._dirty |= places
        self._on_namespaces()

    async def _report(self) -> None:
        """Report what changed, at once or with what follows soon; what is not known yet, later."""
        pause, loop = _RETRY_FIRST, asyncio.get_running_loop()
        spoken = 0.0
        while True:
            await self._news.wait()
            await asyncio.sleep(max(spoken + _GATHER_SECONDS - loop.time(), 0.0))
            self._news.clear()
            spoken = loop.time()
            before = len(self._dirty)
            try:
                left = await self._say_all()
            except RetryableError as err:
                log.warning("exports.waiting", cluster=self._cluster, error=str(err))
                left = True
            if not left or len(self._dirty) < before:
                pause = _RETRY_FIRST
            if left and not self._news.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._news.wait()
                pause = min(2 * pause, _RETRY_MAX)
                self._news.set()

    async def _say_all(self) -> bool:
        """Say what can be said now; whether something has to wait."""
        watches = self._watches
        assert watches is not None
        if self._imports:
            watches.watch_imports()
            self._names.begin()
        if self._exports_dirty and watches.exports_known:
            self._exports_dirty = False
            exported = self._exported()
            watches.adjust({namespace for namespace, _ in exported})
            if self._all_dirty:
                # What was exported when the last worker looked may not be any more.
                self._all_dirty = False
                self._dirty |= exported | self._sayings.places
        waiting = not watches.exports_known
        if watches.exports_known:
            known = [place for place in self._dirty if self._is_known(place)]
            waiting = len(known) < len(self._dirty)
            while known:
                batch, known = known[:_BATCH], known[_BATCH:]
                self._dirty.difference_update(batch)
                await self._say_each(batch)
        if self._namespaces_dirty and watches.imports_known:
            self._namespaces_dirty = False
            await self._say_namespaces()
        return waiting or (self._namespaces_dirty and self._imports)

    @property
    def _imports(self) -> bool:
        """Whether anything is imported, or once was: then there may be something left of it."""
        return bool(self._interest.imported) or self._sayings.is_of_namespaces

    def _exported(self) -> set[Place]:
        assert self._watches is not None
        return set(self._watches.exports) | self._interest.exports

    def _is_exported(self, place: Place) -> bool:
        assert self._watches is not None
        return self._watches.exports.get(place) is not None or place in self._interest.exports

    def _is_known(self, place: Place) -> bool:
        """Whether everything that its report rests on was seen."""
        watches = self._watches
        assert watches is not None
        if self._imports and not watches.imports_known:
            return False
        return not self._is_exported(place) or watches.is_known(place[0])

    async def _say_each(self, places: list[Place]) -> None:
        outcomes = await asyncio.gather(
            *(self._say(place) for place in places), return_exceptions=True
        )
        failed: list[BaseException] = []
        for place, outcome in zip(places, outcomes, strict=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, RetryableError):
                # What was said of it stands; the rest of the member is not to wait for it.
                log.error("export.bug", cluster=self._cluster, place=place, exc_info=outcome)
            elif isinstance(outcome, BaseException):
                self._dirty.add(place)
                failed.append(outcome)
        if failed:
            raise failed[0]

    async def _say(self, place: Place) -> None:
        watches = self._watches
        assert watches is not None
        report = report_of(
            watches.exports.get(place),
            watches.services.get(place),
            watches.slices.of(place),
            watches.ips_of(place),
            exported=self._is_exported(place),
            taken=watches.slices.taken,
        )
        await self._sayings.say(place, report)

    async def _say_namespaces(self) -> None:
        """Also those of which the hub imports nothing any more, until nothing is left here.

        An import that somebody deletes at the hub comes back: were its namespace forgotten until
        then, every member would give up what it imports, and the addresses with it.
        """
        watches = self._watches
        assert watches is not None
        there = [
            name
            for name in sorted({*self._interest.imported, *watches.importing})
            if (found := watches.namespaces.get(("", name))) is not None
            and found.metadata.deletion_timestamp is None
        ]
        await self._sayings.say_namespaces(
            NamespacesReport(
                namespaces=tuple(there), names=self._names.found, reach=self._reach.found
            )
        )
