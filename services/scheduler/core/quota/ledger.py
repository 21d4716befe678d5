"""What is decided for clusters, by namespace: the use that quotas are compared with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.scheduler.core.quota.limits import Limit
from shared.apimachinery.manifest import ObjectKey
from shared.interpreter.quota import Nanos, times, total


@dataclass(frozen=True, slots=True)
class Entry:
    """Of one binding: what a replica takes, and how many each cluster is to run."""

    namespace: str
    each: Nanos
    shares: Mapping[str, int]


class Ledger:
    """Told of every binding; `used` is the sum over those that a limit speaks of."""

    def __init__(self) -> None:
        self._entries: dict[ObjectKey, Entry] = {}
        # By cluster and namespace, and by cluster alone.
        self._sums: dict[str, dict[str, dict[str, int]]] = {}
        self._all: dict[str, dict[str, int]] = {}

    def copy(self) -> "Ledger":
        """Return one of the same entries that changes by itself."""
        found = Ledger()
        found._entries = dict(self._entries)
        found._all = {one: dict(sums) for one, sums in self._all.items()}
        found._sums = {
            one: {namespace: dict(sums) for namespace, sums in within.items()}
            for one, within in self._sums.items()
        }
        return found

    def note(self, binding: ObjectKey, entry: Entry | None) -> bool:
        """Have *binding* be *entry* (None: gone); returns whether any use became less."""
        before = self._entries.pop(binding, None)
        if before is not None:
            self._add(before, -1)
        if entry is not None and entry.shares:
            self._entries[binding] = entry
            self._add(entry, 1)
        return before is not None and _is_less(before, entry)

    def of(self, binding: ObjectKey) -> Entry | None:
        return self._entries.get(binding)

    def used(self, limit: Limit, *, without: Entry | None = None) -> Nanos:
        """Return what counts towards *limit*, less what the entry *without* has there."""
        found = total(self._within(limit))
        if without is None or not limit.speaks_of(without.namespace):
            return found
        own = times(without.each, there(limit, without.shares))
        return {name: amount - own.get(name, 0) for name, amount in found.items()}

    def _within(self, limit: Limit) -> Iterable[Nanos]:
        clusters = self._all if limit.clusters is None else limit.clusters
        if limit.namespaces is None:
            return [self._all[one] for one in clusters if one in self._all]
        return [
            sums[namespace]
            for one in clusters
            if (sums := self._sums.get(one))
            for namespace in limit.namespaces
            if namespace in sums
        ]

    def _add(self, entry: Entry, sign: int) -> None:
        for cluster, share in entry.shares.items():
            within = self._sums.setdefault(cluster, {}).setdefault(entry.namespace, {})
            for sums in (within, self._all.setdefault(cluster, {})):
                for name, amount in entry.each.items():
                    sums[name] = sums.get(name, 0) + sign * share * amount


def there(limit: Limit, shares: Mapping[str, int]) -> int:
    """How many of *shares* are in clusters that *limit* is about."""
    return sum(
        share for name, share in shares.items() if limit.clusters is None or name in limit.clusters
    )


def _is_less(before: Entry, after: Entry | None) -> bool:
    if after is None or before.each != after.each:
        return True
    return any(after.shares.get(name, 0) < share for name, share in before.shares.items())
