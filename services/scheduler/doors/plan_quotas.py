"""Quotas in a plan: as they are supposed, over what is decided and what the plan itself decides."""

from collections.abc import Mapping

from services.scheduler.cache.quota_book import QuotaBook
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.quota.allowances import allowances_of
from services.scheduler.core.quota.allowed import Allowance
from services.scheduler.core.quota.ledger import Entry, Ledger
from services.scheduler.core.quota.limits import (
    Limit,
    clusters_in,
    limit_of_group,
    limits_of_quota,
)
from services.scheduler.core.workload import Workload
from services.scheduler.doors.supposing import Supposition
from shared.apimachinery.manifest import ObjectKey
from shared.interpreter.quota import asks_of
from shared.interpreter.replicas import ReplicaDemand


class PlannedQuotas:
    """Of one plan; without any limit nothing is counted."""

    def __init__(self, book: QuotaBook, supposed: Supposition, fleet: Fleet) -> None:
        self._limits = _limits(book, supposed, fleet)
        self._ledger = book.ledger_for(self._limits) if self._limits else Ledger()

    def __bool__(self) -> bool:
        return bool(self._limits)

    def allowances(
        self, namespace: str, binding: ObjectKey, demand: ReplicaDemand
    ) -> tuple[Allowance, ...]:
        """Return what is left to a workload; raises ValueError for an unreadable quantity."""
        limits = [one for one in self._limits if one.speaks_of(namespace)]
        if not limits:
            return ()
        return allowances_of(limits, self._ledger, self._ledger.of(binding), asks_of(demand))

    def note(self, binding: ObjectKey, workload: Workload, shares: Mapping[str, int]) -> None:
        """Count what the plan has decided."""
        if not self._limits or workload.demand is None:
            return
        try:
            each = asks_of(workload.demand)
        except ValueError:
            return
        self._ledger.note(binding, Entry(workload.key.namespace, each, shares))

    def forget(self, binding: ObjectKey) -> None:
        """Give back what is removed."""
        self._ledger.note(binding, None)


def _limits(book: QuotaBook, supposed: Supposition, fleet: Fleet) -> list[Limit]:
    quotas = {**book.quotas, **supposed.quotas}
    groups = {key.name: group for key, group in book.groups.items()} | supposed.groups
    found = [
        limit
        for key, quota in quotas.items()
        if key not in supposed.absent
        for limit in limits_of_quota(quota)
    ]
    for name, group in groups.items():
        if name not in supposed.absent_groups:
            limit = limit_of_group(group, clusters_in(fleet, name))
            found += [limit] if limit is not None else []
    return found
