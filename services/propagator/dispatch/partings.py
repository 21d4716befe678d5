"""Bindings on their way out: whether they still ask for anything, and when they may go."""

from collections.abc import Collection

from services.propagator.core.farewell import (
    PLAIN_FAREWELL,
    Farewell,
    farewell_of,
    is_leaving,
    released,
)
from services.propagator.core.namespaces import namespace_key
from services.propagator.dispatch.bindings import BindingIndex
from services.propagator.dispatch.work_log import WorkLog
from shared.api.binding import ResourceBinding
from shared.apimachinery.manifest import ObjectKey, metadata_of, uid_of
from shared.store.port import ObjectStore, Stored


class Unsettled(Exception):
    """The mirror is about to tell more of the binding."""


class Partings:
    """Asks the store itself, before anything is taken back."""

    def __init__(self, store: ObjectStore, bindings: BindingIndex, log: WorkLog) -> None:
        self._store = store
        self._bindings = bindings
        self._log = log

    async def farewell(
        self, key: ObjectKey, stored: Stored, binding: ResourceBinding
    ) -> Farewell | None:
        """How what the binding asked for is taken back; None where it asks for it still.

        One that somebody deleted while its template is there, the scheduler calls back. Raises
        `Unsettled` where it is gone already, or was called back.
        """
        if not is_leaving(stored.manifest):
            return None
        uid = binding.spec.resource.uid
        if self._is_taken_back(key, uid):
            return PLAIN_FAREWELL
        fresh = await self._store.get(stored.key)
        if fresh is None or not is_leaving(fresh.manifest):
            raise Unsettled
        template = await self._store.get(key)
        gone = template is None or uid_of(template.manifest) != uid
        if not gone and (binding.spec.clusters or binding.spec.evictions):
            return None
        return farewell_of(stored.manifest, None if gone or not template else template.manifest)

    def _is_taken_back(self, key: ObjectKey, uid: str) -> bool:
        """Whether there is nothing to make sure of: what it asked for is on its way out."""
        template = self._store.mirror.get(key)
        there = template is not None and uid_of(template.manifest) == uid
        return not there and all(one.deleted for one in self._log.of(key).values())

    async def part(self, key: ObjectKey, orders: Collection[str]) -> None:
        """Let the binding go, once nothing of it is left, or its namespace goes too.

        *orders* are those of others: a namespace stays for what lives in it.
        """
        found = self._bindings.of(key)
        if found is None or not is_leaving(found[0].manifest):
            return
        if self._log.of(key).keys() - set(orders) and not self._is_ending(key.namespace):
            return
        stored, _ = found
        manifest, may_go = released(stored.manifest)
        if may_go:
            await self._store.delete(stored.key, manifest, expected=stored.revision)
        elif manifest != stored.manifest:
            await self._store.update(stored.key, manifest, expected=stored.revision)

    def _is_ending(self, namespace: str) -> bool:
        """Whether the namespace goes at the hub, which waits for no member."""
        stored = self._store.mirror.get(namespace_key(namespace))
        return stored is not None and bool(metadata_of(stored.manifest).get("deletionTimestamp"))
