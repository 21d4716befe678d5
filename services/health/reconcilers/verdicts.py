"""Passing verdicts: what the observers say of a member becomes its conditions, taints and room."""

import math
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

import structlog

from services.health.core.brake import Brake
from services.health.core.cluster_status import (
    Assessment,
    is_worth_writing,
    reach_of,
    status_after,
    written_fields,
)
from services.health.core.facts import facts_of
from services.health.core.panel import Panelists
from services.health.core.returning import settling_of
from services.health.core.taints import settling_left
from services.health.core.verdict import Verdict, judge
from services.health.reconcilers.probing import HEALTH
from services.health.reconcilers.standings import CLUSTERS, Standings
from services.health.settings import Settings
from shared.api.cluster import Cluster, ClusterStatus
from shared.api.meta import GROUP, read
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, CaughtUp, Message
from shared.clock import Clock, parse_time
from shared.controller.result import Again, Done, Result
from shared.errors import MalformedEvent
from shared.events import subjects
from shared.events.cluster import (
    Observation,
    Reach,
    decode_observation,
    encode_event,
    fact_type,
    past_tense_of,
)
from shared.events.envelope import fact_envelope
from shared.store.port import Mirror, ObjectStore, Stored

log = structlog.get_logger("hanse.health")

# A fact is published again after a crash only while NATS still knows the first one by its id.
_FACT_REPEAT = timedelta(minutes=2)
# Changes of other members wake those that are held back; this is for time alone.
_HELD_AGAIN = timedelta(seconds=5)


def brake_of(settings: Settings) -> Brake:
    return Brake(
        share=settings.brake_share,
        fleet_min=settings.brake_fleet_min,
        rate_share=settings.eviction_share,
        window=settings.eviction_window,
    )


def cluster_key(name: str) -> ObjectKey:
    return ObjectKey(GROUP, "clusters", "", name)


class ObservationTable:
    """The last word of every observer about every member, as the board HEALTH has it."""

    def __init__(self, brake: Brake, clock: Clock) -> None:
        self._clock = clock
        # When each observer that has no word any more had its last.
        self._absent: dict[str, float] = {}
        self._words: dict[str, dict[str, Observation]] = {}
        self._panelists = Panelists(brake)
        self._verdicts: dict[str, Verdict] = {}
        self.panel = self._panelists.panel

    def put(self, word: Observation) -> None:
        self._replace(word.cluster, word.observer, word)

    def drop(self, cluster: str, observer: str) -> None:
        self._replace(cluster, observer, None)

    def _replace(self, cluster: str, observer: str, word: Observation | None) -> None:
        words = self._words.setdefault(cluster, {})
        self._panelists.replace(words.pop(observer, None), word)
        if word is not None:
            words[observer] = word
        if not words:
            del self._words[cluster]
        self._verdicts.pop(cluster, None)
        panel = self._panelists.panel
        if panel != self.panel:
            self._note_absent(self.panel.observers - panel.observers, panel.observers)
            self.panel = panel
            self._verdicts.clear()

    def _note_absent(self, fell_silent: Collection[str], there: Collection[str]) -> None:
        now = self._clock.monotonic()
        self._absent.update(dict.fromkeys(fell_silent, now))
        for name in there:
            self._absent.pop(name, None)

    def awaited(self, patience: timedelta) -> timedelta:
        """How long observers may yet be waited for that had a word until lately.

        Words of all observers end at once where NATS was away for long: the first to speak again
        is not most of them.
        """
        ends = max(self._absent.values(), default=-math.inf) + patience.total_seconds()
        left = ends - self._clock.monotonic()
        return timedelta(seconds=left) if left > 0 else timedelta(0)

    def of(self, cluster: str) -> list[Observation]:
        return list(self._words.get(cluster, {}).values())

    def clusters(self) -> list[str]:
        return sorted(self._words)

    def verdict(self, cluster: str) -> Verdict:
        found = self._verdicts.get(cluster)
        if found is None:
            found = self._verdicts[cluster] = judge(self.of(cluster), self.panel)
        return found

    def reach(self, cluster: str) -> Reach:
        return self.verdict(cluster).reach


class ObservationFollower:
    """Keeps the table and wakes the members of which something new was said."""

    def __init__(
        self, bus: Bus, table: ObservationTable, clusters: Mirror, wake: Callable[[str], None]
    ) -> None:
        self._bus = bus
        self._table = table
        self._clusters = clusters
        self._wake = wake

    async def run(self, caught_up: Callable[[], None]) -> None:
        """Follow the board until cancelled; *caught_up* is called once its contents are known."""
        async with self._bus.board(HEALTH).follow() as entries:
            async for entry in entries:
                if isinstance(entry, CaughtUp):
                    caught_up()
                else:
                    self._note(entry.key, entry.value)

    def _note(self, key: str, value: bytes | None) -> None:
        try:
            cluster, observer = subjects.parse_health_key(key)
            word = None if value is None else decode_observation(value)
        except (ValueError, MalformedEvent) as err:
            log.warning("observation.malformed", key=key, error=str(err))
            return
        before, panel = self._table.verdict(cluster).reach, self._table.panel
        if word is None:
            self._table.drop(cluster, observer)
        else:
            self._table.put(word)
        self._wake(cluster)
        if self._table.panel != panel:
            # Another quorum, or other words that count.
            for name in self._table.clusters():
                self._wake(name)
        elif self._table.verdict(cluster).reach is not before:
            # The brake may now hold for others, or no longer.
            for name in cluster_names(self._clusters):
                if self._table.verdict(name).reach is Reach.UNREACHABLE:
                    self._wake(name)


def cluster_names(clusters: Mirror) -> Iterable[str]:
    return [stored.key.name for stored in clusters.items(CLUSTERS)]


class VerdictReconciler:
    """Writes health's part of one `Cluster.status`, and the facts that follow from it."""

    def __init__(
        self,
        store: ObjectStore,
        bus: Bus,
        table: ObservationTable,
        *,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._store = store
        self._bus = bus
        self._table = table
        self._clock = clock
        self._settings = settings
        self._brake = brake_of(settings)
        self._unknown_since: dict[str, float] = {}
        self._told: dict[str, set[str]] = {}
        self._standings = Standings(store.mirror)
        self._giving_up: dict[str, datetime] = {}

    async def reconcile(self, key: str) -> Result:
        stored = self._store.mirror.get(cluster_key(key))
        if stored is None:
            self._told.pop(key, None)
            self._giving_up.pop(key, None)
            self._unknown_since.pop(key, None)
            return Done()
        cluster = read(stored.manifest, Cluster)
        now = self._clock.now()
        found = self._assess(key, now)
        waiting = self._silence_left(key, found) or self._absence_left(cluster, found)
        if waiting:
            return Again(waiting)

        status = status_after(cluster.status, found, now=now)
        if is_worth_writing(cluster.status, status, now=now, refresh=self._settings.refresh):
            await self._write(stored, cluster, status, found)
        await self._tell(cluster, status, found, now)
        if found.held is not None:
            return Again(_HELD_AGAIN)
        settling = settling_of(status.outages, found.settle_base, now)
        left = settling_left(status.taints, settling, now)
        return Again(left) if left is not None else Done()

    async def _write(
        self, stored: Stored, cluster: Cluster, status: ClusterStatus, found: Assessment
    ) -> None:
        merged = {**(stored.manifest.get("status") or {}), **written_fields(status)}
        manifest = {
            **stored.manifest,
            "status": {name: each for name, each in merged.items() if each is not None},
        }
        await self._store.update(stored.key, manifest, expected=stored.revision)
        before, after = reach_of(cluster.status), reach_of(status)
        if before is not after:
            log.info(
                "cluster.verdict",
                cluster=stored.key.name,
                before=before,
                after=after,
                message=found.verdict.message,
            )

    def _assess(self, name: str, now: datetime) -> Assessment:
        verdict = self._table.verdict(name)
        held = None
        if verdict.reach is Reach.UNREACHABLE:
            fleet = self._standings.now(self._table.reach, self._giving_up)
            held = self._brake.why_held(name, fleet, now)
            if held is None:
                # Counted before it is written: others are judged at the same moment.
                self._giving_up.setdefault(name, now)
        else:
            self._giving_up.pop(name, None)
        return Assessment(
            verdict=verdict,
            observations=self._table.of(name),
            panel=self._table.panel,
            slow_limit=self._settings.slow_limit,
            expiry_warning=self._settings.expiry_warning,
            settle_base=self._settings.settle_base,
            held=held,
        )

    def _silence_left(self, name: str, found: Assessment) -> timedelta | None:
        """Return how long to wait for observers that have just started, or lost NATS for long."""
        if found.verdict.reach is not Reach.UNKNOWN:
            self._unknown_since.pop(name, None)
            return None
        now = self._clock.monotonic()
        since = self._unknown_since.setdefault(name, now)
        left = since + self._settings.observation_ttl.total_seconds() - now
        return timedelta(seconds=left) if left > 0 else None

    def _absence_left(self, cluster: Cluster, found: Assessment) -> timedelta | None:
        """Return how long to wait for others before a member is given up by those who are left."""
        gone = Reach.UNREACHABLE
        if found.verdict.reach is not gone or reach_of(cluster.status) is gone:
            return None
        # Each says its word again after a third, and is given some time for it.
        return self._table.awaited(self._settings.observation_ttl / 2) or None

    async def _tell(
        self, cluster: Cluster, status: ClusterStatus, found: Assessment, now: datetime
    ) -> None:
        """Publish what lately became of the member; the same fact always has the same id."""
        name = cluster.metadata.name
        told = self._told.setdefault(name, set())
        due = list(facts_of(cluster, status, found.observations))
        told.intersection_update(one.identity for one in due)
        for one in due:
            if one.identity in told or now - parse_time(one.since) >= _FACT_REPEAT:
                continue
            envelope = fact_envelope(
                fact_type(one.fact), service="health", identity=one.identity, at=now
            )
            subject = subjects.fact("cluster", past_tense_of(one.fact), name)
            await self._bus.publish(Message(subject, encode_event(one.fact), envelope.headers()))
            told.add(one.identity)
