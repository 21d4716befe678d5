"""What goes wrong in the history of a seed, and when it last did."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from tests.simulation.backups import Backups
from tests.simulation.history import EVERYWHERE, History
from tests.simulation.hub import Hub
from tests.simulation.member import Member
from tests.simulation.wire import Weather

LASTS_SECONDS = (0.5, 25.0)
_MODES = ("hangs", "hangs", "refuses", "throttles", "fails")


class Trouble:
    """Makes trouble until told to stop; then everything is well again."""

    def __init__(
        self,
        hub: Hub,
        members: Mapping[str, Member],
        *,
        backups: Backups,
        weather: Weather,
        chance: random.Random,
        history: History,
    ) -> None:
        self._hub = hub
        self._members = members
        self._backups = backups
        self._weather = weather
        self._chance = chance
        self._history = history
        self._last: dict[str, float] = {}
        self._going_on: Counter[str] = Counter()
        self._kinds: list[tuple[int, Callable[[], Coroutine[Any, Any, None]]]] = [
            (4, self._crash),
            (3, self._cut_from_nats),
            (3, self._cut_from_member),
            (4, self._make_sick),
            (2, self._restart_member),
            (1, self._restore_member),
        ]
        self._beside = [one for one in hub.processes.values() if one.beside]
        if self._beside:
            self._kinds.append((5, self._cut_off))
        # A part of the seeds has only members in trouble: then the others must notice nothing.
        self._members_only = chance.random() < 0.35
        if self._members_only:
            self._kinds = [
                (4, self._make_sick),
                (1, self._restart_member),
                (1, self._restore_member),
            ]
        else:
            self._storm()

    def _storm(self) -> None:
        chance, weather = self._chance, self._weather
        for name in ("lost", "unanswered", "slow", "repeated"):
            if chance.random() < 0.5:
                setattr(weather, name, chance.choice((0.002, 0.01, 0.04)))
        if chance.random() < 0.5:
            weather.crash = chance.choice((0.0005, 0.002))

    def last(self, cluster: str) -> float:
        """When anything was last wrong between the hub and *cluster*; inf while it is."""
        if self._going_on[EVERYWHERE] or self._going_on[cluster]:
            return math.inf
        return max(self._last.get(EVERYWHERE, 0.0), self._last.get(cluster, 0.0))

    async def run(self) -> None:
        """Until cancelled: one thing after the other, some at the same time."""
        if self._weather != Weather():
            self._going_on[EVERYWHERE] += 1
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._chance.expovariate(1 / 5.0))
                kinds = [kind for _, kind in self._kinds]
                weights = [weight for weight, _ in self._kinds]
                group.create_task(self._chance.choices(kinds, weights)[0]())

    def end(self) -> None:
        self._weather.calm()
        for process in self._hub.processes.values():
            for to in process.cuts:
                process.heal(to)
        for member in self._members.values():
            member.mode = "serves"
        self._going_on.clear()
        self._mark(EVERYWHERE)
        self._history.note("trouble ends")

    def _mark(self, where: str) -> None:
        self._last[where] = asyncio.get_running_loop().time()

    async def _lasting(self, where: str) -> None:
        self._going_on[where] += 1
        try:
            await asyncio.sleep(self._chance.uniform(*LASTS_SECONDS))
        finally:
            self._going_on[where] -= 1
            self._mark(where)

    async def _crash(self) -> None:
        process = self._hub.processes[self._chance.choice(sorted(self._hub.processes))]
        process.crash()
        await self._lasting(EVERYWHERE)

    async def _cut_from_nats(self) -> None:
        process = self._hub.processes[self._chance.choice(sorted(self._hub.processes))]
        if self._could_stop_nothing(process.beside):
            return
        out, back = self._chance.choice(((True, True), (True, False), (False, True)))
        self._history.note(f"{process.name} is cut from nats, out {out}, back {back}")
        process.cut("nats", out=out, back=back)
        await self._lasting(EVERYWHERE)
        self._history.note(f"{process.name} has nats again")
        process.heal("nats")

    async def _cut_from_member(self) -> None:
        member = self._chance.choice(sorted(self._members))
        callers = [name for name in self._hub.processes if name.startswith(("prop", "heal", "reg"))]
        process = self._hub.processes[self._chance.choice(sorted(callers))]
        out, back = self._chance.choice(((True, True), (True, False), (False, True)))
        self._history.note(f"{process.name} is cut from {member}, out {out}, back {back}")
        process.cut(member, out=out, back=back)
        await self._lasting(member)
        self._history.note(f"{process.name} has {member} again")
        process.heal(member)

    def _could_stop_nothing(self, name: str) -> bool:
        """Whether a member that is cut off now, or was, may not stop what is fenced in time.

        That its API answers for as long as the hub waits is what fencing takes for granted.
        """
        return name in self._members and self._members[name].mode != "serves"

    def _is_cut_off(self, name: str) -> bool:
        """Whether who would have to stop what is fenced there may be about to."""
        return any(one.beside == name and one.cuts for one in self._beside)

    async def _cut_off(self) -> None:
        """A member with all that runs beside it, from the hub and from NATS."""
        process = self._chance.choice(self._beside)
        name = process.beside
        if self._could_stop_nothing(name) or process.cuts:
            return
        ways = ((True, True), (True, False), (False, True))
        out, back = self._chance.choice(ways)
        self._history.note(f"{name} is cut off, out {out}, back {back}")
        process.cut("nats", out=out, back=back)
        callers = [one for one in self._hub.processes.values() if not one.beside]
        for caller in callers:
            caller.cut(name, out=True, back=self._chance.random() < 0.5)
        self._going_on[name] += 1
        try:
            await asyncio.sleep(self._chance.uniform(10.0, 60.0))
        finally:
            self._going_on[name] -= 1
            self._mark(name)
        self._history.note(f"{name} is there again")
        process.heal("nats")
        for caller in callers:
            caller.heal(name)

    async def _make_sick(self) -> None:
        member = self._members[self._chance.choice(sorted(self._members))]
        if self._is_cut_off(member.name):
            return
        member.mode = self._chance.choice(_MODES)
        self._history.note(f"{member.name} {member.mode}")
        await self._lasting(member.name)
        self._history.note(f"{member.name} serves again")
        member.mode = "serves"

    async def _restart_member(self) -> None:
        member = self._members[self._chance.choice(sorted(self._members))]
        self._history.note(f"{member.name} restarts")
        member.restart()
        self._mark(member.name)

    async def _restore_member(self) -> None:
        """Back a member up, and let it come back from that later."""
        name = self._chance.choice(sorted(self._members))
        self._backups.take(name)
        await asyncio.sleep(self._chance.uniform(1.0, 40.0))
        if self._could_stop_nothing(name) or self._is_cut_off(name):
            return
        self._going_on[name] += 1
        try:
            await self._backups.bring_back(name)
        finally:
            self._going_on[name] -= 1
            self._mark(name)
