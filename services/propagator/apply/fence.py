"""Stopping what must not run in two places, when the member has been on its own for too long.

`guard` needs neither NATS nor orders, only the member's API and the label that fenced workloads
bear there: so it works in a process that was begun anew while NATS is away. `keep` renews the
lease, and tells those who listen when what may run has changed.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from services.propagator.core.fence import FenceSettings, Hold, Standing
from services.propagator.core.fencing import grace_seconds
from services.propagator.core.marks import FENCED_SELECTOR
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    metadata_of,
    name_of,
    namespace_of,
)
from shared.bus.port import Bus, Message
from shared.bus.topology import HEARTBEATS
from shared.clock import Clock, format_micro_time
from shared.errors import HanseError, MalformedEvent
from shared.events import subjects
from shared.events.heartbeat import Heartbeat, decode_heartbeat, encode_heartbeat
from shared.memberapi.port import MemberApi, ResourceType
from shared.memberapi.request import FENCE_MANAGER

log = structlog.get_logger("hanse.propagator")

_STOPPABLE = tuple(
    ResourceType(GroupVersionKind(group, "v1", kind), f"{kind.lower()}s", namespaced=True)
    for group, kind in (
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "ReplicaSet"),
        ("", "ReplicationController"),
    )
)
_AGAIN_SECONDS = 1.0
_SOON_SECONDS = 0.001
_UNKNOWN = -1


class Fence:
    """Of one member, whose propagator this is."""

    def __init__(self, cluster: str, api: MemberApi, clock: Clock, settings: FenceSettings) -> None:
        self.cluster = cluster
        self._api = api
        self._clock = clock
        self._settings = settings
        self._hold = Hold(settings, clock.monotonic())
        # How long the pods of what was ordered, or found, may take to end; None: not looked yet.
        self._grace: float | None = None
        self._sequence = _UNKNOWN
        self._last: Heartbeat | None = None
        self._listeners: dict[object, Callable[[], None]] = {}
        self._asked = asyncio.Event()

    @contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call *listener* whenever what may run has changed."""
        key = object()
        self._listeners[key] = listener
        try:
            yield
        finally:
            del self._listeners[key]

    def judge(self, term: int, manifest: Manifest) -> Standing:
        """What becomes of the order of *manifest* under *term*."""
        grace = grace_seconds(manifest)
        if self._grace is not None and grace > self._grace:
            self._grace = grace
            self._asked.set()
        return self._hold.judge(term, grace, self._clock.monotonic())

    def begin(self) -> None:
        """Take the member's part, anew where it was let go of."""
        if self._hold.released:
            self._hold = Hold(self._settings, self._clock.monotonic())
            self._grace, self._sequence = None, _UNKNOWN

    def release(self) -> None:
        """Leave the member as it is: it has left, or somebody else works for it."""
        self._hold.release()

    def _tell(self) -> None:
        for listener in tuple(self._listeners.values()):
            listener()

    # Stopping.

    async def guard(self) -> None:
        """Until cancelled: while the lease is lost, see to it that nothing fenced runs here."""
        down = False
        while True:
            left = self._hold.seconds_left(self._clock.monotonic())
            if left > 0:
                if down:
                    log.info("fence.lifted", cluster=self.cluster, term=self._hold.term)
                    down = False
                await self._clock.sleep(min(max(left, _SOON_SECONDS), _AGAIN_SECONDS))
                continue
            if not down:
                log.warning("fence.fell", cluster=self.cluster, term=self._hold.term)
                down = True
                self._tell()
            try:
                await self._stop_all()
            except HanseError as err:
                log.warning("fence.not-yet", cluster=self.cluster, error=str(err))
            await self._clock.sleep(_AGAIN_SECONDS)

    async def _stop_all(self) -> None:
        """Raises the last error there was, once the rest has been stopped."""
        trouble: HanseError | None = None
        for kind in _STOPPABLE:
            try:
                found = (await self._api.list(kind, label_selector=FENCED_SELECTOR)).items
            except HanseError as err:
                trouble = err
                continue
            for live in found:
                # It may take a while to stop many, and the lease may be back.
                if self._hold.seconds_left(self._clock.monotonic()) > 0:
                    return
                if (live.get("spec") or {}).get("replicas", 1) == 0:
                    continue
                try:
                    await self._stop(kind, live)
                except HanseError as err:
                    trouble = err
        if trouble is not None:
            raise trouble

    async def _stop(self, kind: ResourceType, live: Manifest) -> None:
        name, namespace = name_of(live), namespace_of(live)
        # Refused where somebody changed it meanwhile: it is looked at again.
        version = metadata_of(live).get("resourceVersion")
        patch: Manifest = {"metadata": {"resourceVersion": version}, "spec": {"replicas": 0}}
        await self._api.merge(kind, namespace, name, patch, manager=FENCE_MANAGER)
        log.warning(
            "fence.stopped",
            cluster=self.cluster,
            kind=kind.gvk.kind,
            namespace=namespace,
            name=name,
        )

    # Renewing.

    async def keep(self, bus: Bus) -> None:
        """Until cancelled: renew the lease, and say whether the member could be told to stop."""
        pause = self._settings.renewal.total_seconds()
        while True:
            try:
                async with asyncio.timeout(self._settings.patience.total_seconds()):
                    await self._renew(bus)
            except (HanseError, TimeoutError) as err:
                log.info("fence.unrenewed", cluster=self.cluster, error=str(err))
                # Whether it was stored is asked first.
                self._sequence = _UNKNOWN
            self._asked.clear()
            sleeping = asyncio.ensure_future(self._clock.sleep(pause))
            asking = asyncio.ensure_future(self._asked.wait())
            try:
                await asyncio.wait((sleeping, asking), return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeping.cancel()
                asking.cancel()

    async def _renew(self, bus: Bus) -> None:
        able = await self._is_able()
        if self._sequence == _UNKNOWN:
            await self._look(bus)
        if self._last is not None and not self._last.held:
            # What ran under the old term may run elsewhere by now.
            self._hold.revoked()
            self._tell()
            await self._stop_all()
        began, grace = self._clock.monotonic(), self._grace or 0.0
        term = self._last.term if self._last is not None else max(self._hold.term, 1)
        heartbeat = Heartbeat(
            cluster=self.cluster,
            term=term,
            held=True,
            duration_seconds=self._settings.duration_seconds(grace) if able else None,
            observed_time=format_micro_time(self._clock.now()),
        )
        message = Message(subjects.heartbeat(self.cluster), encode_heartbeat(heartbeat))
        self._sequence = await bus.publish(message, expected=self._sequence)
        self._last = heartbeat
        lapsed = self._hold.seconds_left(self._clock.monotonic()) <= 0
        news = lapsed or (self._hold.term, self._hold.grace_seconds) != (term, grace)
        self._hold.renewed(term, grace, began)
        if news:
            log.info("fence.held", cluster=self.cluster, term=term)
            self._tell()

    async def _is_able(self) -> bool:
        """Whether the member would take the order to stop, as far as can be told."""
        try:
            async with asyncio.timeout(self._settings.renewal.total_seconds()):
                if self._grace is None:
                    self._grace = await self._longest_grace()
                else:
                    await self._api.read(
                        "/readyz", deadline_seconds=self._settings.renewal.total_seconds()
                    )
        except (HanseError, TimeoutError) as err:
            log.warning("fence.unable", cluster=self.cluster, error=str(err))
            return False
        return True

    async def _look(self, bus: Bus) -> None:
        """Find out what lies on the subject of the lease."""
        message = await bus.last(HEARTBEATS, subjects.heartbeat(self.cluster))
        last: Heartbeat | None = None
        if message is not None:
            try:
                last = decode_heartbeat(message.body)
            except MalformedEvent as err:
                log.warning("heartbeat.malformed", cluster=self.cluster, error=str(err))
        if last is not None and not last.held:
            log.warning("fence.revoked", cluster=self.cluster, term=last.term)
        self._last = last
        self._sequence = message.sequence if message is not None else 0

    async def _longest_grace(self) -> float:
        """How long the pods of what is fenced here by now may take to end."""
        longest = 0.0
        for kind in _STOPPABLE:
            for live in (await self._api.list(kind, label_selector=FENCED_SELECTOR)).items:
                longest = max(longest, grace_seconds(live))
        return longest
