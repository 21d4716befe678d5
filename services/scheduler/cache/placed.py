"""The bindings there are, and which of them belong to a template, a policy, a namespace.

Of the tens of thousands that rest only what is looked at in all of them is kept; a binding is read
again where the whole of it is asked for, in some microseconds.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from services.scheduler.cache.reading import Bound
from services.scheduler.core.change.restraint import is_moving
from services.scheduler.core.change.triggers import waits_for_room
from services.scheduler.core.policies import policy_key
from services.scheduler.core.preemption.yielding import has_given_way
from shared.api.binding import BindingSpec, Preempting, ResourceBinding
from shared.api.meta import read_json
from shared.api.placement import Placement
from shared.apimachinery.manifest import ObjectKey
from shared.store.port import Mirror, Stored

_encode = msgspec.json.Encoder().encode

_READ_MAX = 256
_PLACEMENTS_MAX = 4_096


# Neither can be part of a cycle, and there are tens of thousands.
class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is kept of a binding beside its JSON.

    `clusters` are those of its targets, `leaving` those of its evictions; `selected`: a policy
    speaks for it. Bindings with the same placement have it together.
    """

    stored: Stored
    template: ObjectKey
    clusters: tuple[str, ...]
    leaving: tuple[str, ...]
    placement: Placement
    selected: bool
    priority: int
    is_leaving: bool

    def read(self) -> Bound:
        """Read the whole of it again: it could be read when it came, and says the same now."""
        return Bound(self.stored, read_json(self.stored.encoded, ResourceBinding))


class PlacedTemplates:
    """Templates are named by their keys."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._entries: dict[ObjectKey, Entry] = {}
        # The last ones that were read, since one decision asks for the same several times.
        self._read: dict[ObjectKey, Bound] = {}
        self._placements: dict[bytes, Placement] = {}
        self.binding_of: dict[ObjectKey, ObjectKey] = {}
        """Template -> its binding."""
        self._under: dict[ObjectKey, set[ObjectKey]] = {}
        self.waiting: set[ObjectKey] = set()
        """Those that free room somewhere may help."""
        self.moving: set[ObjectKey] = set()
        """Those of which a share is on its way."""
        self._demoted: dict[ObjectKey, dict[ObjectKey, list[Preempting]]] = {}
        self._in: dict[str, set[ObjectKey]] = {}
        # Of those, the ones whose policy names others that they are to be with or away from.
        self._choosy_in: dict[str, set[ObjectKey]] = {}

    def all(self) -> Collection[Entry]:
        return self._entries.values()

    def bounds(self) -> Iterator[Bound]:
        """Yield all of them, each read for that."""
        for entry in tuple(self._entries.values()):
            yield entry.read()

    def entry(self, template: ObjectKey) -> Entry | None:
        key = self.binding_of.get(template)
        return self._entries.get(key) if key is not None else None

    def at(self, binding: ObjectKey) -> Bound | None:
        found = self._read.get(binding)
        if found is None and (entry := self._entries.get(binding)) is not None:
            found = entry.read()
            self._remember(binding, found)
        return found

    def of(self, template: ObjectKey) -> Bound | None:
        key = self.binding_of.get(template)
        return self.at(key) if key is not None else None

    def _remember(self, binding: ObjectKey, bound: Bound) -> None:
        if len(self._read) >= _READ_MAX:
            self._read.clear()
        self._read[binding] = bound

    def under(self, policy: ObjectKey) -> Collection[ObjectKey]:
        return self._under.get(policy, ())

    def within(self, namespace: str) -> Collection[ObjectKey]:
        return self._in.get(namespace, ())

    def choosy_within(self, namespace: str) -> Iterable[ObjectKey]:
        return self._choosy_in.get(namespace, ())

    def demoted(self, template: ObjectKey) -> Mapping[ObjectKey, Sequence[Preempting]]:
        """Return what is to give way of a template, by those that it gives way to."""
        return self._demoted.get(template, {})

    @property
    def giving_way(self) -> int:
        """How many templates are to give way, and have not taken note of that."""
        return len(self._demoted)

    def _drop_demotions(self, spec: BindingSpec) -> None:
        for one in spec.preempting:
            waiting = self._demoted.get(one.resource.key, {})
            waiting.pop(spec.resource.key, None)
            if not waiting:
                self._demoted.pop(one.resource.key, None)

    def put(self, key: ObjectKey, after: Bound | None) -> Bound | None:
        """Have the binding at *key* be *after*; returns what it was."""
        before = self.at(key)
        if before is not None:
            self._drop(key, before)
        if after is not None:
            self._add(key, after)
        return before

    def _drop(self, key: ObjectKey, before: Bound) -> None:
        spec, template = before.binding.spec, self._entries.pop(key).template
        self._read.pop(key, None)
        self._drop_demotions(spec)
        self.binding_of.pop(template, None)
        self.waiting.discard(template)
        self.moving.discard(template)
        self._under.get(policy_key(spec.policy), set()).discard(template)
        for templates_in in (self._in, self._choosy_in):
            templates_in.get(template.namespace, set()).discard(template)

    def _add(self, key: ObjectKey, after: Bound) -> None:
        spec = after.binding.spec
        entry = self._entries[key] = self._entry(after)
        self._remember(key, after)
        template = entry.template
        for one in spec.preempting:
            waiting = self._demoted.setdefault(one.resource.key, {})
            waiting.setdefault(template, []).append(one)
        self.binding_of[template] = key
        if waits_for_room(after.binding) or has_given_way(spec):
            self.waiting.add(template)
        if is_moving(spec) and not after.is_leaving:
            self.moving.add(template)
        if not after.is_leaving:
            self._under.setdefault(policy_key(spec.policy), set()).add(template)
        self._in.setdefault(template.namespace, set()).add(template)
        if spec.placement.workload_affinity is not None:
            self._choosy_in.setdefault(template.namespace, set()).add(template)

    def _entry(self, bound: Bound) -> Entry:
        spec = bound.binding.spec
        template = spec.resource.key
        known = self._mirror.get(template)
        return Entry(
            stored=bound.stored,
            # The same tuple that the mirror has.
            template=known.key if known is not None else template,
            clusters=tuple(sys.intern(one.name) for one in spec.clusters),
            leaving=tuple(sys.intern(one.cluster) for one in spec.evictions),
            placement=self._shared(spec.placement),
            selected=bool(spec.policy.name),
            priority=spec.priority,
            is_leaving=bound.is_leaving,
        )

    def _shared(self, placement: Placement) -> Placement:
        """Return the first one that says the same: there are few, for they come from policies."""
        if len(self._placements) >= _PLACEMENTS_MAX:
            self._placements.clear()
        return self._placements.setdefault(_encode(placement), placement)
