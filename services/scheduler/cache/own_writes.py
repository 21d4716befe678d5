"""Our own writes, which need not wake us when they come back through the mirror."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.scheduler.core.fleet import Fleet
from shared.api.binding import BindingSpec, ResourceBinding
from shared.apimachinery.manifest import ObjectKey
from shared.store.port import Revision, Stored


class OwnWrites:
    """Each write with the fleet it was decided on: those yet to come back, those under way."""

    def __init__(self) -> None:
        self._own: dict[ObjectKey, tuple[Revision, Fleet]] = {}
        self._writing: dict[ObjectKey, tuple[BindingSpec, Fleet]] = {}

    @contextmanager
    def writing(self, binding: ObjectKey, spec: BindingSpec, fleet: Fleet) -> Iterator[None]:
        """Within, the binding is written with *spec*, which need not wake us when it comes back.

        It often comes back before the write is acknowledged. Where the fleet is another than
        *fleet* by then, it does wake us: a member that changed meanwhile woke those it concerns,
        as far as their bindings were known.
        """
        self._writing[binding] = spec, fleet
        try:
            yield
        finally:
            self._writing.pop(binding, None)

    def wrote(self, stored: Stored, fleet: Fleet) -> None:
        """Remember a write that has been acknowledged and not come back."""
        self._own[stored.key] = stored.revision, fleet

    def decided_on(self, stored: Stored, binding: ResourceBinding | None) -> Fleet | None:
        """Return what a write that comes back was decided on; None for another's write."""
        revision, fleet = self._own.pop(stored.key, (None, None))
        if revision == stored.revision:
            return fleet
        spec, fleet = self._writing.get(stored.key, (None, None))
        if binding is None or spec != binding.spec:
            return None
        # Once: what comes after it is another's.
        del self._writing[stored.key]
        return fleet
