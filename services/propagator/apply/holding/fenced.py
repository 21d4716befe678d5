"""Having the member hold what must not run in two places: only while it may, and else at rest.

At rest it is there without a replica. A share that is leaving is ordered so, and the member says
that it has stopped when its pods have had their time to end. What may not run for now is kept so
whatever its order says, and runs again as it is ordered.
"""

from datetime import timedelta

import msgspec

from services.propagator.apply.fence import Fence
from services.propagator.apply.holding.holder import Holder
from services.propagator.apply.looking import look_at
from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reporting.outcomes import Outcomes
from services.propagator.apply.reporting.reports import Reports
from services.propagator.core.drift import value_at
from services.propagator.core.fence import Standing, by_any_clock
from services.propagator.core.fencing import grace_seconds, stopped
from services.propagator.core.observed import read_live
from services.propagator.core.ownership import REPLICAS
from shared.apimachinery.manifest import Manifest, decode, encode
from shared.clock import Clock
from shared.controller.result import Again, Result
from shared.events.work import WorkOrder
from shared.memberapi.port import MemberApi

_PAUSE = timedelta(seconds=1)
_SOON = timedelta(milliseconds=10)


class FencedHolder:
    """Of one member; carries out orders for what is fenced."""

    def __init__(
        self,
        *,
        api: MemberApi,
        holder: Holder,
        fence: Fence | None,
        clock: Clock,
        reports: Reports,
        outcomes: Outcomes,
    ) -> None:
        """*fence*: that of the member, where the worker runs beside it."""
        self._api = api
        self._holder = holder
        self._fence = fence
        self._clock = clock
        self._reports = reports
        self._outcomes = outcomes

    async def hold(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        manifest = decode(bytes(order.manifest))
        standing = self._judge(order, manifest)
        if standing is Standing.WAIT:
            return self._outcomes.postponed(tracked, _PAUSE)
        if standing is Standing.STOP:
            return await self._stop(tracked, order, manifest)
        if _is_leaving(order, manifest):
            return await self._lay_to_rest(tracked, order, manifest)
        if tracked.stilled or (tracked.fence_moved and await self._is_at_rest(tracked)):
            return await self._resume(tracked, order)
        tracked.fence_moved = tracked.rested = False
        return await self._holder.hold(tracked, order)

    def _judge(self, order: WorkOrder, manifest: Manifest) -> Standing:
        assert order.fence is not msgspec.UNSET, "of what is fenced"
        if self._fence is None:
            return Standing.RUN
        return self._fence.judge(order.fence, manifest)

    async def _stop(self, tracked: TrackedObject, order: WorkOrder, manifest: Manifest) -> Result:
        tracked.stilled, tracked.fence_moved, tracked.drift = True, False, ""
        live = await self._holder.put(tracked, order, encode(stopped(manifest)), stopping=True)
        self._reports.stopped(tracked, live)
        return await self._outcomes.obeyed(tracked)

    async def _resume(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        """Have it run again, with as many replicas as were decided."""
        tracked.stilled = tracked.rested = tracked.fence_moved = False
        tracked.drift = ""
        try:
            await self._holder.put(tracked, order, bytes(order.manifest))
        except BaseException:
            tracked.stilled = True
            raise
        # Whoever scales it goes on from there.
        tracked.suspect = tracked.suspect or tracked.delegated
        return await self._outcomes.obeyed(tracked)

    async def _lay_to_rest(
        self, tracked: TrackedObject, order: WorkOrder, manifest: Manifest
    ) -> Result:
        sequence, until = tracked.rest
        moved = tracked.drifted or tracked.doubted or tracked.outrun or tracked.fence_moved
        if sequence != tracked.sequence or tracked.applied != tracked.sequence or moved:
            tracked.stilled = tracked.fence_moved = tracked.rested = False
            tracked.drift = ""
            await self._holder.put(tracked, order, encode(stopped(manifest)))
            until = self._clock.monotonic() + by_any_clock(grace_seconds(manifest))
            tracked.rest = (tracked.sequence, until)
        left = until - self._clock.monotonic()
        if left > 0:
            await self._outcomes.underway(tracked)
            return Again(max(timedelta(seconds=left), _SOON))
        if not tracked.rested:
            live = await look_at(self._api, tracked)
            if live is None or value_at(live, REPLICAS) != 0:
                tracked.fence_moved = True
                return Again(timedelta(0))
            tracked.rested = True
            self._reports.seen(tracked, read_live(encode(live)))
        return await self._outcomes.obeyed(tracked)

    async def _is_at_rest(self, tracked: TrackedObject) -> bool:
        live = await look_at(self._api, tracked)
        if live is None:
            return False
        if value_at(live, REPLICAS) == 0:
            return True
        if tracked.applied == tracked.sequence and not tracked.drifted:
            # Nothing is left to do, and an earlier look may have been refused, and told of.
            self._reports.seen(tracked, read_live(encode(live)))
        return False


def _is_leaving(order: WorkOrder, manifest: Manifest) -> bool:
    """Whether the order asks for a word that it has stopped (`marching_orders`)."""
    replicas = (manifest.get("spec") or {}).get("replicas")
    return bool(order.since) and order.fence == 0 and replicas == 0
