"""The fleet less what decisions under way have taken of it, for those that ask for room."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from services.scheduler.cache.placed import PlacedTemplates
from services.scheduler.cache.reading import Bound
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.reserving import TERM, Reserved
from services.scheduler.core.room import ask_of
from services.scheduler.core.telling.bindings import DECIDED_AT
from shared.api.binding import BindingSpec, ClusterReport
from shared.apimachinery.manifest import ObjectKey
from shared.clock import Clock, parse_time
from shared.errors import InvalidObject
from shared.interpreter.registry import InterpreterSource
from shared.store.port import Mirror


class Reservations:
    """Told of every binding and of every room, in order; *given_back* is called when room is.

    Nothing is kept until somebody asks for room for the first time: then what was decided lately is
    read from the bindings, as by a process that has just begun.
    """

    def __init__(
        self,
        mirror: Mirror,
        placed: PlacedTemplates,
        *,
        interpreters: InterpreterSource,
        clock: Clock,
        given_back: Callable[[], None],
    ) -> None:
        self._mirror = mirror
        self._placed = placed
        self._interpreters = interpreters
        self._clock = clock
        self._given_back = given_back
        self._reserved = Reserved()
        self._asked_for = False
        # Of bindings with something under way: where their templates are.
        self._templates: dict[ObjectKey, ObjectKey] = {}
        self._base: Fleet | None = None
        self._left: Fleet | None = None

    def fleet(self, base: Fleet) -> Fleet:
        """Return *base* with the room that is left; the same one while nothing changes."""
        if not self._asked_for:
            self._asked_for = True
            for bound in self._placed.bounds():
                self.note(bound.stored.key, None, bound)
        self._expire(self._clock.now())
        left, before, stale = self._left, self._base, self._reserved.changed
        if left is None or before is None or left.lineage is not base.lineage:
            left = base
            stale |= {name for name in base.members if self._reserved.takes_of(name)}
        elif base is not before:
            changed = {
                name for name, one in base.members.items() if one is not before.members[name]
            }
            # Where nothing was taken the row of changes goes on.
            left = base if left is before else left
            stale |= changed if left is not base else set()
        if stale:
            rooms = [self._less(base.members[name]) for name in stale if name in base.members]
            left = left.with_rooms_of(rooms)
            stale.clear()
        self._left, self._base = left, base
        return left

    @property
    def again_after(self) -> timedelta | None:
        """When room may be given back that nobody will tell of."""
        end = self._reserved.next_end
        return None if end is None else max(timedelta(seconds=1), end - self._clock.now())

    @contextmanager
    def writing(self, binding: ObjectKey, spec: BindingSpec) -> Iterator[None]:
        """Within, the binding is written with *spec*: it counts from now on, unless that fails."""
        if not self._asked_for:
            yield
            return
        now = self._clock.now()
        known = self._placed.at(binding)
        reports = known.binding.status.aggregated_status if known is not None else ()
        before = known.binding.spec if known is not None else None
        self._note(binding, before, spec, reports, now)
        try:
            yield
        except BaseException:
            self.note(binding, None, self._placed.at(binding))
            raise

    def note(self, key: ObjectKey, before: Bound | None, after: Bound | None) -> None:
        """Take in what the store has, and had."""
        if not self._asked_for:
            return
        now = self._clock.now()
        self._expire(now)
        spec = after.binding.spec if after is not None else None
        earlier = before.binding.spec if before is not None else None
        if after is not None and before is None and not _is_fresh(after, now):
            # What was decided long ago is in the rooms, or will never be.
            earlier = spec
        reports = after.binding.status.aggregated_status if after is not None else ()
        self._note(key, earlier, spec, reports, now)

    def _note(
        self,
        binding: ObjectKey,
        before: BindingSpec | None,
        after: BindingSpec | None,
        reports: Iterable[ClusterReport],
        now: datetime,
    ) -> None:
        given_back = self._reserved.note(binding, before, after, reports, now)
        if after is not None and self._reserved.holds(binding):
            self._templates[binding] = after.resource.key
        else:
            self._templates.pop(binding, None)
        if given_back:
            self._given_back()

    def note_room(self, name: str) -> None:
        self._reserved.reckoned(name)

    def _expire(self, now: datetime) -> None:
        if self._reserved.expire(now):
            self._given_back()

    def _less(self, member: Member) -> Member:
        for binding in self._reserved.unasked(member.name):
            self._learn(binding)
        return member.without(self._reserved.taken(member.name))

    def _learn(self, binding: ObjectKey) -> None:
        """Find out what a replica asks for; of what cannot be read nothing is taken."""
        key = self._templates.get(binding)
        stored = self._mirror.get(key) if key is not None else None
        if key is None or stored is None:
            return
        try:
            template = stored.glance()
            demand = self._interpreters.of(template).demand(template)
            if demand is not None:
                self._reserved.ask(binding, ask_of(demand), key.namespace)
        except (InvalidObject, ValueError):
            return


def _is_fresh(bound: Bound, now: datetime) -> bool:
    try:
        return now - parse_time(bound.binding.metadata.annotations.get(DECIDED_AT, "")) < TERM
    except ValueError:
        return False
