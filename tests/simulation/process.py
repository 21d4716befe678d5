"""A process of the hub: lives, dies at any step, and is started anew, as a supervisor does it."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from services.propagator.apply.fence import Fence
from services.propagator.core.fence import FenceSettings
from shared.bus.memory import MemoryBus
from shared.clock import Clock
from shared.controller.loop import LoopSettings
from shared.lease.settings import LeaseSettings, Life
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.port import MemberApi
from shared.runtime.process import Runnable
from shared.store.port import EVERYTHING, UNWATCHED, Scope, StoreLimits
from tests.simulation.history import History, actor
from tests.simulation.member import Ledger, Member
from tests.simulation.member_api import DirectMemberApi
from tests.simulation.messages import RemoteBus
from tests.simulation.objects import Bucket, RemoteStore
from tests.simulation.wire import Incarnation, Line, Weather

FENCE = FenceSettings(
    renewal=timedelta(seconds=1),
    patience=timedelta(seconds=3),
    # It may die twice in a row.
    restart=timedelta(seconds=12),
    act=timedelta(seconds=3),
)
NATS_DEADLINE = 10.0
MEMBER_DEADLINE = 15.0
RESTART_SECONDS = (0.2, 4.0)
# As services have it, but that what is packed is read even in a small federation.
_FOLLOWED = replace(UNWATCHED, unpacked_max=4)
FAIL_FAST = LoopSettings(fail_fast=True)


@dataclass(frozen=True, slots=True)
class Shared:
    """What outlives processes."""

    bucket: Bucket
    streams: MemoryBus
    members: Mapping[str, Member]
    weather: Weather
    history: History
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Ports:
    """What one life of a process is wired from."""

    name: str
    store: RemoteStore
    bus: RemoteBus
    clock: Clock
    connect: Callable[[str], AbstractAsyncContextManager[MemberApi]]
    lease: LeaseSettings
    fence: Fence | None = None
    """That of the member beside which it runs."""


Body = Callable[[Ports], AbstractAsyncContextManager[Mapping[str, Runnable]]]


class Process:
    """One replica of a service; *body* wires it from its ports."""

    def __init__(
        self,
        name: str,
        body: Body,
        shared: Shared,
        clock: Clock,
        chance: random.Random,
        *,
        scopes: Sequence[Scope] = (EVERYTHING,),
        limits: StoreLimits = _FOLLOWED,
        beside: str = "",
    ) -> None:
        """*beside*: the member beside which it runs; its way there is short and dry."""
        self.name = name
        self.beside = beside
        self._body = body
        self._shared = shared
        self._clock = clock
        self._chance = chance
        self._scopes = scopes
        self._limits = limits
        self._cut: dict[str, tuple[bool, bool]] = {}
        self.life: Incarnation | None = None
        self.lines: dict[str, Line] = {}
        self._task: asyncio.Task[None] | None = None
        self._wanted = False
        # Who lived here before, where the machine has a disk on which to find it.
        self._dead: list[str] = []
        self._has_disk = chance.random() < 0.5

    # Living and dying.

    def start(self) -> None:
        if self.life is not None and not self.life.dead:
            return
        self._wanted = True
        token = actor.set(self.name)
        life = self.life = Incarnation(self.name, self._shared.history)
        life.at_death(self._on_death)
        self.lines = {}
        self._shared.history.note("starts")
        task = self._task = asyncio.create_task(self._live(life), name=self.name)
        life.at_death(task.cancel)
        actor.reset(token)

    def stop_for_good(self) -> None:
        self._wanted = False
        if self.life is not None:
            self.life.die("is taken away")

    def crash(self) -> None:
        if self.life is not None:
            self.life.die("crashes")

    def _on_death(self) -> None:
        if self._wanted:
            delay = self._chance.uniform(*RESTART_SECONDS)
            asyncio.get_running_loop().call_later(delay, self._restart)

    def _restart(self) -> None:
        if self._wanted:
            self.start()

    async def _live(self, life: Incarnation) -> None:
        try:
            async with self._guarded(life) as fence:
                await self._work(life, fence)
        except asyncio.CancelledError:
            if not life.dead:
                raise
        except BaseExceptionGroup as group:
            self._judge(group, life)
        except Exception as err:  # noqa: BLE001 - judged like the others.
            self._judge(BaseExceptionGroup("", [err]), life)

    @asynccontextmanager
    async def _guarded(self, life: Incarnation) -> AsyncIterator[Fence | None]:
        """The guard of the member stands before there is a store or a bus."""
        if not self.beside:
            yield None
            return
        async with self._connect(self.beside, life) as api, asyncio.TaskGroup() as group:
            fence = Fence(self.beside, api, self._clock, FENCE)
            guard = group.create_task(fence.guard(), name=f"{self.name}/guard")
            yield fence
            guard.cancel()

    async def _work(self, life: Incarnation, fence: Fence | None) -> None:
        nats = self._line("nats", life, NATS_DEADLINE, ordered=True)
        store = RemoteStore(self._shared.bucket, nats, self._scopes, self._limits)
        await store.open()
        bus = RemoteBus(self._shared.streams, nats)
        ports = Ports(
            self.name,
            store,
            bus,
            self._clock,
            lambda name: self._connect(name, life),
            self._lease(),
            fence,
        )
        async with self._body(ports) as tasks, asyncio.TaskGroup() as group:
            for name, run in tasks.items():
                group.create_task(run(), name=f"{self.name}/{name}")

    def _lease(self) -> LeaseSettings:
        """As a process begins whose predecessor was killed and not stopped."""
        known = Life(f"{self.name}-{len(self._dead) + 1}", frozenset(self._dead))
        self._dead.append(known.identity)
        return LeaseSettings(name=self.name, life=known if self._has_disk else None)

    def _judge(self, group: BaseExceptionGroup[BaseException], life: Incarnation) -> None:
        """No process ends by itself, whatever NATS or a member does."""
        if life.dead:
            return
        self._shared.history.violated("no bugs", f"{self.name} ended: {_first(group)!r}")
        life.die(f"ends by itself: {_first(group)}")

    # Lines.

    def _line(self, to: str, life: Incarnation, deadline: float, *, ordered: bool) -> Line:
        weather = Weather() if to == self.beside else self._shared.weather
        line = Line(life, to, weather, self._chance, deadline=deadline, ordered=ordered)
        line.out_cut, line.in_cut = self._cut.get(to, (False, False))
        self.lines[to] = line
        return line

    def cut(self, to: str, *, out: bool, back: bool) -> None:
        self._cut[to] = (out, back)
        if to in self.lines:
            self.lines[to].cut(out=out, back=back)

    def heal(self, to: str) -> None:
        self._cut.pop(to, None)
        if to in self.lines:
            self.lines[to].heal()

    @property
    def cuts(self) -> Sequence[str]:
        return tuple(self._cut)

    @asynccontextmanager
    async def _connect(self, name: str, life: Incarnation) -> AsyncIterator[MemberApi]:
        line = self.lines.get(name)
        if line is None or line.life is not life:
            line = self._line(name, life, MEMBER_DEADLINE, ordered=False)
        yield DirectMemberApi(self._shared.members[name], line, self._shared.ledger)


def member_of(credentials: MemberCredentials) -> str:
    """The name of the member that *credentials* lead to."""
    return credentials.server.removeprefix("https://")


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
