"""Carrying out a WorkloadRebalancer: its workloads are placed anew, each once."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from services.scheduler.cache.federation import Federation
from services.scheduler.core.change.rebalancing import is_later, names, observe, time_to_live
from shared.api.binding import ResourceBinding
from shared.api.meta import GROUP, read
from shared.api.rebalancer import WorkloadRebalancer, WorkloadReference
from shared.apimachinery.manifest import ObjectKey
from shared.clock import Clock
from shared.controller.result import Again, Done, Result
from shared.controller.standing import write_status
from shared.errors import InvalidObject
from shared.store.port import Change, ObjectStore, Scope

REBALANCERS = Scope(GROUP, "workloadrebalancers")
_LOOK_AGAIN = timedelta(seconds=1)


class Asked:
    """Which templates are to be placed anew, and when somebody asked for it (RFC 3339)."""

    def __init__(self) -> None:
        self._asked: dict[ObjectKey, str] = {}

    def __call__(self, template: ObjectKey, binding: ResourceBinding | None) -> str:
        """Return when it was asked for, where that has not been done; "" where it was not."""
        at = self._asked.get(template)
        if at is None:
            return ""
        if binding is None or not is_later(at, binding.spec.reschedule_triggered_at):
            del self._asked[template]
            return ""
        return at

    def ask(self, template: ObjectKey, at: str) -> None:
        self._asked[template] = max(at, self._asked.get(template, ""))


class RebalancerReconciler:
    """Keeps the status of one, and lets it go when its time is over."""

    def __init__(
        self,
        store: ObjectStore,
        federation: Federation,
        asked: Asked,
        clock: Clock,
        wake_template: Callable[[ObjectKey], None],
    ) -> None:
        self._store = store
        self._federation = federation
        self._asked = asked
        self._clock = clock
        self._wake_template = wake_template

    async def reconcile(self, key: ObjectKey) -> Result:
        stored = self._store.mirror.get(key)
        if stored is None:
            return Done()
        try:
            rebalancer = read(stored.manifest, WorkloadRebalancer)
        except InvalidObject:
            # Admission does not let it in.
            return Done()
        now = self._clock.now()
        status, waiting = observe(rebalancer, self._find, now)
        for binding in waiting:
            template = binding.spec.resource.key
            self._asked.ask(template, rebalancer.metadata.creation_timestamp or "")
            self._wake_template(template)
        await write_status(self._store, stored, status)
        if waiting or status.finish_time is None:
            return Again(_LOOK_AGAIN)
        left = time_to_live(rebalancer, status.finish_time, now)
        if left is None:
            return Done()
        if left > timedelta(0):
            return Again(left)
        fresh = await self._store.get(key)
        if fresh is not None:
            await self._store.delete(key, fresh.manifest, expected=fresh.revision)
        return Done()

    def _find(self, workload: WorkloadReference) -> ResourceBinding | None:
        for bound in self._federation.bound_as(workload.namespace, workload.name):
            if not bound.is_leaving and names(workload, bound.binding):
                return bound.binding
        return None


def rebalancer_keys(change: Change) -> Iterable[ObjectKey]:
    """Name the one that a change is about, but for its status."""
    return () if change.only_status else (change.stored.key,)
