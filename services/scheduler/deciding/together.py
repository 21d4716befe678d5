"""Workloads that one WorkloadRebalancer has placed anew under one policy, placed together.

The first of them that is decided has the goals of all worked out, the others wait for that. A goal
is what each then goes to by its own decision, as if it alone had been placed anew.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.reading import Bound
from services.scheduler.core.circumstances import Together
from services.scheduler.core.policies import policy_key, reference_to
from services.scheduler.core.together.choosing import Chosen
from services.scheduler.core.together.problem import takes_part
from services.scheduler.core.workload import Workload
from services.scheduler.deciding.proposing import place_together
from shared.api.binding import ResourceBinding
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import ObjectKey
from shared.clock import Clock

_SETS_MAX = 16
"""Sets whose goals are known yet: each is asked for once by each of its workloads."""

_Set = tuple[ObjectKey, str]
Asked = Callable[[ObjectKey, ResourceBinding | None], str]
Read = Callable[[ObjectKey, PropagationPolicy], Workload | None]


class TogetherPlacing:
    """Remembers the sets that were worked out, by policy and by when somebody asked."""

    def __init__(self, federation: Federation, clock: Clock, asked: Asked, read: Read) -> None:
        self._federation = federation
        self._clock = clock
        self._asked = asked
        self._read = read
        self._found: dict[_Set, asyncio.Task[Chosen]] = {}

    async def prepare(self, key: ObjectKey, policy: PropagationPolicy, bound: Bound | None) -> None:
        """Have the goal of the template at *key* worked out, where its policy asks for that."""
        which = self._set_of(key, policy, bound)
        if which is None:
            return
        if which not in self._found:
            while len(self._found) >= _SETS_MAX:
                del self._found[next(iter(self._found))]
            self._found[which] = asyncio.ensure_future(self._work_out(which, policy))
        await asyncio.wait([self._found[which]])

    def goal_of(
        self, key: ObjectKey, policy: PropagationPolicy, bound: Bound | None
    ) -> Together | None:
        """Return the goal that was worked out; None where it has none, and is placed by itself."""
        which = self._set_of(key, policy, bound)
        task = self._found.get(which) if which is not None else None
        if task is None or not task.done():
            return None
        chosen = task.result()
        return Together(chosen.goals[key], chosen.note) if key in chosen.goals else None

    def _set_of(
        self, key: ObjectKey, policy: PropagationPolicy, bound: Bound | None
    ) -> _Set | None:
        if policy.spec.placement.optimise is None or bound is None:
            return None
        at = self._asked(key, bound.binding)
        return (policy_key(reference_to(policy)), at) if at else None

    async def _work_out(self, which: _Set, policy: PropagationPolicy) -> Chosen:
        rules = policy.spec.placement.optimise
        assert rules is not None, "only such policies have sets"
        place, at = which
        workloads = []
        for key in sorted(self._federation.templates_under(place), key=str):
            bound = self._federation.bound(key)
            if bound is None or self._asked(key, bound.binding) != at:
                continue
            workload = self._read(key, policy)
            if workload is not None and takes_part(workload):
                workloads.append(workload)
        fleet = self._federation.reservations.fleet(self._federation.fleet())
        signals = self._federation.signals.now
        return await place_together(workloads, fleet, rules, signals, self._clock.now())


def by_itself(workload: Workload) -> Workload:
    """Return it as one that anything may move, and that nobody asked to have placed anew."""
    about = workload.circumstances
    if about is None:
        return workload
    return replace(workload, circumstances=replace(about, afresh=False, moves_when=None))
