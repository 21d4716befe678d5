"""Who answers for a kind: the registry of interpreters, a value."""

from collections.abc import Mapping
from typing import Protocol

from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.interpreter import aggregate, health, reflect, replicas
from shared.interpreter.demand import template_requests
from shared.interpreter.interpreter import Interpreter

KindName = tuple[str, str]
"""Group and kind: an interpreter speaks for every version of a kind."""

GENERIC = Interpreter()
"""What is known of a kind of which nothing is known."""


class InterpreterSource(Protocol):
    """Whoever knows which interpreter speaks for an object now."""

    def of(self, manifest: Manifest) -> Interpreter:
        """Return the interpreter of *manifest*, by its kind."""
        ...


class Interpreters:
    """Interpreters by kind; the same answers for as long as it is held."""

    def __init__(self, by_kind: Mapping[KindName, Interpreter]) -> None:
        self._by_kind = by_kind

    def of(self, manifest: Manifest) -> Interpreter:
        """Return the interpreter of *manifest*, by its kind."""
        gvk = GroupVersionKind.of(manifest)
        return self._by_kind.get((gvk.group, gvk.kind), GENERIC)


def _built_in() -> dict[KindName, Interpreter]:
    kinds = {
        *replicas.BUILT_IN,
        *health.BUILT_IN,
        *reflect.BUILT_IN,
        *aggregate.BUILT_IN,
    }
    return {
        kind: Interpreter(
            replicas=replicas.BUILT_IN.get(kind),
            needs=template_requests if kind in replicas.BUILT_IN else None,
            judge=health.BUILT_IN.get(kind),
            reflection=reflect.BUILT_IN.get(kind),
            aggregation=aggregate.BUILT_IN.get(kind),
        )
        for kind in kinds
    }


BUILT_IN = Interpreters(_built_in())
"""The kinds of Kubernetes itself."""
