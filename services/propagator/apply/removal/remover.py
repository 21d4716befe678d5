"""Removing an object from the member, or leaving it there as the member's own."""

from typing import Protocol

from services.propagator.apply.looking import look_at
from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.orders.newest import NewestOrders
from services.propagator.apply.orphans import Orphans
from services.propagator.apply.removal.residents import Residents
from services.propagator.apply.reporting.outcomes import Outcomes
from services.propagator.apply.reporting.reports import Reports
from services.propagator.core.adoption import given_back, owner_of
from services.propagator.core.removing import held_up
from shared.apimachinery.manifest import Manifest, metadata_of
from shared.controller.result import Result
from shared.events.work import WorkOrder
from shared.memberapi.port import MemberApi, ResourceType


class Watching(Protocol):
    """The part of `KindWatches` that matters here."""

    def ensure(self, kind: ResourceType) -> None: ...

    def is_synced(self, kind: ResourceType) -> bool: ...


class Remover:
    """Of one member; carries out orders that are tombstones."""

    def __init__(
        self,
        *,
        api: MemberApi,
        watches: Watching,
        newest: NewestOrders,
        residents: Residents,
        reports: Reports,
        outcomes: Outcomes,
        orphans: Orphans,
    ) -> None:
        self._api = api
        self._orphans = orphans
        self._residents = residents
        self._watches = watches
        self._newest = newest
        self._reports = reports
        self._outcomes = outcomes

    async def remove(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        kind = tracked.kind
        assert kind is not None
        live: Manifest | None = None
        if tracked.removing and tracked.seen is None and not tracked.doubted:
            # The watch showed the end of what the member agreed to delete.
            return await self._outcomes.removed(tracked)
        seen = tracked.seen
        if seen is None or tracked.removing or tracked.doubted or not self._watches.is_synced(kind):
            live = await look_at(self._api, tracked)
            seen = tracked.seen
        if seen is None or not seen.ours:
            return await self._outcomes.removed(tracked)
        if tracked.outrun and await self._newest.is_outdated(tracked):
            return await self._outcomes.gave_way(tracked)
        if order.preserve_on_deletion or (seen.adopted and _goes_back(order)):
            await self._give_back(tracked, kind, orphan=order.orphaned is True)
            return await self._outcomes.removed(tracked, preserved=True)
        if tracked.removing != seen.uid or not _is_ending(live):
            if needed := await self._residents.ordered(tracked):
                # It goes once that has gone; nothing ordered goes along with something else.
                self._reports.removing(tracked, f"kept while {needed} is to be there")
                return await self._outcomes.awaiting(tracked)
            if resident := await self._residents.find(tracked):
                # To delete it would delete that too, which nobody ordered.
                await self._give_back(tracked, kind)
                return await self._outcomes.removed(tracked, preserved=True, kept_for=resident)
            await self._delete(tracked, kind, seen.uid, order)
            if tracked.seen is None:
                return await self._outcomes.removed(tracked)
            self._reports.removing(tracked)
        else:
            self._reports.removing(tracked, held_up(live))
        # Done for now, but pending until it is gone: its finalizers may take long.
        return await self._outcomes.underway(tracked)

    async def _give_back(
        self, tracked: TrackedObject, kind: ResourceType, *, orphan: bool = False
    ) -> None:
        """Leave it without our marks and our fields; raises where it changed under our hands."""
        live = await look_at(self._api, tracked)
        if live is not None:
            patch = self._orphans.left(live) if orphan else given_back(live)
            await self._api.merge(
                kind, tracked.key.namespace, tracked.key.name, patch, manager=owner_of(live)
            )

    async def _delete(
        self, tracked: TrackedObject, kind: ResourceType, uid: str, order: WorkOrder
    ) -> None:
        # Before the call: the watch may show the end before the answer comes.
        tracked.removing, agreed = uid, False
        try:
            await self._api.delete(
                kind,
                tracked.key.namespace,
                tracked.key.name,
                uid=uid,
                propagation=order.cascade or "Background",
            )
            agreed = True
        finally:
            if not agreed:
                tracked.removing = ""


def _is_ending(live: Manifest | None) -> bool:
    """Whether the member is about to delete it. One from a backup knows of no such thing."""
    return live is None or bool(metadata_of(live).get("deletionTimestamp"))


def _goes_back(order: WorkOrder) -> bool:
    return order.ownership.adopted_resources_on_deletion == "GiveBack"
