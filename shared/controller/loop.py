"""The one reconcile loop: wakes by key, bounded workers, back-off, quarantine.

What an error means is decided here and nowhere else. Retryable: again, later. Terminal: this key
rests until something about it changes. Anything else is a bug: the key is quarantined for long and
the fleet goes on, except with `fail_fast`, where every bug is fatal.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

import structlog

from shared.controller.queue import KeyQueue
from shared.controller.result import Again, Reconciler, Result
from shared.controller.turns import Urgency, change_of_any
from shared.errors import RetryableError, StaleRevision, TerminalError
from shared.store.port import Change, ChangeType, Mirror, Scope
from shared.telemetry import metrics

Key = TypeVar("Key", bound=Hashable)

log = structlog.get_logger("hanse.controller")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How hard a controller works and how long it waits after a failure."""

    workers: int = 16
    """Keys reconciled at the same time."""

    deadline: timedelta = timedelta(seconds=60)
    """How long one reconcile may take before it counts as failed."""

    backoff_first: timedelta = timedelta(milliseconds=50)
    backoff_max: timedelta = timedelta(seconds=30)

    quarantine: timedelta = timedelta(minutes=5)
    """How long a key rests after a bug."""

    resync: timedelta = timedelta(minutes=10)
    """Every key is looked at this often though nothing changed."""

    fail_fast: bool = False
    """Let a bug end the process: for tests and simulation."""


class Controller(Generic[Key]):
    """Runs one reconciler over the keys that woke."""

    def __init__(
        self,
        name: str,
        reconciler: Reconciler[Key],
        settings: LoopSettings | None = None,
        urgency_of: Callable[[Key], Urgency] | None = None,
    ) -> None:
        """*urgency_of* is asked of each key that wakes; without it all are changes."""
        self.name = name
        self._reconciler = reconciler
        self._settings = settings or LoopSettings()
        self._queue: KeyQueue[Key] = KeyQueue(urgency_of=urgency_of or change_of_any)
        # Workers at the same time, how many there are, and what they run in.
        self._limit = self._settings.workers
        self._employed = 0
        self._tasks: asyncio.TaskGroup | None = None
        self._failures: dict[Key, int] = {}
        # What is under way, and when it must have ended; the oldest first.
        self._deadlines: dict[asyncio.Timeout, float] = {}
        self._sources: list[tuple[Mirror, Scope, Callable[[Change], Iterable[Key]]]] = []
        self._stops: list[Callable[[], None]] = []
        # Looking a metric up by its labels costs more than counting.
        self._outcomes = {
            outcome: metrics.RECONCILES.labels(name, outcome)
            for outcome in ("done", "retry", "refused", "bug")
        }
        self._seconds = metrics.RECONCILE_SECONDS.labels(name)
        self._waiting = metrics.QUEUE_LENGTH.labels(name)

    def wake(self, key: Key) -> None:
        self._queue.add(key)

    def wake_after(self, key: Key, delay: timedelta) -> None:
        self._queue.add_after(key, delay.total_seconds())

    def limit(self, keys: int) -> None:
        """Reconcile no more than so many at the same time, until told otherwise."""
        self._limit = min(keys, self._settings.workers)
        self._queue.limit(self._limit)
        self._employ()

    def _employ(self) -> None:
        """Start as many workers as were ever needed, once it runs."""
        if self._tasks is None:
            return
        while self._employed < self._limit:
            self._tasks.create_task(self._work(), name=f"{self.name}-{self._employed}")
            self._employed += 1

    def hold(self, delay: timedelta) -> None:
        """Begin with no key for so long; what is under way goes on."""
        self._queue.hold(delay.total_seconds())

    @property
    def waiting(self) -> int:
        """Keys that wait for their turn or their time."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        return self._queue.idle

    def watch(self, mirror: Mirror, scope: Scope, keys: Callable[[Change], Iterable[Key]]) -> None:
        """Wake the keys that *keys* names for every object there is now and every later change."""
        self._sources.append((mirror, scope, keys))

        def on_change(change: Change) -> None:
            if scope.covers(change.stored.key):
                self._wake_by(change, keys)

        self._stops.append(mirror.on_change(on_change))
        self._wake_source(mirror, scope, keys)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._employ()
                tasks.create_task(self._resync(), name=f"{self.name}-resync")
                tasks.create_task(self._enforce_deadlines(), name=f"{self.name}-deadlines")
        finally:
            self._tasks = None
            for stop in self._stops:
                stop()

    def _wake_source(
        self, mirror: Mirror, scope: Scope, keys: Callable[[Change], Iterable[Key]]
    ) -> None:
        for stored in list(mirror.items(scope)):
            self._wake_by(Change(ChangeType.ADDED, stored), keys)

    def _wake_by(self, change: Change, keys: Callable[[Change], Iterable[Key]]) -> None:
        try:
            found = list(keys(change))
        except Exception:
            if self._settings.fail_fast:
                raise
            # One object that brings out a bug must not end whoever follows them all.
            log.exception("wake.bug", controller=self.name, key=str(change.stored.key))
            return
        for key in found:
            self._queue.add(key)

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._settings.resync.total_seconds())
            for source in self._sources:
                self._wake_source(*source)

    async def _enforce_deadlines(self) -> None:
        """End what takes too long, a twentieth late at most.

        One timer for all: an own one for each key costs more than many a key does.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._settings.deadline.total_seconds() / 20)
            now = loop.time()
            for timeout, due in list(self._deadlines.items()):
                if due > now:
                    break
                # Once: it may take a while to end.
                del self._deadlines[timeout]
                timeout.reschedule(now)

    async def _work(self) -> None:
        while True:
            key = await self._queue.take()
            started = time.perf_counter()
            try:
                outcome = await self._reconcile(key)
            finally:
                self._queue.finish(key)
            self._outcomes[outcome].inc()
            self._seconds.observe(time.perf_counter() - started)
            self._waiting.set(len(self._queue))

    async def _reconcile(self, key: Key) -> str:
        """Reconcile *key* once and plan its next turn; returns the outcome for the metrics."""
        try:
            result = await self._in_time(key)
        except RetryableError as err:
            self._back_off(key, err.retry_after)
            if not isinstance(err, StaleRevision):
                log.warning("reconcile.retry", controller=self.name, key=str(key), error=str(err))
            return "retry"
        except TimeoutError:
            self._back_off(key, None)
            log.warning("reconcile.deadline", controller=self.name, key=str(key))
            return "retry"
        except TerminalError as err:
            self._failures.pop(key, None)
            log.warning(
                "reconcile.refused",
                controller=self.name,
                key=str(key),
                reason=err.reason,
                error=str(err),
            )
            return "refused"
        except Exception:
            if self._settings.fail_fast:
                raise
            self._queue.add_after(key, self._settings.quarantine.total_seconds())
            log.exception("reconcile.bug", controller=self.name, key=str(key))
            return "bug"
        self._failures.pop(key, None)
        if isinstance(result, Again):
            self._queue.add_after(key, result.after.total_seconds())
        return "done"

    async def _in_time(self, key: Key) -> Result:
        """Raise TimeoutError where it takes longer than the deadline."""
        async with asyncio.timeout(None) as timeout:
            seconds = self._settings.deadline.total_seconds()
            self._deadlines[timeout] = asyncio.get_running_loop().time() + seconds
            try:
                return await self._reconciler.reconcile(key)
            finally:
                self._deadlines.pop(timeout, None)

    def _back_off(self, key: Key, retry_after: timedelta | None) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        first = self._settings.backoff_first.total_seconds()
        most = self._settings.backoff_max.total_seconds()
        delay = min(first * 2 ** min(failures, 20), most)
        if retry_after is not None:
            delay = max(delay, retry_after.total_seconds())
        self._queue.add_after(key, delay)
