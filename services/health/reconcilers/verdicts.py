"""Passing verdicts: what the observers say of a member becomes its conditions, taints and room."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import structlog

from services.health.core.cluster_status import (
    RECOVERED,
    Assessment,
    is_worth_writing,
    reach_of,
    status_after,
    written_fields,
)
from services.health.core.verdict import Brake, Verdict, gone_sentence, judge
from services.health.reconcilers.probing import HEALTH
from services.health.settings import Settings
from shared.api.cluster import JOINED, READY, Cluster, ClusterStatus
from shared.api.conditions import find_condition
from shared.api.meta import GROUP, Condition, read
from shared.apimachinery.manifest import GroupResource, ObjectKey
from shared.bus.port import Bus, CaughtUp, Message
from shared.clock import Clock, format_time, parse_time
from shared.controller.result import Again, Done, Result
from shared.errors import InvalidObject, MalformedEvent
from shared.events import subjects
from shared.events.cluster import (
    BECAME_UNREACHABLE,
    ClusterBecameUnreachable,
    ClusterFact,
    ClusterRecovered,
    Observation,
    Reach,
    decode_observation,
    encode_event,
    fact_type,
)
from shared.events.cluster import RECOVERED as RECOVERED_SUBJECT
from shared.events.envelope import fact_envelope
from shared.store.port import Mirror, ObjectStore, Scope

log = structlog.get_logger("hanse.health")

CLUSTERS = Scope.of(GroupResource(GROUP, "clusters"))

# A fact is published again after a crash only while NATS still knows the first one by its id.
_FACT_REPEAT = timedelta(minutes=2)


def cluster_key(name: str) -> ObjectKey:
    return ObjectKey(GROUP, "clusters", "", name)


class ObservationTable:
    """The last word of every observer about every member, as the board HEALTH has it."""

    def __init__(self) -> None:
        self._words: dict[str, dict[str, Observation]] = {}

    def put(self, word: Observation) -> None:
        self._words.setdefault(word.cluster, {})[word.observer] = word

    def drop(self, cluster: str, observer: str) -> None:
        self._words.get(cluster, {}).pop(observer, None)

    def of(self, cluster: str) -> list[Observation]:
        return list(self._words.get(cluster, {}).values())

    def verdict(self, cluster: str) -> Verdict:
        return judge(self.of(cluster))


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
        before = self._table.verdict(cluster).reach
        if word is None:
            self._table.drop(cluster, observer)
        else:
            self._table.put(word)
        self._wake(cluster)
        if self._table.verdict(cluster).reach is not before:
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
        self._brake = Brake(share=settings.brake_share, fleet_min=settings.brake_fleet_min)
        self._started = clock.monotonic()
        self._told: dict[str, str] = {}

    async def reconcile(self, key: str) -> Result:
        stored = self._store.mirror.get(cluster_key(key))
        if stored is None:
            self._told.pop(key, None)
            return Done()
        cluster = read(stored.manifest, Cluster)
        found = self._assess(key)
        waiting = self._silence_left(found)
        if waiting:
            return Again(waiting)

        now = self._clock.now()
        status = status_after(cluster.status, found, now=now)
        if is_worth_writing(cluster.status, status, now=now, refresh=self._settings.refresh):
            fields = written_fields(status)
            merged = {**(stored.manifest.get("status") or {}), **fields}
            manifest = {
                **stored.manifest,
                "status": {name: each for name, each in merged.items() if each is not None},
            }
            await self._store.update(stored.key, manifest, expected=stored.revision)
            if reach_of(status) is not reach_of(cluster.status):
                log.info(
                    "cluster.verdict",
                    cluster=key,
                    before=reach_of(cluster.status),
                    after=reach_of(status),
                    message=found.verdict.message,
                )
        await self._tell(cluster, status, now)
        return Again(self._settings.probe_interval) if found.held else Done()

    def _assess(self, name: str) -> Assessment:
        verdict = self._table.verdict(name)
        held = ""
        if verdict.reach is Reach.UNREACHABLE:
            fleet = self._fleet()
            held = gone_sentence(fleet) if self._brake.holds(fleet) else ""
        return Assessment(verdict=verdict, observations=self._table.of(name), held=held)

    def _fleet(self) -> Mapping[str, Reach]:
        """Return the verdict of every joined member: one that never joined cannot be gone."""
        found = {}
        for stored in self._store.mirror.items(CLUSTERS):
            try:
                status = read(stored.manifest, Cluster).status
            except InvalidObject:
                continue
            joined = find_condition(status.conditions, JOINED)
            if joined is not None and joined.status == "True":
                found[stored.key.name] = self._table.verdict(stored.key.name).reach
        return found

    def _silence_left(self, found: Assessment) -> timedelta | None:
        """Return how long to wait for observers that have just started too."""
        grace = self._settings.observation_ttl.total_seconds()
        left = self._started + grace - self._clock.monotonic()
        if found.verdict.reach is Reach.UNKNOWN and left > 0:
            return timedelta(seconds=left)
        return None

    async def _tell(self, cluster: Cluster, status: ClusterStatus, now: datetime) -> None:
        """Publish the fact of the last transition; the same one always has the same id."""
        ready = find_condition(status.conditions, READY)
        if ready is None or not ready.last_transition_time:
            return
        name = cluster.metadata.name
        identity = f"{cluster.metadata.uid}/{ready.reason}/{ready.last_transition_time}"
        fact = _fact_of(cluster, status, ready, format_time(now))
        recent = now - parse_time(ready.last_transition_time) < _FACT_REPEAT
        if fact is None or not recent or self._told.get(name) == identity:
            return
        envelope = fact_envelope(fact_type(fact), service="health", identity=identity, at=now)
        verb = (
            BECAME_UNREACHABLE if isinstance(fact, ClusterBecameUnreachable) else RECOVERED_SUBJECT
        )
        subject = subjects.fact("cluster", verb, name)
        await self._bus.publish(Message(subject, encode_event(fact), envelope.headers()))
        self._told[name] = identity


def _fact_of(
    cluster: Cluster, status: ClusterStatus, ready: Condition, moment: str
) -> ClusterFact | None:
    name, region, provider = cluster.metadata.name, cluster.spec.region, cluster.spec.provider
    if ready.reason == Reach.UNREACHABLE:
        return ClusterBecameUnreachable(
            cluster=name,
            occurred_at=ready.last_transition_time or moment,
            region=region,
            provider=provider,
            message=ready.message,
            tainted=bool(status.taints),
        )
    if ready.reason == RECOVERED:
        return ClusterRecovered(
            cluster=name,
            occurred_at=ready.last_transition_time or moment,
            region=region,
            provider=provider,
        )
    return None
