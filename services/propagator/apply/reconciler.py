"""One object of one member: carry out its newest order, or put right what drifted.

What the member refuses is reported and tried again ever more slowly, for members change. Its order
is acknowledged then, so that refused objects never hold up the queue; it is read again from WORK.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import msgspec
import structlog
from opentelemetry import trace

from services.propagator.apply.autoscalers import is_autoscaled
from services.propagator.apply.foreign import ForeignObjects
from services.propagator.apply.gate import MemberGate
from services.propagator.apply.objects import Objects, TrackedObject
from services.propagator.apply.reports import Reports
from services.propagator.core.drift import (
    LostField,
    lost_fields,
    without_replicas,
)
from services.propagator.core.marks import (
    MANAGED_LABEL,
    TEMPLATE_UID,
    WORK_GENERATION,
    fill_generation,
)
from services.propagator.core.observed import observe, read_live
from services.propagator.core.order import Rank, rank_of
from shared.apimachinery.manifest import Manifest, ObjectKey, decode, encode
from shared.bus.port import Bus
from shared.bus.topology import WORK
from shared.clock import Clock
from shared.controller.result import Again, Done, Result
from shared.errors import MemberRefused, MemberThrottled, MemberUnreachable
from shared.events import subjects
from shared.events.work import WorkOrder, decode_order
from shared.memberapi.port import MemberApi, ResourceType
from shared.telemetry import metrics
from shared.telemetry.propagation import TRACEPARENT, extract

log = structlog.get_logger("hanse.propagator")
_tracer = trace.get_tracer("hanse.propagator")

SOON_ATTEMPTS = 6
SOON = timedelta(milliseconds=100)
SLOW = timedelta(seconds=5)
SLOW_MAX = timedelta(minutes=5)
REMOVAL_POLL = timedelta(seconds=2)
CORRECTIONS_WINDOW = 60.0
CORRECTIONS_FREE = 3


class Watching(Protocol):
    """The part of `KindWatches` that matters here."""

    def ensure(self, kind: ResourceType) -> None: ...

    def is_synced(self, kind: ResourceType) -> bool: ...


class ObjectReconciler:
    """Keyed by the object's key; the loop never runs two of the same key at once."""

    def __init__(
        self,
        *,
        cluster: str,
        api: MemberApi,
        bus: Bus,
        clock: Clock,
        objects: Objects,
        foreign: ForeignObjects,
        watches: Watching,
        reports: Reports,
        settled: Callable[[ObjectKey, bool], None],
    ) -> None:
        self._cluster = cluster
        self._api = api
        self._bus = bus
        self._clock = clock
        self._objects = objects
        self._foreign = foreign
        self._watches = watches
        self._reports = reports
        # Told when a key is done for now: (key, whether the member obeyed).
        self._settled = settled
        self._gate = MemberGate(clock)
        self._applied = metrics.WORKS_APPLIED.labels(cluster, "applied")

    async def reconcile(self, key: ObjectKey) -> Result:
        tracked = self._objects.get(key)
        if tracked is not None:
            await tracked.take_arrived()
        if tracked is None or not tracked.pending:
            # Delivered again, and done already.
            self._settled(key, True)
            return Done()
        pause = self._gate.pause
        if pause:
            return Again(pause)
        order = await self._order(tracked)
        if order is None:
            self._settled(key, False)
            return Done()
        assert tracked.kind is not None
        self._watches.ensure(tracked.kind)
        try:
            result = await self._traced(tracked, order)
        except (MemberUnreachable, MemberThrottled) as err:
            return Again(self._gate.failed(err))
        except MemberRefused as err:
            self._gate.succeeded()
            result = await self._refused(tracked, err)
        except Exception:
            # A bug quarantines this key; what is parked behind it must not be.
            self._settled(key, False)
            raise
        else:
            self._gate.succeeded()
        return self._look_again(tracked, result)

    def _look_again(self, tracked: TrackedObject, result: Result) -> Result:
        """Somebody may have changed or deleted the object between our apply and its answer."""
        if tracked.pending or not (tracked.drifted or tracked.doubted or tracked.outrun):
            return result
        tracked.pending = True
        return Again(timedelta(0))

    async def _order(self, tracked: TrackedObject) -> WorkOrder | None:
        """The newest order for the object; None where there is none any more."""
        if tracked.message is None:
            message = await self._bus.last(WORK, subjects.work(self._cluster, tracked.key))
            if message is None:
                # Purged: dispatch asks for nothing here, so there is nothing to do.
                self._objects.drop(tracked)
                return None
            tracked.message, tracked.sequence = message, message.sequence
        try:
            order = decode_order(tracked.message.body)
        except msgspec.DecodeError:
            tracked.pending, tracked.message = False, None
            if tracked.delivery is not None:
                delivery, tracked.delivery = tracked.delivery, None
                await delivery.reject("the order cannot be decoded")
            return None
        tracked.read(order)
        return order

    async def _traced(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        message = tracked.message
        sender = message.headers.get(TRACEPARENT, "") if message is not None else ""
        if message is None or not sender.endswith("01"):
            return await self._carry_out(tracked, order)
        with _tracer.start_as_current_span("work.apply", context=extract(message.headers)):
            return await self._carry_out(tracked, order)

    async def _carry_out(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        if tracked.outrun and await self._is_stale(tracked):
            return await self._give_way(tracked)
        if order.is_tombstone:
            return await self._remove(tracked, order)
        return await self._apply(tracked, order, bytes(order.manifest))

    async def _is_stale(self, tracked: TrackedObject) -> bool:
        """Whether our order is no longer the last word in WORK, as the live object suggests.

        It still is, where WORK itself began anew; it is not, where another worker has taken over.
        """
        last = await self._bus.last(WORK, subjects.work(self._cluster, tracked.key))
        return last is None or last.sequence != tracked.sequence

    async def _give_way(self, tracked: TrackedObject) -> Result:
        """Another worker carried out a newer order: leave ours, and read that one."""
        metrics.WORKS_APPLIED.labels(self._cluster, "stale").inc()
        tracked.message = None
        self._settled(tracked.key, False)
        await self._acknowledge(tracked)
        return Again(timedelta(0))

    async def _apply(self, tracked: TrackedObject, order: WorkOrder, manifest: bytes) -> Result:
        key, kind = tracked.key, tracked.kind
        assert kind is not None
        live: Manifest | None = None
        if tracked.doubted or (tracked.seen is None and _was_there(tracked)):
            live = await self._confirm(tracked, kind)
        if tracked.drift == "" and tracked.applied == tracked.sequence:
            if not (tracked.drifted or tracked.outrun):
                # Woken for a doubt that was unfounded.
                if live is not None:
                    self._reports.seen(tracked, read_live(encode(live)))
                await self._finish(tracked, obeyed=True)
                return Done()
            tracked.drift = "Edited"
        known = tracked.seen is not None and tracked.seen.labelled
        guarded = not known and order.conflict_resolution == "Abort"
        if guarded:
            await self._foreign.guard(kind, key.namespace, key.name)
        delay = self._correction_delay(tracked)
        if delay:
            self._settled(key, False)
            return Again(delay)
        if tracked.drift == "Edited":
            live = live or await self._api.get(kind, key.namespace, key.name)
            tracked.seen = observe(live) if live is not None else None
        delegated = (
            tracked.seen is not None
            and tracked.seen.autoscaled
            and await is_autoscaled(self._api, kind, key.namespace, key.name)
        )
        lost = self._examine(tracked, manifest, live, delegated=delegated)
        body = fill_generation(manifest, tracked.sequence)
        if delegated:
            body = without_replicas(body)
        sequence = tracked.sequence
        apply = (self._foreign if guarded else self._api).apply_encoded
        applied = read_live(await apply(kind, key.namespace, key.name, body))
        answer = applied.observe(tracked.seen)
        tracked.observe(answer)
        tracked.applied, tracked.baseline = sequence, answer.fields_digest
        tracked.removing = ""
        self._reports.applied(tracked, applied, sequence)
        if tracked.drift:
            self._corrected(tracked, lost)
        await self._finish(tracked, obeyed=True)
        return Done()

    def _examine(
        self, tracked: TrackedObject, manifest: bytes, live: Manifest | None, *, delegated: bool
    ) -> tuple[LostField, ...]:
        """Who took which field; an autoscaler that took the replicas may keep them."""
        if live is None:
            return ()
        lost = lost_fields(decode(manifest), live)
        if delegated:
            lost = tuple(one for one in lost if one.path != ".spec.replicas")
            if not lost and tracked.drift == "Edited":
                # Nothing else changed: no drift, only a new owner of the replicas.
                tracked.drift = ""
        return lost

    async def _confirm(self, tracked: TrackedObject, kind: ResourceType) -> Manifest | None:
        """Look at an object the watch no longer shows: gone, or only without our label."""
        live = await self._ask(tracked, kind)
        if live is None and tracked.applied == tracked.sequence:
            tracked.drift = "Deleted"
        return live

    async def _ask(self, tracked: TrackedObject, kind: ResourceType) -> Manifest | None:
        """Get the object itself, which settles every doubt raised before, and none raised since."""
        before, tracked.doubted = tracked.doubted, False
        try:
            live = await self._api.get(kind, tracked.key.namespace, tracked.key.name)
        except BaseException:
            tracked.doubted = tracked.doubted or before
            raise
        tracked.seen = observe(live) if live is not None else None
        return live

    def _correction_delay(self, tracked: TrackedObject) -> timedelta:
        """Zero at first; ever longer while somebody keeps undoing what we put right."""
        if not tracked.drift:
            return timedelta(0)
        now = self._clock.monotonic()
        recent = [one for one in tracked.corrections if now - one < CORRECTIONS_WINDOW * 10]
        tracked.corrections = recent[-20:]
        excess = len(recent) - CORRECTIONS_FREE
        if excess < 0:
            return timedelta(0)
        due = recent[-1] + min(2.0**excess, SLOW_MAX.total_seconds())
        return timedelta(seconds=max(due - now, 0.0))

    def _corrected(self, tracked: TrackedObject, lost: tuple[LostField, ...]) -> None:
        tracked.corrections.append(self._clock.monotonic())
        metrics.DRIFT_CORRECTED.labels(self._cluster).inc()
        log.info(
            "drift.corrected", cluster=self._cluster, key=str(tracked.key), change=tracked.drift
        )
        self._reports.corrected(tracked, lost)
        tracked.drift = ""

    async def _remove(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        key, kind = tracked.key, tracked.kind
        assert kind is not None
        if tracked.removing and tracked.seen is None and not tracked.doubted:
            # The watch showed the end of what the member agreed to delete.
            return await self._removed(tracked)
        seen = tracked.seen
        if seen is None or tracked.removing or tracked.doubted or not self._watches.is_synced(kind):
            await self._ask(tracked, kind)
            seen = tracked.seen
        if seen is None or not seen.ours:
            return await self._removed(tracked)
        if tracked.outrun and await self._is_stale(tracked):
            return await self._give_way(tracked)
        if order.preserve_on_deletion:
            await self._api.merge(kind, key.namespace, key.name, _RELEASE)
            return await self._removed(tracked, preserved=True)
        if tracked.removing != seen.uid:
            # Before the call: the watch may show the end before the answer comes.
            tracked.removing, agreed = seen.uid, False
            try:
                await self._api.delete(
                    kind, key.namespace, key.name, uid=seen.uid, propagation="Background"
                )
                agreed = True
            finally:
                if not agreed:
                    tracked.removing = ""
            if tracked.seen is None:
                return await self._removed(tracked)
            self._reports.removing(tracked)
        # Done for now, but pending until it is gone: its finalizers may take long.
        await self._acknowledge(tracked)
        self._settled(key, True)
        return Again(REMOVAL_POLL)

    async def _removed(self, tracked: TrackedObject, *, preserved: bool = False) -> Result:
        self._reports.removed(tracked, preserved=preserved)
        await self._finish(tracked, obeyed=True)
        self._objects.drop(tracked)
        return Done()

    async def _refused(self, tracked: TrackedObject, err: MemberRefused) -> Result:
        tracked.failures += 1
        soon = err.status in (404, 409) or "being terminated" in str(err)
        if err.reason == "AlreadyExists":
            soon = False
        if soon and tracked.failures <= SOON_ATTEMPTS:
            self._settled(tracked.key, False)
            return Again(SOON * 2 ** (tracked.failures - 1))
        metrics.WORKS_APPLIED.labels(self._cluster, "refused").inc()
        self._reports.refused(tracked, err)
        await self._acknowledge(tracked)
        tracked.message = None
        self._settled(tracked.key, False)
        excess = tracked.failures - (SOON_ATTEMPTS if soon else 1)
        return Again(min(SLOW * 2 ** min(max(excess, 0), 10), SLOW_MAX))

    async def _finish(self, tracked: TrackedObject, *, obeyed: bool) -> None:
        tracked.pending, tracked.failures, tracked.message = False, 0, None
        self._report_latest(tracked)
        if obeyed:
            self._applied.inc()
        self._settled(tracked.key, obeyed)
        await self._acknowledge(tracked)

    def _report_latest(self, tracked: TrackedObject) -> None:
        """Report what the watch showed before the answer to our apply came, if it is newer."""
        latest, tracked.latest = tracked.latest, None
        if (
            latest is not None
            and tracked.seen is not None
            and latest.metadata.resource_version == tracked.seen.resource_version
            and tracked.applied == tracked.sequence
            and not tracked.deleted
        ):
            self._reports.seen(tracked, latest)

    async def _acknowledge(self, tracked: TrackedObject) -> None:
        if tracked.delivery is not None:
            delivery, tracked.delivery = tracked.delivery, None
            await delivery.acknowledge()


_RELEASE: Manifest = {
    "metadata": {
        "labels": {MANAGED_LABEL: None},
        "annotations": {WORK_GENERATION: None, TEMPLATE_UID: None},
    }
}


def _was_there(tracked: TrackedObject) -> bool:
    """Whether a predecessor reported it: what others did to it since must be seen first."""
    return tracked.reported is not None and tracked.reported.present


def is_foundation(key: ObjectKey) -> bool:
    return rank_of(key.group, key.resource) is Rank.FOUNDATION
