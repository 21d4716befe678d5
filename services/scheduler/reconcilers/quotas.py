"""Saying on each quota, and on each group of clusters that has one, what is used of it."""

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.members import GROUPS
from shared.api.cluster_group import ClusterGroup, ClusterGroupStatus
from shared.api.quota import (
    ClusterQuotaStatus,
    FederatedResourceQuotaStatus,
    GroupQuotaStatus,
)
from shared.apimachinery.manifest import ObjectKey
from shared.controller.result import Done, Result
from shared.controller.standing import write_status
from shared.interpreter.quota import shown
from shared.store.port import ObjectStore


class QuotaReconciler:
    """Keeps the status of one."""

    def __init__(self, store: ObjectStore, federation: Federation) -> None:
        self._store = store
        self._federation = federation

    async def reconcile(self, key: ObjectKey) -> Result:
        stored = self._store.mirror.get(key)
        if stored is None:
            return Done()
        if not self._federation.quotas.holds(key):
            if key.resource == GROUPS and stored.manifest.get("status"):
                await write_status(self._store, stored, ClusterGroupStatus())
            return Done()
        quota, used = self._federation.quotas.used(key)
        if isinstance(quota, ClusterGroup):
            assert quota.spec.quota is not None, "only groups with a quota are kept"
            hard = quota.spec.quota.limits
            status = ClusterGroupStatus(
                quota=GroupQuotaStatus(hard=hard, used=shown(used[0], hard))
            )
            await write_status(self._store, stored, status)
            return Done()
        spec = quota.spec
        assigned = zip(spec.static_assignments, used[1:], strict=True)
        overall = FederatedResourceQuotaStatus(
            overall=spec.limits,
            overall_used=shown(used[0], spec.limits),
            aggregated_status=tuple(
                ClusterQuotaStatus(
                    cluster_name=one.cluster_name, hard=one.limits, used=shown(there, one.limits)
                )
                for one, there in assigned
            ),
        )
        await write_status(self._store, stored, overall)
        return Done()
