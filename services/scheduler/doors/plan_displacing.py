"""Who would give way to whom in a plan, by the search that is made when it comes to it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import msgspec

from services.scheduler.cache.priorities import Priorities
from services.scheduler.core.circumstances import Circumstances, Demotion
from services.scheduler.core.decision import Unschedulable
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.planning import Rehearsal, rehearse
from services.scheduler.core.preemption.choosing import Preemption, displacing
from services.scheduler.core.preemption.rank import Rank
from services.scheduler.core.workload import Workload
from shared.apimachinery.manifest import ObjectKey
from shared.clock import format_micro_time
from shared.events.planning import PlannedChange, PlannedDisplacement


class PlannedDisplacing:
    """Of one plan: who has to give way by now, and in which clusters."""

    def __init__(self, priorities: Priorities, now: datetime) -> None:
        self._priorities = priorities
        self._now = now
        self._demotions: dict[ObjectKey, list[Demotion]] = {}
        self._displaced: dict[ObjectKey, tuple[PlannedDisplacement, ...]] = {}

    def rehearse(self, workload: Workload, rank: Rank, fleet: Fleet) -> Rehearsal:
        """Rehearse a decision; where it has no place, with others of a lower priority away."""
        workload = self._demoted(workload)
        found = rehearse(workload, fleet, self._now)
        first = found.first
        if not isinstance(first, Unschedulable) or first.reason != "Unschedulable":
            return found
        preemption = self._priorities.find(workload, rank, fleet, besides=self._demotions.keys())
        if preemption is None:
            return found
        self._note(workload, rank, preemption)
        decision = displacing(preemption, rank, self._now)
        last = rehearse(workload, preemption.fleet, self._now).last
        return Rehearsal(decision, replace(last, notes=decision.notes))

    def _demoted(self, workload: Workload) -> Workload:
        demotions = self._demotions.get(workload.key)
        if not demotions:
            return workload
        about = workload.circumstances or Circumstances()
        return replace(workload, circumstances=replace(about, demotions=tuple(demotions)))

    def _note(self, workload: Workload, rank: Rank, found: Preemption) -> None:
        key = workload.key
        place = f"{key.namespace}/" if key.namespace else ""
        told = []
        for one in found.displaced:
            message = (
                f"it gives way to {workload.gvk.kind} {place}{key.name}, of priority"
                f" {rank.priority} over {one.tenant.priority}"
            )
            demotion = Demotion(
                cluster=one.cluster,
                replicas=one.replicas,
                preemptor=str(key),
                since=format_micro_time(self._now),
                message=message,
            )
            self._demotions.setdefault(one.tenant.resource.key, []).append(demotion)
            resource = one.tenant.resource
            told.append(
                PlannedDisplacement(
                    kind=resource.kind,
                    namespace=resource.namespace,
                    name=resource.name,
                    cluster=one.cluster,
                    replicas=one.replicas,
                    priority=one.tenant.priority,
                )
            )
        self._displaced[key] = tuple(told)

    def victims(self) -> Iterator[ObjectKey]:
        """Yield those that are to be decided again, as they have to give way."""
        yield from tuple(self._demotions)

    def told(self, key: ObjectKey, rank: Rank, change: PlannedChange) -> PlannedChange:
        """Return *change* with who gives way to it."""
        displaced = self._displaced.get(key, ())
        # Who gives way is named by itself.
        notes = () if displaced else change.notes
        return msgspec.structs.replace(
            change, priority=rank.priority, displaces=displaced, notes=notes
        )
