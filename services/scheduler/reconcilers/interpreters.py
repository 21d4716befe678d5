"""Saying on each interpreter whether it is heard: it may be unreadable, or another is first."""

from collections.abc import Iterator
from contextlib import suppress

from services.scheduler.core.interpreters import kind_of, speaking
from shared.api.conditions import with_condition
from shared.api.interpreter import (
    SPEAKING,
    ResourceInterpreter,
    ResourceInterpreterStatus,
)
from shared.api.meta import Condition, read
from shared.apimachinery.manifest import ObjectKey, generation_of
from shared.clock import Clock, format_time
from shared.controller.result import Done, Result
from shared.controller.standing import write_status
from shared.errors import InvalidObject
from shared.interpretation import INTERPRETERS
from shared.interpreter.registry import read_declaration
from shared.store.port import Change, Mirror, ObjectStore


class InterpreterReconciler:
    """Keeps the status of one `ResourceInterpreter`."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def reconcile(self, key: ObjectKey) -> Result:
        stored = self._store.mirror.get(key)
        if stored is None:
            return Done()
        before, generation = ResourceInterpreterStatus(), generation_of(stored.manifest)
        try:
            declaration = read(stored.manifest, ResourceInterpreter)
            before = declaration.status
            read_declaration(declaration)
            others = (one for _, one in _readable(self._store.mirror))
            condition = speaking(declaration, others, generation)
        except InvalidObject as err:
            condition = Condition(
                type=SPEAKING,
                status="False",
                reason="InvalidInterpreter",
                message=("; ".join(map(str, err.fields)) or str(err))[:1024],
                observed_generation=generation,
            )
        now = format_time(self._clock.now())
        after = ResourceInterpreterStatus(
            observed_generation=generation,
            conditions=with_condition(before.conditions, condition, now=now),
        )
        await write_status(self._store, stored, after)
        return Done()


def interpreter_keys(mirror: Mirror, change: Change) -> Iterator[ObjectKey]:
    """Name those whose word a change of one may change: all that speak for its kind."""
    if change.only_status:
        return
    yield change.stored.key
    kinds = set()
    for stored in (change.stored, change.previous):
        with suppress(InvalidObject):
            if stored is not None:
                kinds.add(kind_of(read(stored.manifest, ResourceInterpreter).spec.target))
    for key, one in _readable(mirror):
        if kind_of(one.spec.target) in kinds:
            yield key


def _readable(mirror: Mirror) -> Iterator[tuple[ObjectKey, ResourceInterpreter]]:
    for stored in mirror.items(INTERPRETERS):
        with suppress(InvalidObject):
            yield stored.key, read(stored.manifest, ResourceInterpreter)
