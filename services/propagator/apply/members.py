"""Which members have a worker here: those that are registered, opened to us, and of our shard.

A worker starts when the member's Cluster object and its sealed credentials are both there, starts
anew when the credentials change, and ends when either goes. It touches nothing before the member
has proved to be the cluster that joined under its name. One that fails is begun again after a
while, and no other notices.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import structlog

from services.propagator.apply.exports.interest import Interest
from services.propagator.apply.exports.observer import ExportObserver
from services.propagator.apply.fence import Fence
from services.propagator.apply.worker import MemberWorker, WorkerSettings
from shared.api.meta import GROUP
from shared.apimachinery.manifest import (
    GroupResource,
    GroupVersionKind,
    Manifest,
    ObjectKey,
    uid_of,
)
from shared.bus.port import Bus, CaughtUp
from shared.bus.topology import worker
from shared.clock import Clock
from shared.errors import MemberRefused, RetryableError, UnusableCredentials
from shared.events import subjects
from shared.interpretation import LiveInterpreters
from shared.interpreter.registry import KindName
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.port import MemberApi, ResourceType
from shared.memberapi.sealing import EnvelopeKey, unseal
from shared.store.port import Change, ChangeType, ObjectStore, Scope

log = structlog.get_logger("hanse.propagator")

CLUSTERS = Scope.of(GroupResource(GROUP, "clusters"))
BOARD = "SECRETS"
RESTART_FIRST = 0.5
RESTART_MAX = 30.0
LASTING_SECONDS = 60.0
PROOF_PAUSE_MAX = 5.0
_NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
_OF_ITS_OWN = MemberCredentials(server="")
"""Stands for those that a process beside its member brings along."""

# The uid of this namespace outlives a cluster's address; the registry keeps it as `status.id`.
_IDENTITY = "kube-system"

OpenMember = Callable[[MemberCredentials, str], AbstractAsyncContextManager[MemberApi]]


class MemberWorkers:
    """Keeps one `MemberWorker` per member running."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        bus: Bus,
        clock: Clock,
        key: EnvelopeKey | None,
        open_member: OpenMember,
        settings: WorkerSettings,
        clusters: str = ".*",
        beside: Fence | None = None,
    ) -> None:
        """*beside*: that of the one member this process serves, by an API of its own."""
        self._beside = beside
        self._store = store
        self._bus = bus
        self._clock = clock
        self._key = key
        self._open_member = open_member
        self._settings = settings
        self._interpreters = LiveInterpreters(store.mirror)
        self._interpreters.on_change(self._look_again)
        self._ours = re.compile(re.escape(beside.cluster) if beside is not None else clusters)
        self._credentials: dict[str, MemberCredentials] = {}
        self._tasks: dict[str, tuple[MemberCredentials, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._left: set[str] = set()
        self._interest = Interest(store.mirror)
        self._observers: dict[str, ExportObserver] = {}
        self.workers: dict[str, MemberWorker] = {}

    def _look_again(self, kinds: frozenset[KindName]) -> None:
        for running in self.workers.values():
            running.look_again(kinds)

    async def run(self) -> None:
        """Until cancelled; starts once the board of credentials is complete."""
        async with self._clusters_watched(), asyncio.TaskGroup() as group:
            if self._beside is None:
                synced = asyncio.Event()
                group.create_task(self._follow_credentials(synced), name="member-credentials")
                await synced.wait()
            else:
                self._credentials[self._beside.cluster] = _OF_ITS_OWN
            while True:
                self._changed.clear()
                await self._adjust(group)
                await self._changed.wait()

    @asynccontextmanager
    async def _clusters_watched(self) -> AsyncIterator[None]:
        def on_change(change: Change) -> None:
            if CLUSTERS.covers(change.stored.key):
                if change.type is ChangeType.DELETED:
                    self._left.add(change.stored.key.name)
                elif _serves_other_kinds(change):
                    self._look_for_exports(change.stored.key.name)
                if change.type is not ChangeType.MODIFIED or _mode_changed(change):
                    self._changed.set()

        stop = self._store.mirror.on_change(on_change)
        try:
            yield
        finally:
            stop()

    def _look_for_exports(self, cluster: str) -> None:
        observer = self._observers.get(cluster)
        if observer is not None:
            observer.look_soon()

    async def _follow_credentials(self, synced: asyncio.Event) -> None:
        async with self._bus.board(BOARD).follow() as entries:
            async for entry in entries:
                if isinstance(entry, CaughtUp):
                    synced.set()
                    continue
                cluster = subjects.decode_token(entry.key)
                self._credentials.pop(cluster, None)
                if entry.value is not None:
                    assert self._key is not None, "credentials that are followed can be opened"
                    try:
                        self._credentials[cluster] = unseal(self._key, cluster, entry.value)
                    except UnusableCredentials as err:
                        log.warning("credentials.unusable", cluster=cluster, error=str(err))
                self._changed.set()

    async def _adjust(self, group: asyncio.TaskGroup) -> None:
        """Start and stop workers until they are what they should be."""
        for cluster, (credentials, task) in list(self._tasks.items()):
            if self._wanted(cluster) != credentials:
                del self._tasks[cluster]
                task.cancel()
                await asyncio.wait([task])
        left, self._left = self._left, set()
        for cluster in left:
            if self._ours.fullmatch(cluster) and not self._is_registered(cluster):
                await self._forget(cluster)
        for stored in self._store.mirror.items(CLUSTERS):
            cluster = stored.key.name
            wanted = self._wanted(cluster)
            if wanted is not None and cluster not in self._tasks:
                work = self._keep(cluster, wanted) if self._beside is None else self._keep_own()
                task = group.create_task(work, name=f"worker-{cluster}")
                self._tasks[cluster] = (wanted, task)

    def _wanted(self, cluster: str) -> MemberCredentials | None:
        if not self._ours.fullmatch(cluster):
            return None
        stored = self._store.mirror.get(ObjectKey(GROUP, "clusters", "", cluster))
        if stored is None or _is_pulled(stored.manifest) != (self._beside is not None):
            return None
        return self._credentials.get(cluster)

    def _is_registered(self, cluster: str) -> bool:
        return self._store.mirror.get(ObjectKey(GROUP, "clusters", "", cluster)) is not None

    async def _forget(self, cluster: str) -> None:
        try:
            await self._bus.forget_consumer(worker(cluster))
        except RetryableError as err:
            log.warning("worker.consumer-left-behind", cluster=cluster, error=str(err))

    async def _prove(self, cluster: str, api: MemberApi) -> None:
        """Return once the member has shown the id under which it joined; until then, ask.

        New credentials may lead elsewhere, and what was meant for one cluster would be put into
        another, and what belongs there removed. The registry tells the same, but later.
        """
        pause, told = RESTART_FIRST, False
        while True:
            known = self._id_of(cluster)
            if not known:
                # Not joined yet: nothing is meant for it.
                return
            try:
                namespace = await api.get(_NAMESPACES, "", _IDENTITY)
            except (RetryableError, MemberRefused) as err:
                log.info("worker.waiting", cluster=cluster, reason=str(err))
            else:
                if namespace is not None and uid_of(namespace) == known:
                    return
                if not told:
                    log.error("worker.wrong-cluster", cluster=cluster, joined_as=known)
                    told = True
            await self._clock.sleep(pause)
            pause = min(2 * pause, PROOF_PAUSE_MAX)

    def _id_of(self, cluster: str) -> str:
        stored = self._store.mirror.get(ObjectKey(GROUP, "clusters", "", cluster))
        status = stored.manifest.get("status") if stored is not None else None
        return str(status.get("id") or "") if isinstance(status, dict) else ""

    def _membership_of(self, cluster: str) -> str:
        stored = self._store.mirror.get(ObjectKey(GROUP, "clusters", "", cluster))
        return uid_of(stored.manifest) if stored is not None else ""

    async def _keep_own(self) -> None:
        fence = self._beside
        assert fence is not None
        fence.begin()
        try:
            async with asyncio.TaskGroup() as group:
                async with self._open_member(_OF_ITS_OWN, fence.cluster) as api:
                    await self._prove(fence.cluster, api)
                group.create_task(fence.keep(self._bus), name="fence")
                await self._keep(fence.cluster, _OF_ITS_OWN)
        finally:
            # Not by silence, but by a word that was heard.
            fence.release()

    async def _keep(self, cluster: str, credentials: MemberCredentials) -> None:
        """Run the worker of one member, again and again."""
        failures = 0
        while True:
            started = self._clock.monotonic()
            try:
                async with self._open_member(credentials, cluster) as api:
                    await self._prove(cluster, api)
                    running = MemberWorker(
                        cluster,
                        api,
                        self._bus,
                        self._clock,
                        self._settings,
                        interpreters=self._interpreters,
                        fence=self._beside,
                        membership=partial(self._membership_of, cluster),
                    )
                    self.workers[cluster] = running
                    log.info("worker.started", cluster=cluster)
                    observer = self._observer(cluster, api, running)
                    async with asyncio.TaskGroup() as group:
                        observing = group.create_task(observer.keep(), name=f"exports-{cluster}")
                        await running.run()
                        observing.cancel()
            except UnusableCredentials as err:
                # New ones start a new worker; until then there is nothing to try.
                log.warning("credentials.unusable", cluster=cluster, error=str(err))
                await asyncio.Event().wait()
            except Exception:
                if _is_cancelled():
                    # What failed was the farewell: whoever waits for our end must get it.
                    raise asyncio.CancelledError from None
                # A bug that one member's answers bring out must not stop the others.
                log.exception("worker.failed", cluster=cluster)
            finally:
                self.workers.pop(cluster, None)
                self._observers.pop(cluster, None)
            if self._clock.monotonic() - started > LASTING_SECONDS:
                failures = 0
            failures += 1
            await self._clock.sleep(min(RESTART_FIRST * 2 ** min(failures, 10), RESTART_MAX))

    def _observer(self, cluster: str, api: MemberApi, running: MemberWorker) -> ExportObserver:
        """Make what looks after the exports of a member beside its worker."""
        observer = self._observers[cluster] = ExportObserver(
            cluster,
            api,
            self._bus,
            self._interest,
            self._clock,
            imported=running.shown,
            within=self._beside is not None,
        )
        running.obeyed = observer.look_at
        return observer


def _is_pulled(cluster: Manifest) -> bool:
    """Whether a process beside the member works for it, and no other."""
    return (cluster.get("spec") or {}).get("mode") == "Pull"


def _mode_changed(change: Change) -> bool:
    before = change.previous
    return before is not None and _is_pulled(before.manifest) != _is_pulled(change.stored.manifest)


def _serves_other_kinds(change: Change) -> bool:
    before = change.previous
    if before is None:
        return False
    served, old = ((one.manifest.get("status") or {}) for one in (change.stored, before))
    return bool(served.get("apiEnablements") != old.get("apiEnablements"))


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
