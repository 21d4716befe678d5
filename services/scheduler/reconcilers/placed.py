"""The bindings there are, and which of them belong to a template, a policy, a namespace."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from services.scheduler.core.policies import policy_key
from services.scheduler.core.preemption.yielding import has_given_way
from services.scheduler.core.restraint import is_moving
from services.scheduler.core.triggers import waits_for_room
from services.scheduler.reconcilers.reading import Bound
from shared.api.binding import BindingSpec, Preempting
from shared.apimachinery.manifest import ObjectKey


class PlacedTemplates:
    """Parsed once. Templates are named by their keys."""

    def __init__(self) -> None:
        self._bound: dict[ObjectKey, Bound] = {}
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

    def all(self) -> Collection[Bound]:
        return self._bound.values()

    def at(self, binding: ObjectKey) -> Bound | None:
        return self._bound.get(binding)

    def of(self, template: ObjectKey) -> Bound | None:
        key = self.binding_of.get(template)
        return self._bound.get(key) if key is not None else None

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
        before = self._bound.get(key)
        if before is not None:
            spec = before.binding.spec
            self._drop_demotions(spec)
            self._bound.pop(key, None)
            self.binding_of.pop(spec.resource.key, None)
            self.waiting.discard(spec.resource.key)
            self.moving.discard(spec.resource.key)
            self._under.get(policy_key(spec.policy), set()).discard(spec.resource.key)
            for templates_in in (self._in, self._choosy_in):
                templates_in.get(spec.resource.namespace, set()).discard(spec.resource.key)
        if after is not None:
            spec = after.binding.spec
            self._bound[key] = after
            for one in spec.preempting:
                waiting = self._demoted.setdefault(one.resource.key, {})
                waiting.setdefault(spec.resource.key, []).append(one)
            self.binding_of[spec.resource.key] = key
            if waits_for_room(after.binding) or has_given_way(spec):
                self.waiting.add(spec.resource.key)
            if is_moving(spec) and not after.is_leaving:
                self.moving.add(spec.resource.key)
            if not after.is_leaving:
                self._under.setdefault(policy_key(spec.policy), set()).add(spec.resource.key)
            self._in.setdefault(spec.resource.namespace, set()).add(spec.resource.key)
            if spec.placement.workload_affinity is not None:
                self._choosy_in.setdefault(spec.resource.namespace, set()).add(spec.resource.key)
        return before
