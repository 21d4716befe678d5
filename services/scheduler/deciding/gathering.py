"""Newcomers under a policy that optimises: they wait a moment for one another, and are placed then.

The first opens a set, which is closed when its time is over or it is full. One set is worked out
after the other, so that each finds the room that the last one left. Nothing is kept of it but in
memory: whoever begins anew gathers anew those that are not placed yet.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.reading import Bound
from services.scheduler.core.circumstances import Together
from services.scheduler.core.policies import reference_to
from services.scheduler.core.together.problem import takes_part
from services.scheduler.core.workload import Workload
from services.scheduler.deciding.proposing import place_together
from shared.api.binding import PolicyReference
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import ObjectKey
from shared.clock import Clock

SET_MAX = 100
"""Newcomers in a set: so many are worked out in a second or two over tens of clusters."""

_TAKING_SECONDS = 5.0
"""How long the next set waits for those of the last one to be decided."""

Read = Callable[[ObjectKey, PropagationPolicy], Workload | None]
Wake = Callable[[ObjectKey], None]


@dataclass(slots=True, eq=False)
class _Set:
    """`left` are those that have not been decided since it was worked out."""

    policy: PropagationPolicy
    due: float
    keys: dict[ObjectKey, None] = field(default_factory=dict)
    worked_out: bool = False
    goals: dict[ObjectKey, Together] = field(default_factory=dict)
    left: set[ObjectKey] = field(default_factory=set)
    taken: asyncio.Event = field(default_factory=asyncio.Event)

    def is_by(self, policy: PropagationPolicy) -> bool:
        """Whether it was gathered by this policy, as that is now."""
        return reference_to(policy) == reference_to(self.policy)


class Gathering:
    """Asked of each template that is decided; *wake* is called with those that need wait no more.

    *read* returns what is to be placed; None for what cannot be read.
    """

    def __init__(self, federation: Federation, clock: Clock, read: Read, wake: Wake) -> None:
        self._federation = federation
        self._clock = clock
        self._read = read
        self._wake = wake
        self._of: dict[ObjectKey, _Set] = {}
        # By the policy as it is now: whoever comes after a change of it opens another set.
        self._open: dict[PolicyReference, _Set] = {}
        self._closed: list[_Set] = []
        self._changed = asyncio.Event()
        """A set was opened, or is full."""

    def holds_back(self, key: ObjectKey, policy: PropagationPolicy, bound: Bound | None) -> bool:
        """Whether the template waits for others, or for what is being worked out."""
        rules = policy.spec.placement.optimise
        if rules is None or not rules.gather_seconds or bound is not None:
            return False
        known = self._of.get(key)
        if known is None:
            workload = self._read(key, policy)
            if workload is None or not takes_part(workload):
                return False
            known = self._join(key, policy, rules.gather_seconds)
        return known.is_by(policy) and not known.worked_out

    def goal_of(self, key: ObjectKey, policy: PropagationPolicy) -> Together | None:
        """Return where the template goes with the others of its set; None where by itself."""
        known = self._of.get(key)
        if known is None or not known.worked_out:
            return None
        known.left.discard(key)
        if not known.left:
            known.taken.set()
        return known.goals.get(key) if known.is_by(policy) else None

    async def run(self) -> None:
        """Work out one set after the other until cancelled."""
        while True:
            while self._closed or self._open:
                await self._work_out(await self._next())
            self._changed.clear()
            await self._changed.wait()

    def _join(self, key: ObjectKey, policy: PropagationPolicy, seconds: int) -> _Set:
        at = reference_to(policy)
        found = self._open.get(at)
        if found is None:
            found = self._open[at] = _Set(policy, self._clock.monotonic() + seconds)
            self._changed.set()
        self._of[key] = found
        found.keys[key] = None
        if len(found.keys) >= SET_MAX:
            self._closed.append(self._open.pop(at))
            self._changed.set()
        return found

    async def _next(self) -> _Set:
        """Return the set that is full first, or whose time is over first, however late it came."""
        while not self._closed:
            at, found = min(self._open.items(), key=lambda item: item[1].due)
            left = found.due - self._clock.monotonic()
            if left <= 0:
                return self._open.pop(at)
            self._changed.clear()
            waiting = asyncio.ensure_future(self._clock.sleep(left))
            changing = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait((waiting, changing), return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
                changing.cancel()
        return self._closed.pop(0)

    async def _work_out(self, found: _Set) -> None:
        """Work out *found*, have its workloads decided, and forget it once they are."""
        rules = found.policy.spec.placement.optimise
        assert rules is not None, "only such policies have sets"
        chosen = await place_together(
            self._workloads(found),
            self._federation.reservations.fleet(self._federation.fleet()),
            rules,
            self._federation.signals.now,
            self._clock.now(),
        )
        found.goals = {key: Together(goal, chosen.note) for key, goal in chosen.goals.items()}
        found.left = set(found.keys)
        found.worked_out = True
        # In the order in which they found their nodes: in another one the last may find none.
        for key in dict.fromkeys((*found.goals, *found.keys)):
            self._wake(key)
        with suppress(TimeoutError):
            async with asyncio.timeout(_TAKING_SECONDS):
                await found.taken.wait()
        for key in found.keys:
            del self._of[key]

    def _workloads(self, found: _Set) -> Sequence[Workload]:
        """Return those that are still there, and have no place yet."""
        workloads = []
        for key in sorted(found.keys, key=str):
            if not self._federation.is_bound(key):
                workload = self._read(key, found.policy)
                if workload is not None and takes_part(workload):
                    workloads.append(workload)
        return workloads
