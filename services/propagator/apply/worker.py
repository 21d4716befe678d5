"""The worker of one member: its orders in, its objects watched, its reports out.

It holds one record per object. When it starts, WORK tells what must be and STATUS how far its
predecessor came; only what differs is done again. Now and then it looks there once more: while it
stood by, or NATS was away, orders went past it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from services.propagator.apply.assembly import build_reconciler
from services.propagator.apply.exports.notes import Shown
from services.propagator.apply.fence import Fence
from services.propagator.apply.gate import MemberGate
from services.propagator.apply.holding.autoscalers import Autoscalers
from services.propagator.apply.objects import Objects, TrackedObject
from services.propagator.apply.orders.foundations import Foundations
from services.propagator.apply.orders.presence import Presence
from services.propagator.apply.orders.standing import StandingOrders
from services.propagator.apply.reporting.reporter import Reporter
from services.propagator.apply.reporting.reports import Reports
from services.propagator.apply.retries import RetrySettings
from services.propagator.apply.sight import Sight
from services.propagator.apply.watches import KindWatches
from services.propagator.core.order import rank_of
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus
from shared.bus.topology import worker
from shared.clock import Clock
from shared.controller.loop import Controller, LoopSettings
from shared.controller.turns import Urgency
from shared.events import subjects
from shared.events.work import WorkReport, is_end
from shared.interpreter.registry import InterpreterSource, KindName
from shared.memberapi.port import MemberApi

log = structlog.get_logger("hanse.propagator")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How hard a worker drives its member."""

    concurrency: int = 64
    """Objects in hand at the same time, per member, at most; how many, its answers decide."""

    report_interval: timedelta = timedelta(milliseconds=100)
    """At most one report per object in this time."""

    foreign_view: timedelta = timedelta(seconds=1)
    """How long one look at the member's own objects serves for `conflictResolution: Abort`."""

    deadline: timedelta = timedelta(seconds=60)
    """How long one object may take before it is put back."""

    resync: timedelta = timedelta(minutes=5)
    """How often WORK is read again for orders that went to another worker."""

    retries: RetrySettings = field(default_factory=RetrySettings)


_BREATH_SECONDS = 0.5

BODIES_MAX = 1_000
"""Orders that are kept whole while they wait; of others only the name, and they are read again."""


class MemberWorker:
    """`run` until cancelled."""

    def __init__(
        self,
        cluster: str,
        api: MemberApi,
        bus: Bus,
        clock: Clock,
        settings: WorkerSettings,
        *,
        interpreters: InterpreterSource,
        fence: Fence | None = None,
        membership: Callable[[], str] = lambda: "",
    ) -> None:
        """*fence*: that of the member this process runs beside.

        *membership* tells the uid of the member's Cluster, empty while that is not known.
        """
        self._fence = fence
        self._membership = membership
        self._cluster = cluster
        self._api = api
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._objects = Objects()
        self._reporter = Reporter(cluster, bus, clock, settings.report_interval)
        self._reporter.status.overtaken = self._on_overtaken
        self._standing = StandingOrders(cluster, bus, clock, self._objects, self._reporter.status)
        self._reports = Reports(cluster, self._reporter, clock, interpreters)
        self._foundations = Foundations(self._wake)
        hand_over = self._foundations.hand_over
        self._sight = Sight(
            cluster, self._objects, self._reports, wake=self._wake, hand_over=hand_over
        )
        self._presence = Presence(bus, clock)
        self._controller: Controller[ObjectKey] | None = None
        self.obeyed: Callable[[ObjectKey], None] = lambda _key: None
        """Called with each object that the member holds, or has removed, as ordered."""

    def shown(self, key: ObjectKey) -> Shown | None:
        """Tell what was seen last of an object that is there by an order of traffic."""
        tracked = self._objects.get(key)
        if tracked is None or tracked.deleted or not tracked.quiet:
            return None
        seen = tracked.seen
        if seen is None or not seen.ours:
            return None
        told = tracked.reported
        is_now = told is not None and told.resource_version == seen.resource_version
        status = told.status if told is not None and is_now else None
        return Shown(seen.uid, status, is_reflected=True)

    @property
    def idle(self) -> bool:
        """Nothing in hand and nothing to report; refused objects may wait for another try."""
        return (
            self._controller is not None
            and self._controller.idle
            and self._reporter.idle
            and not self._foundations.parked
        )

    def look_again(self, kinds: frozenset[KindName]) -> None:
        """Judge the objects of *kinds* anew: another interpreter speaks for them."""
        self._sight.look_again(kinds)

    async def run(self) -> None:
        await self._standing.read()
        async with asyncio.TaskGroup() as group:
            watches = KindWatches(self._cluster, self._api, self._sight, group)
            autoscalers = Autoscalers(self._cluster, self._api, group, self._on_autoscaler)
            self._controller = self._build(watches, autoscalers)
            self._take_on(self._objects, watches, autoscalers)
            group.create_task(self._controller.run(), name=f"apply-{self._cluster}")
            group.create_task(self._reporter.run(), name=f"report-{self._cluster}")
            group.create_task(self._presence.run(), name=f"presence-{self._cluster}")
            resync = self._resync(watches, autoscalers)
            group.create_task(resync, name=f"resync-{self._cluster}")
            fence = self._fence
            with fence.listening(self._on_fence) if fence else contextlib.nullcontext():
                await self._consume()

    def _build(self, watches: KindWatches, autoscalers: Autoscalers) -> Controller[ObjectKey]:
        gate = MemberGate(
            self._cluster, self._clock, self._settings.concurrency, self._settings.retries
        )
        gate.opened = watches.look_soon
        reconciler = build_reconciler(
            self._cluster,
            api=self._api,
            bus=self._bus,
            clock=self._clock,
            objects=self._objects,
            reporter=self._reporter,
            reports=self._reports,
            watches=watches,
            autoscalers=autoscalers,
            foreign_view=self._settings.foreign_view.total_seconds(),
            retries=self._settings.retries,
            gate=gate,
            presence=self._presence,
            settled=self._on_settled,
            fence=self._fence,
            membership=self._membership,
        )
        settings = LoopSettings(
            workers=self._settings.concurrency, deadline=self._settings.deadline
        )
        controller = Controller(
            f"apply-{self._cluster}", reconciler, settings, urgency_of=self._urgency_of
        )
        gate.drive(controller)
        return controller

    def _urgency_of(self, key: ObjectKey) -> Urgency:
        tracked = self._objects.get(key)
        return tracked.urgency if tracked is not None else Urgency.CHANGE

    def _take_on(
        self, found: Iterable[TrackedObject], watches: KindWatches, autoscalers: Autoscalers
    ) -> None:
        """Watch what was found in WORK, and begin with what is left to do."""
        for kind in self._standing.removed_kinds:
            watches.ensure(kind)
        for tracked in sorted(found, key=_rank):
            if tracked.kind is not None:
                watches.ensure(tracked.kind)
                autoscalers.ensure(tracked.kind)
            if tracked.pending or tracked.suspect or tracked.contest.is_on:
                self._foundations.hand_over(tracked.key)

    async def _resync(self, watches: KindWatches, autoscalers: Autoscalers) -> None:
        """Look into WORK again now and then, and when the connection was lost.

        What was on its way to us then would come only after half a minute.
        """
        returned = asyncio.Event()
        stop = self._bus.on_return(returned.set)
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.resync.total_seconds()):
                        await returned.wait()
                returned.clear()
                # What is delivered now need not be read.
                await self._clock.sleep(_BREATH_SECONDS)
                self._take_on(await self._standing.read(), watches, autoscalers)
        finally:
            stop()

    async def _consume(self) -> None:
        async with self._bus.consume(worker(self._cluster)) as deliveries:
            async for delivery in deliveries:
                try:
                    _, key = subjects.parse_member_subject(delivery.message.subject)
                except ValueError:
                    await delivery.reject("the subject names no object")
                    continue
                ended = is_end(delivery.message.headers)
                if self._objects.was_removed(key, delivery.message.sequence) or ended:
                    await delivery.acknowledge()
                    if ended:
                        self._look_after_end(key)
                    continue
                tracked = self._objects.track(key)
                if tracked.arrived is not None:
                    await tracked.arrived.acknowledge()
                tracked.arrived, tracked.received = delivery, self._clock.monotonic()
                if self._waiting() > BODIES_MAX:
                    delivery.forget_body()
                self._foundations.hand_over(key)

    def _on_settled(self, key: ObjectKey, obeyed: bool) -> None:  # noqa: FBT001 - a callback.
        self._foundations.on_settled(key, obeyed)
        if obeyed:
            self.obeyed(key)

    def _look_after_end(self, key: ObjectKey) -> None:
        """All is done; an object that is known nevertheless may have missed how."""
        tracked = self._objects.get(key)
        if tracked is not None:
            tracked.pending = True
            self._foundations.hand_over(key)

    def _waiting(self) -> int:
        assert self._controller is not None
        return self._controller.waiting + self._foundations.parked

    def _on_fence(self) -> None:
        """What may run has changed."""
        for tracked in self._objects:
            if tracked.fenced and not tracked.deleted:
                tracked.fence_moved = True
                self._sight.wake(tracked)

    def _on_autoscaler(self, key: ObjectKey) -> None:
        """One came or went that scales the object."""
        tracked = self._objects.get(key)
        if tracked is not None and not tracked.deleted:
            tracked.suspect = True
            self._sight.wake(tracked)

    def _on_overtaken(
        self,
        key: ObjectKey,
        ours: WorkReport,
        theirs: WorkReport,
        is_open: bool,  # noqa: FBT001 - a callback.
    ) -> None:
        tracked = self._objects.get(key)
        if tracked is None:
            return
        if tracked.reported is ours:
            # Else we have said more since, which is on its way.
            tracked.reported = theirs
        if is_open:
            self._sight.doubt(tracked)

    def _wake(self, key: ObjectKey) -> None:
        assert self._controller is not None
        self._controller.wake(key)


def _rank(tracked: TrackedObject) -> tuple[int, int]:
    return rank_of(tracked.key.group, tracked.key.resource), tracked.sequence
