"""The registry of interpreters as the store has it now, for a process that follows the store."""

from collections.abc import Callable, Iterable

import structlog

from shared.api.interpreter import ResourceInterpreter
from shared.api.meta import GROUP, read
from shared.apimachinery.manifest import (
    GroupResource,
    GroupVersionKind,
    Manifest,
    ObjectKey,
)
from shared.errors import InvalidObject
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.registry import Declared, KindName, read_declaration, ready_made
from shared.store.port import Change, ChangeType, Mirror, Scope, Stored

log = structlog.get_logger("hanse.interpretation")

INTERPRETERS = Scope.of(GroupResource(GROUP, "resourceinterpreters"))

KindsChanged = Callable[[frozenset[KindName]], None]


class LiveInterpreters:
    """Answers by what the mirror holds; made before whoever asks it, so that it is never behind."""

    def __init__(self, mirror: Mirror) -> None:
        self._declared: dict[ObjectKey, Declared] = {}
        self._listeners: list[KindsChanged] = []
        for stored in mirror.items(INTERPRETERS):
            self._take(stored)
        self._current = ready_made().with_declared(self._declared.values())
        self._stop = mirror.on_change(self._on_change)

    def of(self, manifest: Manifest) -> Interpreter:
        """Return the interpreter of *manifest*, by its kind and labels."""
        return self._current.of(manifest)

    def on_change(self, listener: KindsChanged) -> Callable[[], None]:
        """Call *listener* with the kinds that another interpreter speaks for from now on.

        Returns the way to stop.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def close(self) -> None:
        """Follow the store no longer."""
        self._stop()

    def _on_change(self, change: Change) -> None:
        stored, before = change.stored, change.previous
        if not INTERPRETERS.covers(stored.key):
            return
        if (
            change.type is ChangeType.MODIFIED
            and before is not None
            and before.manifest.get("spec") == stored.manifest.get("spec")
        ):
            return
        old = self._declared.pop(stored.key, None)
        if change.type is not ChangeType.DELETED:
            self._take(stored)
        new = self._declared.get(stored.key)
        self._current = ready_made().with_declared(self._declared.values())
        kinds = frozenset(one.kind for one in (old, new) if one is not None)
        for listener in tuple(self._listeners):
            listener(kinds)

    def _take(self, stored: Stored) -> None:
        try:
            self._declared[stored.key] = read_declaration(
                read(stored.manifest, ResourceInterpreter)
            )
        except InvalidObject as err:
            # Refused at admission; one that slipped through speaks for nothing.
            log.warning("interpreter.unreadable", interpreter=stored.key.name, error=str(err))


def objects_of(mirror: Mirror, kinds: Iterable[KindName]) -> list[ObjectKey]:
    """Return the keys of the objects of *kinds* in the mirror."""
    wanted = set(kinds)
    found = []
    for group in {group for group, _ in wanted}:
        for stored in mirror.items(Scope(group=group)):
            gvk = GroupVersionKind.of(stored.glance())
            if (gvk.group, gvk.kind) in wanted:
                found.append(stored.key)
    return found
