"""Looking at members: one loop each, so that a hanging member keeps no other waiting.

A member is looked at from when its credentials lie on the board SECRETS until they are gone. What
this observer believes goes to the board HEALTH; verdicts are passed elsewhere.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog

from services.health.core.capacity import capacity_of
from services.health.core.cluster_status import reach_of
from services.health.core.detector import Detector, Outcome, Thresholds, resumed
from services.health.reconcilers.quota_watch import QUOTAS, QuotaWatch
from services.health.settings import Settings
from shared.api.cluster import Capacity, Cluster
from shared.api.meta import GROUP, read
from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey
from shared.bus.port import Bus, CaughtUp
from shared.clock import Clock, format_micro_time, format_time
from shared.errors import (
    HanseError,
    InvalidObject,
    MemberRefused,
    MemberThrottled,
    MemberUnreachable,
    MemberUntrusted,
    RetryableError,
    UnusableCredentials,
)
from shared.events import subjects
from shared.events.cluster import Observation, Reach, encode_event
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.lifetime import expiry_of
from shared.memberapi.port import MemberApi, ResourceType
from shared.memberapi.sealing import EnvelopeKey, unseal
from shared.store.port import Mirror
from shared.telemetry import metrics

log = structlog.get_logger("hanse.health")

Connect = Callable[[str, MemberCredentials], AbstractAsyncContextManager[MemberApi]]

SECRETS = "SECRETS"
HEALTH = "HEALTH"
_FAREWELL_SECONDS = 2.0
# Between two reckonings: at least so long, and so many times what the last one took.
_REST_SECONDS, _REST = 0.25, 4
_NODES = ResourceType(GroupVersionKind("", "v1", "Node"), "nodes", namespaced=False)
_PODS = ResourceType(GroupVersionKind("", "v1", "Pod"), "pods", namespaced=True)
# The newest health endpoint first; /version is there even for those who may read nothing else.
_PATHS = ("/readyz", "/livez", "/version")


@dataclass(frozen=True, slots=True)
class Probe:
    """One look: what became of it, in words, and how long the answer took."""

    outcome: Outcome
    message: str = ""
    latency_milliseconds: int | None = None
    throttled: bool = False


async def probe(member: MemberApi, clock: Clock, *, deadline_seconds: float) -> Probe:
    """Ask *member* once how it is."""
    last = ""
    for path in _PATHS:
        started = clock.monotonic()
        try:
            await member.read(path, deadline_seconds=deadline_seconds)
        except MemberUntrusted as err:
            return Probe(Outcome.REFUSED, str(err))
        except MemberUnreachable as err:
            return Probe(Outcome.SILENT, str(err))
        except MemberThrottled as err:
            latency = round((clock.monotonic() - started) * 1000)
            return Probe(Outcome.REACHED, str(err), latency, throttled=True)
        except MemberRefused as err:
            last = f"{path} answered {err.status}"
            if err.status == 401:
                return Probe(Outcome.REFUSED, "the member does not accept our credentials")
            if err.status not in (403, 404):
                return Probe(Outcome.NOT_READY, last)
        else:
            return Probe(
                Outcome.REACHED,
                f"{path} is well",
                latency_milliseconds=round((clock.monotonic() - started) * 1000),
            )
    refused = last.endswith("403")
    return Probe(Outcome.REFUSED if refused else Outcome.NOT_READY, last)


class Probing:
    """Keeps one loop per member with credentials."""

    def __init__(
        self,
        bus: Bus,
        clusters: Mirror,
        *,
        key: EnvelopeKey,
        connect: Connect,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._bus = bus
        self._clusters = clusters
        self._key = key
        self._connect = connect
        self._clock = clock
        self._settings = settings
        self._loops: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Follow the credentials until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks, self._bus.board(SECRETS).follow() as entries:
                async for entry in entries:
                    if not isinstance(entry, CaughtUp):
                        await self._note(subjects.decode_token(entry.key), entry.value, tasks)
        finally:
            # Who looks no more has no say any more, either way.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await asyncio.gather(*(self._unsay(name) for name in self._loops))

    async def _note(self, name: str, sealed: bytes | None, tasks: asyncio.TaskGroup) -> None:
        if running := self._loops.pop(name, None):
            running.cancel()
        if sealed is None:
            await self._unsay(name)
        else:
            looking = self._look_at(name, sealed)
            self._loops[name] = tasks.create_task(looking, name=f"probe-{name}")

    async def _unsay(self, name: str) -> None:
        try:
            word = subjects.health_key(name, self._settings.observer)
            await self._bus.board(HEALTH).delete(word)
        except RetryableError as err:
            # It expires by itself; the other members are not to be lost sight of for it.
            log.warning("observation.left-behind", cluster=name, error=str(err))

    async def _look_at(self, name: str, sealed: bytes) -> None:
        observer = _Observer(self._bus, self._clock, self._settings, name, self._remembered(name))
        try:
            credentials = unseal(self._key, name, sealed)
            ends = expiry_of(credentials)
            observer.credentials_expire = format_time(ends) if ends is not None else ""
            async with self._connect(name, credentials) as member, asyncio.TaskGroup() as tasks:
                tasks.create_task(observer.keep_probing(member), name=f"reach-{name}")
                tasks.create_task(observer.keep_reckoning(member), name=f"room-{name}")
                tasks.create_task(observer.quotas.follow(member), name=f"quotas-{name}")
        except UnusableCredentials as err:
            log.warning("member.credentials_unusable", cluster=name, error=str(err))
            await observer.keep_saying(Reach.CREDENTIALS_REFUSED, str(err))

    def _remembered(self, name: str) -> Detector:
        stored = self._clusters.get(ObjectKey(GROUP, "clusters", "", name))
        if stored is None:
            return Detector()
        try:
            return resumed(reach_of(read(stored.manifest, Cluster).status))
        except InvalidObject:
            return Detector()


class _Observer:
    """This process's eyes on one member."""

    def __init__(
        self, bus: Bus, clock: Clock, settings: Settings, name: str, detector: Detector
    ) -> None:
        self._board = bus.board(HEALTH)
        self._clock = clock
        self._settings = settings
        self._name = name
        self._detector = detector
        self.quotas = QuotaWatch(name, clock)
        self._capacity: Capacity | None = None
        self._refusal = ""
        self.credentials_expire = ""
        self._seen = Probe(Outcome.SILENT)
        self._said: Observation | None = None
        self._said_at = float("-inf")
        self._thresholds = Thresholds(failures=settings.failures, successes=settings.successes)

    async def keep_probing(self, member: MemberApi) -> None:
        """Look at intervals, and more often while it is in doubt what the member does.

        An answer that is late is not waited for until the next look then, so that a silence is
        known for one by several probes at the same time.
        """
        settled = self._settings.probe_interval.total_seconds()
        doubtful = min(settled, self._settings.probe_again.total_seconds())
        async with asyncio.TaskGroup() as looks:
            while True:
                look = looks.create_task(self._look(member, looks))
                pause = looks.create_task(self._clock.sleep(doubtful))
                await asyncio.wait((look, pause), return_when=asyncio.FIRST_COMPLETED)
                waits = not look.done() and self._detector.belief is not Reach.UNREACHABLE
                if not (waits or self._detector.is_in_doubt):
                    await self._clock.sleep(settled - doubtful)
                await pause

    async def _look(self, member: MemberApi, late: asyncio.TaskGroup) -> None:
        await self._note(await self._probe(member, late))

    async def _probe(self, member: MemberApi, late: asyncio.TaskGroup) -> Probe:
        """Look once; an answer after the deadline is waited for beside what comes next.

        A member that answers late, again and again, is slow and not gone.
        """
        patience = self._settings.patience.total_seconds()
        asked = late.create_task(probe(member, self._clock, deadline_seconds=patience))
        deadline = late.create_task(
            self._clock.sleep(self._settings.probe_deadline.total_seconds())
        )
        try:
            await asyncio.wait((asked, deadline), return_when=asyncio.FIRST_COMPLETED)
        finally:
            deadline.cancel()
        if asked.done():
            return asked.result()
        late.create_task(self._note_late(asked))
        return Probe(Outcome.OVERDUE, "no answer before the deadline")

    async def _note_late(self, asked: asyncio.Task[Probe]) -> None:
        found = await asked
        if found.outcome is Outcome.SILENT:
            self._detector = self._detector.given_up()
        else:
            await self._note(found)

    async def _note(self, found: Probe) -> None:
        metrics.PROBES.labels(self._name, found.outcome.name.lower()).inc()
        self._seen = found
        before = self._detector.reach
        self._detector = self._detector.after(found.outcome, self._thresholds)
        if self._detector.reach is not before:
            log.info(
                "member.reach",
                cluster=self._name,
                before=before,
                after=self._detector.reach,
                message=found.message,
            )
        await self._say(self._detector.reach, found)

    async def keep_reckoning(self, member: MemberApi) -> None:
        """Reckon the member's room for as long as it is reachable."""
        interval = self._settings.capacity_interval.total_seconds()
        while True:
            if self._detector.reach in (Reach.REACHABLE, Reach.SUSPECT):
                urgent = self.quotas.news.is_set() or self._capacity is None
                self.quotas.news.clear()
                began = self._clock.monotonic()
                await self._reckon(member)
                rest = max(_REST_SECONDS, _REST * (self._clock.monotonic() - began))
                if urgent and self._capacity is not None:
                    # Until it is known nothing is placed by room, or too much.
                    await self._say(self._detector.reach, self._seen)
                await self._until_due(interval, min(rest, interval))
            else:
                # Look soon once the member answers: its room decides what may go there.
                await self._clock.sleep(min(interval, 0.25))

    async def _reckon(self, member: MemberApi) -> None:
        try:
            nodes = (await member.list(_NODES)).items
            pods = (await member.list(_PODS)).items
            quotas = await self._list_quotas(member)
            # Ten thousand pods take a second to add up: not on the event loop.
            self._capacity = await asyncio.to_thread(capacity_of, nodes, pods, quotas)
            self._refusal = ""
        except MemberRefused as err:
            self._refusal = f"nodes and pods cannot be read: {err}"
            log.warning("member.room_refused", cluster=self._name, error=str(err))
        except HanseError as err:
            # The last known room stands; whether the member is there the probes will tell.
            log.info("member.room_unknown", cluster=self._name, error=str(err))
        except Exception:
            # What one member lists may make no sense: no reason to lose sight of the others.
            log.exception("member.room_senseless", cluster=self._name)

    async def _until_due(self, seconds: float, rest: float) -> None:
        """Wait for the next reckoning, or for news of quotas once *rest* seconds are over.

        A member whose quotas change all the time is not asked for all its pods all the time.
        """
        await self._clock.sleep(rest)
        waits = [
            asyncio.ensure_future(one)
            for one in (self._clock.sleep(seconds - rest), self.quotas.news.wait())
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _list_quotas(self, member: MemberApi) -> Sequence[Manifest]:
        """List the member's quotas; none where it does not let us, or does not know the kind."""
        try:
            return (await member.list(QUOTAS)).items
        except MemberRefused:
            return ()

    async def keep_saying(self, reach: Reach, message: str) -> None:
        while True:
            await self._say(reach, Probe(Outcome.REFUSED, message))
            await self._clock.sleep(self._settings.observation_ttl.total_seconds() / 3)

    async def _say(self, reach: Reach, found: Probe) -> None:
        """Publish what is believed, unless it was said lately and nothing but the time changed."""
        word = Observation(
            cluster=self._name,
            observer=self._settings.observer,
            reach=reach,
            observed_time=format_micro_time(self._clock.now()),
            failures=self._detector.failures,
            message=found.message,
            latency_milliseconds=found.latency_milliseconds,
            capacity=self._capacity,
            refusal=self._refusal,
            region=self._settings.region,
            throttled=found.throttled,
            credentials_expire=self.credentials_expire,
        )
        due = self._said_at + self._settings.observation_ttl.total_seconds() / 3
        if self._clock.monotonic() < due and _says_the_same(self._said, word):
            return
        key = subjects.health_key(self._name, self._settings.observer)
        try:
            await self._board.put(key, encode_event(word), ttl=self._settings.observation_ttl)
        except RetryableError as err:
            # Said again with the next probe.
            log.warning("observation.unsaid", cluster=self._name, error=str(err))
            return
        self._said, self._said_at = word, self._clock.monotonic()


def _says_the_same(old: Observation | None, new: Observation) -> bool:
    return old is not None and _news(old) == _news(new)


def _news(word: Observation) -> tuple[object, ...]:
    """What of a word is told at once, and not with the next that is due."""
    # The second lost probe in a row makes a doubt of what was an accident.
    lost = min(word.failures, 2)
    return word.reach, lost, word.capacity, word.refusal, word.throttled
