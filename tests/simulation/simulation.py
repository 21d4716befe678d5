"""One seed: a federation in one process, a history of deeds and troubles, and what must hold.

Everything by chance comes from the seed, and time is virtual, so a seed happens the same way each
time (under one PYTHONHASHSEED).
"""

import asyncio
import gc
import random
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog

from shared.bus.memory import MemoryBus
from tests.simulation.backups import Backups
from tests.simulation.duties import Duties
from tests.simulation.history import History, Violation, actor
from tests.simulation.hub import Hub
from tests.simulation.invariants import LOSES_NOTHING, Watcher
from tests.simulation.member import Member
from tests.simulation.objects import Bucket
from tests.simulation.people import People
from tests.simulation.process import Shared
from tests.simulation.traffic import TrafficWatcher
from tests.simulation.trouble import Trouble
from tests.simulation.virtual_time import SkewedClock, Stalled, VirtualLoop
from tests.simulation.wire import DEAD, Weather

JOIN_SECONDS = 60.0
_LOOK_SECONDS = 5.0
_ENDING_ROUNDS = 50
_STILL_SECONDS = 40.0
REPLICATED = ("gateway", "registry", "scheduler", "health", "propagator")
_REGIONS = ("eu", "us", "ap", "af")
_BUGS = frozenset(
    {
        "reconcile.bug",
        "wake.bug",
        "worker.failed",
        "tidying.bug",
        "request.bug",
        "exports.failed",
    }
)


@dataclass(frozen=True, slots=True)
class Length:
    """How long a history is."""

    deeds: int = 25
    members: int = 3
    rest_seconds: float = 1_500.0
    """Until all must be as it was decided, once the trouble is over."""

    fenced: bool = False
    """With propagators beside members, and a workload that must not run in two of them."""

    traffic: bool = False
    """With services that members export to one another, and policies of traffic."""
    replacing: bool = False
    """With templates that take the place of deleted ones, and differ where nobody can change it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed. `rested` is how long all took to come to rest after the trouble."""

    seed: int
    violation: str
    events: int
    digest: str
    rested: float
    lines: tuple[str, ...]


def begin() -> None:
    """Spare the garbage collector what all seeds share, in a process that runs many.

    The first of them makes most of it.
    """
    simulate(0, Length(deeds=1))
    gc.collect()
    gc.freeze()


def simulate(seed: int, length: Length | None = None, *, lines_max: int | None = 120) -> Outcome:
    """Run *seed* from its beginning to its end; keeps the last *lines_max* lines (None: all)."""
    loop = VirtualLoop()
    history = History(loop.time, lines_max=lines_max)
    run = _Run(seed, length or Length(), history)
    loop.set_exception_handler(run.on_lost_error)
    structlog.configure(processors=[run.on_log], cache_logger_on_first_use=False)
    violation = ""
    try:
        loop.run_until_complete(run.play())
    except (Violation, Stalled) as err:
        violation = str(err)
    finally:
        _end(loop, run)
        structlog.reset_defaults()
    return Outcome(seed, violation, history.count, history.digest, run.rested, tuple(history.lines))


def _end(loop: VirtualLoop, run: "_Run") -> None:
    """Leave nothing behind: a thousand seeds run in one process."""
    loop.set_exception_handler(lambda _loop, _context: None)
    run.tear_down()
    for _ in range(_ENDING_ROUNDS):
        left = asyncio.all_tasks(loop)
        if not left:
            break
        for task in left:
            task.cancel()
        # Twice: what a farewell begins must begin, too, before it can be ended.
        for _ in range(2):
            loop.call_soon(loop.stop)
            loop.run_forever()
    loop.close()


class _Run:
    def __init__(self, seed: int, length: Length, history: History) -> None:
        self._seed = seed
        self._length = length
        self._history = history
        self._chance = random.Random(f"{seed}/run")
        self.rested = 0.0
        self._hub: Hub | None = None
        self._duties: Duties | None = None
        self._traffic: TrafficWatcher | None = None

    async def play(self) -> None:
        chance, length, history = self._chance, self._length, self._history
        weather = Weather()
        members = {name: self._member(name, number) for number, name in enumerate(_names(length))}
        bucket, streams = Bucket(), MemoryBus("nats")
        for member in members.values():
            await member.start()
        trouble: Trouble | None = None

        def disturbed(cluster: str) -> float:
            return trouble.last(cluster) if trouble is not None else float("inf")

        watcher = Watcher(history, bucket, streams, members, disturbed)
        shared = Shared(bucket, streams, members, weather, history, watcher)
        replicas = {name: chance.choice((1, 1, 2)) for name in REPLICATED}
        replicas["traffic"] = chance.choice((1, 2)) if length.traffic else 0
        if length.traffic:
            self._traffic = TrafficWatcher(history, bucket, streams, watcher)
        hub = self._hub = Hub(shared, str(self._seed), replicas=replicas, pulled=self._pulled())
        self._duties = Duties(history, hub.processes)
        doing = random.Random(f"{self._seed}/people")
        people = People(
            hub, members, doing, history, traffic=length.traffic, replacing=length.replacing
        )
        # 1. All begins well.
        for process in hub.processes.values():
            process.start()
        await people.found()
        await asyncio.sleep(5.0)
        self._check()
        # 2. People do things while things go wrong.
        backups = Backups(members, bucket, random.Random(f"{self._seed}/backups"), history)
        trouble = Trouble(
            hub,
            members,
            backups=backups,
            weather=weather,
            chance=random.Random(f"{self._seed}/trouble"),
            history=history,
        )
        troubling = asyncio.create_task(trouble.run())
        deeds = []
        for _ in range(length.deeds):
            await asyncio.sleep(chance.expovariate(1 / 2.5))
            deeds.append(asyncio.create_task(people.act()))
            self._check()
        await asyncio.sleep(chance.uniform(0.0, 10.0))
        troubling.cancel()
        await asyncio.wait([troubling])
        # 3. The trouble ends, and everything must come to rest as it was decided.
        trouble.end()
        for process in hub.processes.values():
            process.start()
        # Whoever waits for a member that was cut off gets it now.
        await asyncio.wait(deeds)
        await self._rest(watcher, people)

    def _pulled(self) -> list[str]:
        """Name the members beside which a propagator runs: most of them."""
        if not self._length.fenced:
            return []
        chance = random.Random(f"{self._seed}/pulled")
        names = _names(self._length)
        return sorted(chance.sample(names, len(names) - chance.choice((0, 1))))

    def _member(self, name: str, number: int) -> Member:
        chance = random.Random(f"{self._seed}/{name}")
        clock = SkewedClock(chance.uniform(-2.0, 2.0))
        return Member(name, _REGIONS[number % len(_REGIONS)], clock, chance)

    async def _rest(self, watcher: Watcher, people: People) -> None:
        loop = asyncio.get_running_loop()
        began = well_since = loop.time()
        before: list[str] = []
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await people.release_rollouts()
            self._check()
            unfinished = watcher.unfinished()
            if self._traffic is not None:
                unfinished += self._traffic.unfinished()
            if unfinished != before:
                self._history.note("unfinished: " + ("; ".join(unfinished[:5]) or "nothing"))
            before = unfinished
            if unfinished:
                well_since = loop.time()
                self.rested = loop.time() - began
                if loop.time() - began > self._length.rest_seconds:
                    raise Violation(LOSES_NOTHING, "; ".join(unfinished[:5]))
            elif loop.time() - well_since >= _STILL_SECONDS:
                return

    def _check(self) -> None:
        if self._history.violations:
            raise self._history.violations[0]

    def tear_down(self) -> None:
        if self._hub is not None:
            for process in self._hub.processes.values():
                process.stop_for_good()

    def on_lost_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Nobody took note of an error: a bug, unless of a process that was killed."""
        self._history.note(f"lost: {context.get('message')} {context.get('exception')!r}")

    def on_log(self, _logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        """What services log belongs to the event log."""
        name = event.pop("event", "")
        error = event.pop("exc_info", None)
        if method == "debug" or self._is_dying():
            # The last words of the dead reach nobody, and come in no order.
            raise structlog.DropEvent
        if name.startswith("lease.") and self._duties is not None:
            self._duties.hear(actor.get(), name, str(event.get("lease")))
        words = " ".join(f"{key}={value}" for key, value in event.items())
        self._history.note(f"{method}: {name} {words}"[:240])
        if name in _BUGS:
            found = error if isinstance(error, BaseException) else sys.exc_info()[1]
            if found is not None and _is_of_the_dead(found):
                # Of a former life: the process has been started anew since.
                raise structlog.DropEvent
            self._history.violated("no bugs", f"{name} {words}: {found!r}")
        raise structlog.DropEvent

    def _is_dying(self) -> bool:
        if self._hub is None:
            return False
        process = self._hub.processes.get(actor.get())
        return process is not None and (process.life is None or process.life.dead)


def _is_of_the_dead(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_of_the_dead(one) for one in error.exceptions)
    return str(error) == DEAD


def _names(length: Length) -> list[str]:
    return [f"m{number}" for number in range(1, length.members + 1)]
