"""Who answers for a kind: the registry of interpreters, a value.

Operation by operation, the closest answer counts: a user's `ResourceInterpreter` that selects the
object by labels, then one for its kind (of several the first by name), then what Hanse knows of
Kubernetes' own kinds and brings along for well-known others, then the generic answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from typing import Protocol

from shared.api.interpreter import ResourceInterpreter
from shared.api.matching import compile_selector
from shared.apimachinery.manifest import GroupVersionKind, Manifest, labels_of
from shared.apimachinery.selectors import LabelSelector
from shared.interpreter import aggregate, dependencies, health, reflect, replicas
from shared.interpreter.declared import declared_interpreter
from shared.interpreter.demand import template_choice, template_requests
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.known import known_declarations

KindName = tuple[str, str]
"""Group and kind: an interpreter speaks for every version of a kind."""

GENERIC = Interpreter()
"""What is known of a kind of which nothing is known."""


class InterpreterSource(Protocol):
    """Whoever knows which interpreter speaks for an object now."""

    def of(self, manifest: Manifest) -> Interpreter:
        """Return the interpreter of *manifest*, by its kind and labels."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A `ResourceInterpreter`, read: whom it speaks for, and what it says."""

    name: str
    kind: KindName
    selector: LabelSelector | None
    interpreter: Interpreter


def read_declaration(declaration: ResourceInterpreter) -> Declared:
    """Raises `InvalidObject` with everything that is wrong with *declaration*."""
    target = declaration.spec.target
    group = target.api_version.rpartition("/")[0]
    selector = target.label_selector
    return Declared(
        name=declaration.metadata.name,
        kind=(group, target.kind),
        selector=compile_selector(selector) if selector is not None else None,
        interpreter=declared_interpreter(declaration),
    )


class Interpreters:
    """Interpreters by kind; the same answers for as long as it is held."""

    def __init__(
        self, by_kind: Mapping[KindName, Interpreter], declared: Iterable[Declared] = ()
    ) -> None:
        self._by_kind = dict(by_kind)
        self._selecting: dict[KindName, list[Declared]] = {}
        # The first by name is layered last, and so lies on top.
        for one in sorted(declared, key=lambda one: one.name, reverse=True):
            if one.selector is not None:
                self._selecting.setdefault(one.kind, []).append(one)
            else:
                below = self._by_kind.get(one.kind, GENERIC)
                self._by_kind[one.kind] = one.interpreter.over(below)

    def of(self, manifest: Manifest) -> Interpreter:
        """Return the interpreter of *manifest*, by its kind and labels."""
        gvk = GroupVersionKind.of(manifest)
        kind = gvk.group, gvk.kind
        found = self._by_kind.get(kind, GENERIC)
        selecting = self._selecting.get(kind)
        if selecting is None:
            return found
        labels = labels_of(manifest)
        closer = (
            one.interpreter
            for one in selecting
            if one.selector is not None and one.selector.matches(labels)
        )
        return reduce(lambda below, one: one.over(below), closer, found)

    def with_declared(self, declared: Iterable[Declared]) -> "Interpreters":
        """Return a registry in which *declared* speak before these."""
        return Interpreters(self._by_kind, declared)


@cache
def ready_made() -> Interpreters:
    """Return what Hanse knows by itself: Kubernetes' kinds, and those it brings along."""
    return BUILT_IN.with_declared(map(read_declaration, known_declarations()))


def _built_in() -> dict[KindName, Interpreter]:
    kinds = {
        *replicas.BUILT_IN,
        *health.BUILT_IN,
        *reflect.BUILT_IN,
        *aggregate.BUILT_IN,
        *dependencies.BUILT_IN,
    }
    return {
        kind: Interpreter(
            replicas=replicas.BUILT_IN.get(kind),
            needs=template_requests if kind in replicas.BUILT_IN else None,
            node_choice=template_choice if kind in replicas.BUILT_IN else None,
            judge=health.BUILT_IN.get(kind),
            reflection=reflect.BUILT_IN.get(kind),
            aggregation=aggregate.BUILT_IN.get(kind),
            references=dependencies.BUILT_IN.get(kind),
            labels=dependencies.POD_LABELS.get(kind),
        )
        for kind in kinds
    }


BUILT_IN = Interpreters(_built_in())
"""Kubernetes' own kinds alone."""
