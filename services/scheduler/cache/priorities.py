"""PriorityClasses, and who may give way to whom, as the store has it."""

import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from services.scheduler.cache.placed import PlacedTemplates
from services.scheduler.cache.reading import Bound
from services.scheduler.core.change.restraint import is_moving
from services.scheduler.core.circumstances import COMMON, Demotion, Precedence
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.preemption.choosing import (
    Preemption,
    Tenant,
    may_preempt,
    preempt,
)
from services.scheduler.core.preemption.rank import Rank, Ranks, class_of
from services.scheduler.core.preemption.yielding import has_answered, is_rested
from services.scheduler.core.reserving import shares_of
from services.scheduler.core.room import ask_of
from services.scheduler.core.workload import Workload
from shared.api.binding import BindingSpec, Preempting, is_built_in
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.clock import Clock
from shared.errors import InvalidObject
from shared.interpreter.registry import InterpreterSource
from shared.interpreter.replicas import can_be_stopped
from shared.store.port import Change, ChangeType, Mirror, Scope

CLASSES = Scope("scheduling.k8s.io", "priorityclasses")
_AGAIN = timedelta(seconds=10)
"""How long after a search in vain another is made for the same: it looks at every workload."""
_PAUSE_SECONDS = 0.05
_PAUSES = 4
"""Between searches others have their turn, for so many times as long as one takes."""
_TURN = timedelta(seconds=2)
_TENANTS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class NotNow:
    """Nobody gives way; `after`: when to ask again, where that may help."""

    note: str = ""
    after: timedelta | None = None


class Priorities:
    """Told of every PriorityClass and binding. `giving_way_max`: so many give way at once."""

    def __init__(
        self,
        mirror: Mirror,
        placed: PlacedTemplates,
        *,
        interpreters: InterpreterSource,
        clock: Clock,
        giving_way_max: int,
    ) -> None:
        self._mirror = mirror
        self._placed = placed
        self._interpreters = interpreters
        self._clock = clock
        self._giving_way_max = giving_way_max
        self._ranks = Ranks()
        self._in_vain: dict[ObjectKey, float] = {}
        self._next_search = 0.0

    def start(self) -> None:
        for stored in self._mirror.items(CLASSES):
            self._ranks.put(stored.manifest)

    def note_class(self, change: Change) -> Iterator[ObjectKey]:
        """Take in a class; yields the templates that it may be about."""
        name = change.stored.key.name
        default = False
        for stored in (change.stored, change.previous):
            default = default or (stored is not None and bool(stored.manifest.get("globalDefault")))
        if change.type is ChangeType.DELETED:
            self._ranks.drop(name)
        else:
            self._ranks.put(change.stored.manifest)
        for entry in self._placed.all():
            stored = self._mirror.get(entry.template)
            if stored is not None and (default or class_of(stored.glance()) == name):
                yield entry.template

    def rank(self, template: Manifest, policy: PropagationPolicy) -> Rank:
        return self._ranks.of(template, policy.spec.schedule_priority)

    def precedence(self, key: ObjectKey, rank: Rank, bound: Bound | None) -> Precedence:
        """Return where a template of that rank stands among others."""
        demoted = self._placed.demoted(key)
        outstanding = bound.binding.spec.preempting if bound is not None else ()
        if not (rank.priority or rank.unknown or demoted or outstanding):
            return COMMON
        note = ""
        if rank.unknown:
            note = f"its PriorityClass {rank.unknown} is not known: it counts as priority 0"
        return Precedence(
            priority=rank.priority,
            demotions=tuple(
                Demotion(
                    cluster=entry.cluster,
                    replicas=entry.replicas,
                    preemptor=str(preemptor),
                    since=entry.since,
                    message=self._why(preemptor, entry),
                )
                for preemptor, entries in sorted(demoted.items(), key=lambda item: str(item[0]))
                # Who is about to go waits for nobody.
                if self._mirror.get(preemptor) is not None
                for entry in entries
            ),
            preempting=tuple(one for one in outstanding if not self._is_answered(key, one)),
            note=note,
        )

    def _why(self, preemptor: ObjectKey, entry: Preempting) -> str:
        bound = self._placed.of(preemptor)
        spec = bound.binding.spec if bound is not None else None
        kind = spec.resource.kind if spec is not None else preemptor.resource
        priority = spec.priority if spec is not None else 0
        place = f"{preemptor.namespace}/" if preemptor.namespace else ""
        return (
            f"it gives way to {kind} {place}{preemptor.name}, of priority {priority}"
            f" over {entry.priority}"
        )

    def _is_answered(self, preemptor: ObjectKey, entry: Preempting) -> bool:
        """Whether who is to give way has taken note, or is there no more."""
        bound = self._placed.of(entry.resource.key)
        if bound is None or bound.is_leaving:
            return True
        return has_answered(str(preemptor), entry.since, bound.binding.spec.ceilings)

    def concerned(self, before: BindingSpec | None, after: BindingSpec | None) -> set[ObjectKey]:
        """Return whom a change of a binding concerns: who gives way to it, or it to them."""
        found: set[ObjectKey] = set()
        old, new = (each.preempting if each is not None else () for each in (before, after))
        if old != new:
            found |= {one.resource.key for one in (*old, *new)}
        known = before or after
        if known is not None:
            # Whoever waits for it to take note looks whether it has.
            found |= self._placed.demoted(known.resource.key).keys()
        return found

    # Searching.

    def look(self, workload: Workload, rank: Rank, fleet: Fleet) -> "Preemption | NotNow":
        """Find out what `search` would, if its turn came now, without taking that turn."""
        about = workload.circumstances
        if not may_preempt(workload, rank) or (about is not None and about.preempting):
            return NotNow()
        if self._placed.giving_way >= self._giving_way_max:
            return self._too_many()
        return self.find(workload, rank, fleet) or NotNow()

    def _too_many(self) -> NotNow:
        giving_way = self._placed.giving_way
        note = f"{giving_way} workloads give way to others already: it waits for its turn"
        return NotNow(note, _TURN)

    def search(self, workload: Workload, rank: Rank, fleet: Fleet) -> "Preemption | NotNow":
        """Find out who gives way to *workload*, which has no place, or why nobody does.

        Nothing is kept of it but when it was made.
        """
        about = workload.circumstances
        if not may_preempt(workload, rank) or (about is not None and about.preempting):
            return NotNow()
        now = self._clock.monotonic()
        if self._in_vain.get(workload.key, 0.0) > now:
            return NotNow()
        if self._placed.giving_way >= self._giving_way_max:
            return self._too_many()
        if now < self._next_search:
            return NotNow(after=_TURN)
        found = self.find(workload, rank, fleet)
        ended = self._clock.monotonic()
        self._next_search = ended + max(_PAUSE_SECONDS, _PAUSES * (ended - now))
        if found is not None:
            self._in_vain.pop(workload.key, None)
            return found
        self._in_vain = {key: until for key, until in self._in_vain.items() if until > now}
        self._in_vain[workload.key] = now + _AGAIN.total_seconds()
        return NotNow()

    def find(
        self, workload: Workload, rank: Rank, fleet: Fleet, besides: Collection[ObjectKey] = ()
    ) -> Preemption | None:
        """Find out who gives way to *workload*, none of *besides*; None where nobody can."""
        if not may_preempt(workload, rank):
            return None
        tenants = (
            one for one in self._tenants(workload, rank.priority) if one.resource.key not in besides
        )
        return preempt(workload, rank, fleet, tenants, self._clock.now())

    def _tenants(self, workload: Workload, below: int) -> Iterator[Tenant]:
        """Yield those of the lowest priority: of many a thousand, for each has to be read."""
        now = self._clock.now()
        likely = sorted(
            (entry.priority, str(entry.template), entry.template)
            for entry in self._placed.all()
            if entry.priority < below
            and not entry.is_leaving
            and entry.placement.is_divided
            and entry.template != workload.key
            and not self._placed.demoted(entry.template)
        )
        found = (bound.binding.spec for _, _, key in likely if (bound := self._placed.of(key)))
        able = (spec for spec in found if _may_give_way(spec) and is_rested(spec.ceilings, now))
        for spec in itertools.islice(able, _TENANTS_MAX):
            tenant = self._tenant(spec)
            if tenant is not None:
                yield tenant

    def _tenant(self, spec: BindingSpec) -> Tenant | None:
        known = spec.resource
        stored = self._mirror.get(known.key)
        if stored is None:
            return None
        try:
            template = stored.glance()
            demand = self._interpreters.of(template).demand(template)
            if demand is None:
                return None
            ask = ask_of(demand)
        except (InvalidObject, ValueError):
            return None
        resource = msgspec.structs.replace(known, uid="", generation=0)
        return Tenant(resource=resource, priority=spec.priority, ask=ask, shares=shares_of(spec))


def _may_give_way(spec: BindingSpec) -> bool:
    """Whether single replicas of it can be taken away, and nothing of it is on its way."""
    if not spec.placement.is_divided or not spec.replicas:
        return False
    group, _, _ = spec.resource.api_version.rpartition("/")
    if is_built_in(group) and not can_be_stopped(group, spec.resource.kind):
        return False
    if spec.failover.fencing != "None" or spec.suspension.scheduling or spec.rebalancing:
        return False
    return not is_moving(spec) and bool(spec.clusters)


def by_priority(placed: PlacedTemplates, templates: Iterable[ObjectKey]) -> list[ObjectKey]:
    """Put the templates of a higher priority first."""

    def priority(template: ObjectKey) -> int:
        entry = placed.entry(template)
        return entry.priority if entry is not None else 0

    return sorted(templates, key=priority, reverse=True)
