"""The leases of the propagators beside members: heard, revoked in time, told in `Cluster.status`.

Every health process hears them; the one that holds the duty revokes, by compare-and-set, and tells.
What a member says of itself counts as an observer's answer, and its silence as nobody's.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import structlog

from services.health.core.fences import Leases, is_news
from shared.api.cluster import Cluster, Fence
from shared.api.meta import GROUP, read, section
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import HEARTBEATS
from shared.clock import Clock, format_micro_time
from shared.controller.result import Again, Done, Result
from shared.errors import MalformedEvent
from shared.events import subjects
from shared.events.cluster import (
    ClusterFenced,
    Observation,
    Reach,
    encode_event,
    fact_type,
    past_tense_of,
)
from shared.events.envelope import fact_envelope
from shared.events.heartbeat import decode_heartbeat, encode_heartbeat
from shared.store.port import ObjectStore

log = structlog.get_logger("hanse.health")

BESIDE = "beside it"
"""The name by which a member's own word is shown among those of observers."""


_SOON = timedelta(milliseconds=10)
_STANDING_BY = timedelta(seconds=1)
_WORDS = {
    Reach.REACHABLE: "it renews its lease",
    Reach.NOT_READY: "it renews its lease, but its API does not answer",
    Reach.UNREACHABLE: "it does not renew its lease, which was revoked",
}


class Words(Protocol):
    """Where what is said of members is gathered."""

    def put(self, word: Observation) -> None: ...

    def drop(self, cluster: str, observer: str) -> None: ...

    def of(self, cluster: str) -> list[Observation]: ...


class HeartbeatFollower:
    """Hears every renewal, and wakes the members whose standing changes."""

    def __init__(self, bus: Bus, leases: Leases, clock: Clock, wake: Callable[[str], None]) -> None:
        self._bus = bus
        self._leases = leases
        self._clock = clock
        self._wake = wake

    async def run(self) -> None:
        """Until cancelled."""
        filters = [f"{subjects.HEARTBEATS}.>"]
        async with self._bus.follow(HEARTBEATS, filters) as messages:
            async for message in messages:
                if not isinstance(message, CaughtUp):
                    self._hear(message)

    def _hear(self, message: Message) -> None:
        try:
            heartbeat = decode_heartbeat(message.body)
        except MalformedEvent as err:
            log.warning("heartbeat.malformed", subject=message.subject, error=str(err))
            return
        now, cluster = self._clock.monotonic(), subjects.parse_heartbeat(message.subject)
        silent = not self._leases.is_heard(cluster, now)
        able = self._leases.is_able(cluster)
        changed = self._leases.hear(message.sequence, heartbeat, now)
        if changed or silent or able is not self._leases.is_able(cluster):
            self._wake(cluster)


class FenceReconciler:
    """Keyed by the member's name."""

    def __init__(
        self,
        store: ObjectStore,
        bus: Bus,
        leases: Leases,
        words: Words,
        *,
        clock: Clock,
        judge: Callable[[str], None],
        on_duty: Callable[[], bool],
    ) -> None:
        """*judge* is called where what *words* say of a member has changed.

        *on_duty*: whether this process revokes and writes; all of them hear.
        """
        self._store = store
        self._bus = bus
        self._leases = leases
        self._words = words
        self._clock = clock
        self._judge = judge
        self._on_duty = on_duty

    async def reconcile(self, key: str) -> Result:
        stored = self._store.mirror.get(ObjectKey(GROUP, "clusters", "", key))
        if stored is None:
            return await self._forget(key)
        cluster = read(stored.manifest, Cluster)
        self._speak(key, pulled=cluster.spec.mode == "Pull")
        if not self._on_duty():
            return Again(_STANDING_BY)
        known = cluster.status.fence
        await self._revoke_in_time(cluster, known)
        fence = self._leases.fence_of(key)
        if fence is not None and is_news(known, fence):
            manifest = {
                **stored.manifest,
                "status": {**(stored.manifest.get("status") or {}), "fence": section(fence)},
            }
            await self._store.update(stored.key, manifest, expected=stored.revision)
            log.info("cluster.fence", cluster=key, term=fence.term, held=fence.held)
        return self._look_again(key)

    def _look_again(self, key: str) -> Result:
        now = self._clock.monotonic()
        due = [
            seconds
            for seconds in (self._leases.fresh_for(key, now), self._leases.revocable_in(key, now))
            if seconds
        ]
        return Again(max(timedelta(seconds=min(due)), _SOON)) if due else Done()

    async def _forget(self, key: str) -> Result:
        """What left needs no lease; whether it left is asked of the store itself."""
        if not self._on_duty():
            return Done()
        if await self._store.get(ObjectKey(GROUP, "clusters", "", key)) is not None:
            return Again(timedelta(seconds=1))
        self._speak(key, pulled=False)
        sequence = self._leases.forget(key)
        if sequence:
            await self._bus.purge(HEARTBEATS, subjects.heartbeat(key), up_to=sequence)
        return Done()

    async def _revoke_in_time(self, cluster: Cluster, known: Fence | None) -> None:
        key, now = cluster.metadata.name, self._clock.monotonic()
        fence, above = self._leases.fence_of(key), known.term if known is not None else 0
        # One whose term is behind began anew without a memory.
        behind = fence is not None and fence.term < above
        if not behind and self._leases.revocable_in(key, now) != 0:
            return
        silence = self._leases.silence(key, now)
        at = format_micro_time(self._clock.now())
        found = self._leases.revocation(key, at, above)
        message = Message(subjects.heartbeat(key), encode_heartbeat(found.heartbeat))
        sequence = await self._bus.publish(message, expected=found.expected)
        self._leases.hear(sequence, found.heartbeat, now)
        log.warning("cluster.fenced", cluster=key, term=found.heartbeat.term, silence=silence)
        self._speak(key, pulled=cluster.spec.mode == "Pull")
        fact = ClusterFenced(
            cluster=key,
            occurred_at=at,
            region=cluster.spec.region,
            provider=cluster.spec.provider,
            term=found.heartbeat.term - 1,
            silent_seconds=round(silence, 1),
        )
        identity = f"{cluster.metadata.uid}/fence/{found.heartbeat.term}"
        envelope = fact_envelope(
            fact_type(fact), service="health", identity=identity, at=self._clock.now()
        )
        subject = subjects.fact("cluster", past_tense_of(fact), key)
        await self._bus.publish(Message(subject, encode_event(fact), envelope.headers()))

    def _speak(self, key: str, *, pulled: bool) -> None:
        """Have the member's own word stand among those of observers."""
        before = next((each for each in self._words.of(key) if each.own), None)
        reach = self._reach(key) if pulled else None
        if (before.reach if before is not None else None) is reach:
            return
        if reach is None:
            self._words.drop(key, BESIDE)
        else:
            self._words.put(
                Observation(
                    cluster=key,
                    observer=BESIDE,
                    reach=reach,
                    observed_time=format_micro_time(self._clock.now()),
                    message=_WORDS[reach],
                    own=True,
                )
            )
        self._judge(key)

    def _reach(self, key: str) -> Reach | None:
        fence = self._leases.fence_of(key)
        if fence is None:
            return None
        if not fence.held:
            return Reach.UNREACHABLE
        if not self._leases.is_heard(key, self._clock.monotonic()):
            return None
        return Reach.REACHABLE if self._leases.is_able(key) else Reach.NOT_READY
