"""One service at a time: its imports in every member with its namespace, and what is told of it.

Nothing is taken back on the strength of what nobody said: while a member has not spoken since the
log began, what came from it stays (`ExportTable.undecided`).
"""

import asyncio
import math
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.folding import Folded
from services.traffic.core.import_orders import SliceMemory, import_orders
from services.traffic.core.imports import derived_name, service_import
from services.traffic.core.orders import Orders, diff, owner_of
from services.traffic.core.telling import (
    conditions_in,
    export_status,
    hub_export_status,
    import_status,
)
from services.traffic.reconcilers.exports import confirmed_fleet
from services.traffic.reconcilers.hub_objects import HubObjects
from services.traffic.reconcilers.knowledge import Knowledge
from services.traffic.reconcilers.notes import Place as NotePlace
from services.traffic.reconcilers.order_log import Place
from services.traffic.reconcilers.publishing import OrderPublisher
from services.traffic.reconcilers.service_facts import ServiceFacts
from shared.api.multicluster import (
    EXPORT,
    EXPORTS,
    IMPORT,
    IMPORTS,
    export_key,
    import_key,
    service_key,
)
from shared.apimachinery.manifest import ObjectKey, generation_of, metadata_of, part_of
from shared.clock import Clock, format_time
from shared.controller.result import Again, Done, Result
from shared.events.exports import StatusNote
from shared.store.port import ObjectStore

_CONFIRMATION = timedelta(seconds=10)
"""How often members are asked after removals, should their reports have been lost."""
_SPEECH = timedelta(seconds=5)
_SOON_SECONDS = 0.01
_ADDRESS_SECONDS = 5.0


class ServiceReconciler:
    """Keyed by service."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        known: Knowledge,
        publisher: OrderPublisher,
        hub: HubObjects,
        facts: ServiceFacts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._table = known.table
        self._log = known.orders
        self._notes = known.notes
        self._publisher = publisher
        self._hub = hub
        self._facts = facts
        self._clock = clock
        # Until when an address is awaited, by service and member that has the derived Service.
        self._asked: dict[ServiceName, dict[str, float]] = {}
        self._memories: dict[ServiceName, SliceMemory] = {}

    async def reconcile(self, name: ServiceName) -> Result:
        await self._facts.unread(name, self._table.unread.pop(name, {}))
        folded = self._table.fold(name)
        owner = owner_of(name)
        held = dict(self._log.of(owner))
        silent = self._table.undecided()
        if folded.service is None and silent & {one.source for one in held.values()}:
            # Perhaps it is exported still: nobody there has said that it is not.
            return Again(_SPEECH)
        members = self._table.members_with(name.namespace) if folded.service else set()
        # 1. The hub's own import: by it members know of which namespaces they are to tell.
        await self._keep_import(folded)
        # 2. What each member is to hold.
        awaited, look_again = self._awaited(folded, members, held)
        desired = import_orders(
            folded, members, awaited, self._table.fleet, self._memory_of(folded)
        )
        fleet = await confirmed_fleet(self._store, self._table.fleet, {one for one, _ in held})
        plan = diff(desired, held, fleet=fleet, undecided=silent)
        if not plan.is_empty:
            await self._publisher.carry_out(plan, owner)
        # 3. What is told of it.
        await self._tell(
            folded, {one: orders for one, orders in desired.items() if one not in awaited}
        )
        await self._tell_hub_export(folded, members)
        # What was revoked just now nobody can have done; its report wakes us.
        if not plan.revoke and await self._publisher.settle(owner):
            return Done() if look_again is None else Again(look_again)
        return Again(_CONFIRMATION)

    def _memory_of(self, folded: Folded) -> SliceMemory | None:
        if folded.service is None:
            return self._memories.pop(folded.name, None)
        return self._memories.setdefault(folded.name, SliceMemory())

    def _awaited(
        self, folded: Folded, members: Collection[str], held: Collection[Place]
    ) -> tuple[set[str], timedelta | None]:
        """Members that get the import with their address for it: one order instead of two.

        That comes a moment after the derived Service, which it may take a busy member long to come
        to. Returns also when to look again for one that gives none.
        """
        service = folded.service
        if service is None or service.type != "ClusterSetIP":
            self._asked.pop(folded.name, None)
            return set(), None
        key, now = import_key(*folded.name), self._clock.monotonic()
        derived = service_key(*folded.name)
        without = {
            one
            for one in members
            if one not in service.ips_by_cluster
            and (one, key) not in held
            and (one, derived) not in self._log.troubles
        }
        asked = self._asked.setdefault(folded.name, {})
        for one in asked.keys() - without:
            del asked[one]
        for one in without:
            if (one, derived) in self._log.held:
                asked.setdefault(one, now + _ADDRESS_SECONDS)
        found = {one for one in without if asked.get(one, math.inf) > now}
        due = [asked[one] - now for one in found & asked.keys()]
        if not asked:
            del self._asked[folded.name]
        # Never at once: a clock that is a little slow would have it look again and again.
        return found, timedelta(seconds=max(min(due), _SOON_SECONDS)) if due else None

    async def _keep_import(self, folded: Folded) -> None:
        key = import_key(*folded.name)
        stored = self._hub.get(key)
        told = part_of(stored.manifest, "status") if stored is not None else {}
        if folded.service is None:
            await self._hub.remove(key)
        else:
            status = import_status(folded, conditions_in(told), at="", now=self._now())
            await self._hub.put(key, service_import(folded.service), status, stored)
        exporters = [str(one.get("cluster")) for one in told.get("clusters") or ()]
        await self._facts.imports(folded, None if stored is None else exporters)

    async def _tell(self, folded: Folded, members: Mapping[str, Orders]) -> None:
        """Have the exports and imports in members show what became of them."""
        notes = dict(self._export_notes(folded, members))
        exports = [
            (place[0], self._notes.conditions(place), conditions_in(note.status))
            for place, note in notes.items()
        ]
        for cluster in members:
            place = (cluster, import_key(*folded.name))
            before = self._notes.conditions(place)
            status = import_status(folded, before, at=cluster, now=self._now())
            notes[place] = StatusNote(
                api_version=self._table.services_api(cluster),
                kind=IMPORT,
                resource=IMPORTS,
                uid="",
                status=status,
            )
        ended = self._notes.places(folded.name) - notes.keys()
        await asyncio.gather(
            *(self._notes.note(place, note) for place, note in notes.items()),
            *(self._notes.end(place) for place in ended),
        )
        await self._facts.exports(folded, exports)

    def _export_notes(
        self, folded: Folded, importers: Collection[str]
    ) -> Iterable[tuple[NotePlace, StatusNote]]:
        reports = self._table.reports.get(folded.name, {})
        for cluster in folded.validity:
            export = reports[cluster].export
            if export is None:
                continue
            place = (cluster, export_key(*folded.name))
            status = export_status(
                folded,
                cluster,
                self._notes.conditions(place),
                generation=export.generation,
                importers=importers,
                refusals=self._refusals(folded.name, importers),
                now=self._now(),
            )
            yield (
                place,
                StatusNote(
                    api_version=self._table.services_api(cluster),
                    kind=EXPORT,
                    resource=EXPORTS,
                    uid=export.uid,
                    status=status,
                ),
            )

    async def _tell_hub_export(self, folded: Folded, importers: Collection[str]) -> None:
        stored = self._hub.get(export_key(*folded.name))
        if stored is None or metadata_of(stored.manifest).get("deletionTimestamp"):
            return
        before = conditions_in(part_of(stored.manifest, "status"))
        status = hub_export_status(
            folded,
            before,
            generation=generation_of(stored.manifest),
            importers=importers,
            refusals=self._refusals(folded.name, importers),
            now=self._now(),
        )
        await self._hub.set_status(stored, status)
        own = any(
            one.export is not None for one in self._table.reports.get(folded.name, {}).values()
        )
        # Members' own exports tell the same of conflicts.
        told = [("", before, conditions_in(status))] if not own else []
        await self._facts.exports(folded, told)

    def _refusals(self, name: ServiceName, importers: Collection[str]) -> dict[str, str]:
        keys = import_key(*name), ObjectKey("", "services", name.namespace, derived_name(name))
        troubles = self._log.troubles
        places = ((one, key) for key in keys for one in importers)
        return {place[0]: troubles[place] for place in places if place in troubles}

    def _now(self) -> str:
        return format_time(self._clock.now())
