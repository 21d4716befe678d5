"""One object of one member: carry out its newest order, or put right what drifted."""

from datetime import timedelta

from opentelemetry import trace

from services.propagator.apply.gate import MemberGate
from services.propagator.apply.holding.fenced import FencedHolder
from services.propagator.apply.holding.holder import Holder
from services.propagator.apply.objects import Objects, TrackedObject
from services.propagator.apply.orders.newest import NewestOrders
from services.propagator.apply.removal.remover import Remover, Watching
from services.propagator.apply.reporting.outcomes import Outcomes, Settled
from shared.apimachinery.manifest import ObjectKey
from shared.controller.result import Again, Done, Result
from shared.errors import MemberRefused, MemberThrottled, MemberUnreachable
from shared.events.work import WorkOrder
from shared.telemetry.propagation import TRACEPARENT, extract

_tracer = trace.get_tracer("hanse.propagator")


class ObjectReconciler:
    """Keyed by the object's key; the loop never runs two of the same key at once."""

    def __init__(
        self,
        *,
        objects: Objects,
        gate: MemberGate,
        newest: NewestOrders,
        watches: Watching,
        holder: Holder,
        fenced: FencedHolder,
        remover: Remover,
        outcomes: Outcomes,
        settled: Settled,
    ) -> None:
        self._objects = objects
        self._gate = gate
        self._newest = newest
        self._watches = watches
        self._holder = holder
        self._fenced = fenced
        self._remover = remover
        self._outcomes = outcomes
        self._settled = settled

    async def reconcile(self, key: ObjectKey) -> Result:
        tracked = self._objects.get(key)
        if tracked is not None:
            await tracked.take_arrived()
        if tracked is None or not tracked.pending:
            # Delivered again, and done already.
            self._settled(key, True)
            return self._holder.watch_over(tracked) if tracked is not None else Done()
        pause = self._gate.pause
        if pause:
            return Again(pause)
        order = await self._newest.read(tracked)
        if order is None:
            self._outcomes.unordered(tracked)
            return Done()
        assert tracked.kind is not None
        self._watches.ensure(tracked.kind)
        since = self._gate.enter()
        try:
            result = await self._traced(tracked, order)
        except (MemberUnreachable, MemberThrottled) as err:
            # Whatever is ordered by the time that it answers again counts.
            tracked.message = None
            return Again(self._gate.failed(err))
        except MemberRefused as err:
            self._gate.succeeded(since)
            result = await self._outcomes.refused(tracked, err)
        except Exception:
            # A bug quarantines this key; what is parked behind it must not be.
            self._settled(key, False)
            raise
        else:
            self._gate.succeeded(since)
        finally:
            self._gate.leave()
        return self._look_again(tracked, result)

    def _look_again(self, tracked: TrackedObject, result: Result) -> Result:
        """Somebody may have changed or deleted the object between our apply and its answer."""
        changed = tracked.drifted or tracked.doubted or tracked.outrun or tracked.suspect
        changed = changed or tracked.fence_moved
        if tracked.pending or not changed:
            return result
        tracked.pending = True
        return Again(timedelta(0))

    async def _traced(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        message = tracked.message
        sender = message.headers.get(TRACEPARENT, "") if message is not None else ""
        if message is None or not sender.endswith("01"):
            return await self._carry_out(tracked, order)
        with _tracer.start_as_current_span("work.apply", context=extract(message.headers)):
            return await self._carry_out(tracked, order)

    async def _carry_out(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        if tracked.outrun:
            assert tracked.seen is not None
            newer = tracked.seen.work_generation
            if await self._newest.is_outdated(tracked):
                return await self._outcomes.gave_way(tracked)
            tracked.borne = newer
        if order.is_tombstone:
            return await self._remover.remove(tracked, order)
        if tracked.fenced:
            return await self._fenced.hold(tracked, order)
        return await self._holder.hold(tracked, order)
