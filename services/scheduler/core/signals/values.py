"""What is known of every cluster at one moment, in units of its own: an immutable snapshot."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from services.scheduler.core.signals.distances import (
    NOTHING_DECLARED,
    Declared,
    Measured,
    round_trips,
)
from services.scheduler.core.signals.origins import OBSERVERS, Origin
from services.scheduler.core.signals.pricing import (
    ONE_OF_EACH,
    Amounts,
    amounts_of,
    cost_of,
    rates_of,
)
from shared.api.cluster import Cluster
from shared.api.scoring import CARBON, LATENCY, PRICE
from shared.interpreter.replicas import ReplicaDemand

_REMEMBERED_MAX = 512
_LINEAGE = "lineage"

Remembered = TypeVar("Remembered")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSignals:
    """What a Cluster object says; None is not known. `latencies` are by region of the observer."""

    rates: Amounts | None = None
    carbon: float | None = None
    latency: float | None = None
    latencies: Mapping[str, float] = field(default_factory=dict)
    declared: Declared = NOTHING_DECLARED

    @classmethod
    def of(cls, cluster: Cluster) -> "ClusterSignals":
        spec, status = cluster.spec, cluster.status
        return cls(
            rates=rates_of(spec.price) if spec.price is not None else None,
            carbon=spec.carbon_intensity,
            latency=status.latency_milliseconds,
            latencies={one.region: one.milliseconds for one in status.latencies},
            declared=Declared.of(spec),
        )

    def measured_otherwise_than(self, other: "ClusterSignals") -> bool:
        """Whether any latency differs."""
        own = (self.latency, self.latencies, self.declared)
        return own != (other.latency, other.latencies, other.declared)

    def latency_from(self, region: str) -> float | None:
        return self.latencies.get(region) if region else self.latency


@dataclass(frozen=True, slots=True)
class Signals:
    """`published` are scores of other systems, by their names and then by cluster.

    `expired` names those (score, cluster) that were known and are not any more. `measured` are
    round trips between clusters.
    """

    clusters: Mapping[str, ClusterSignals] = field(default_factory=dict)
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    expired: frozenset[tuple[str, str]] = frozenset()
    measured: Measured = field(default_factory=dict)
    _remembered: dict[Hashable, Any] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def remember(
        self, key: Hashable, lineage: object, work_out: Callable[[], Remembered]
    ) -> Remembered:
        """Work something out once for a lineage of fleets; shared, so never change it.

        What was worked out for another lineage is forgotten, lest it be kept for good.
        """
        known = self._remembered
        if known.get(_LINEAGE) is not lineage or len(known) >= _REMEMBERED_MAX:
            known.clear()
            known[_LINEAGE] = lineage
        if key not in known:
            known[key] = work_out()
        return cast("Remembered", known[key])

    @classmethod
    def of(cls, clusters: Iterable[Cluster]) -> "Signals":
        return cls({one.metadata.name: ClusterSignals.of(one) for one in clusters})

    def values(
        self,
        name: str,
        clusters: Iterable[str],
        *,
        demand: ReplicaDemand | None = None,
        origin: Origin = OBSERVERS,
    ) -> dict[str, float]:
        """Return signal *name* of those of *clusters* of which it is known.

        *demand*: a price is that of one of its replicas. *origin*: where latency is counted from.
        """
        if name == PRICE:
            amounts = amounts_of(demand.requests) if demand is not None else Amounts()
            if not any(amounts):
                amounts = ONE_OF_EACH
            found = ((one, self.price_of(amounts, one)) for one in clusters)
        elif name == LATENCY:
            return self._latencies(tuple(clusters), origin)
        else:
            stated = self.published.get(name, {})
            own = name == CARBON
            found = (
                (one, stated.get(one, self._of(one).carbon if own else None)) for one in clusters
            )
        return {one: value for one, value in found if value is not None}

    def _latencies(self, clusters: Sequence[str], origin: Origin) -> dict[str, float]:
        """Return what observers measure, from a region else what its clusters do or declare."""
        declared = {name: one.declared for name, one in self.clusters.items()}
        if origin.clusters is not None:
            return round_trips(origin.clusters, clusters, self.measured, declared)
        seen = {one: self._of(one).latency_from(origin.region) for one in clusters}
        found = {name: value for name, value in seen.items() if value is not None}
        if not origin.region or len(found) == len(clusters):
            return found
        there = {name for name, one in declared.items() if one.region == origin.region}
        return {**round_trips(there, clusters, self.measured, declared), **found}

    def price_of(self, amounts: Amounts, cluster: str) -> float | None:
        """Return what so much costs there in an hour."""
        rates = self._of(cluster).rates
        return None if rates is None else cost_of(amounts, rates)

    def _of(self, cluster: str) -> ClusterSignals:
        return self.clusters.get(cluster, _UNKNOWN)


def changed_signals(before: Signals, after: Signals) -> frozenset[str]:
    """Name the signals of which any cluster has another value."""
    names = before.published.keys() | after.published.keys()
    found = {
        name for name in names if before.published.get(name, {}) != after.published.get(name, {})
    }
    for cluster in before.clusters.keys() | after.clusters.keys():
        old = before.clusters.get(cluster, _UNKNOWN)
        new = after.clusters.get(cluster, _UNKNOWN)
        if old == new:
            continue
        if old.rates != new.rates:
            found.add(PRICE)
        if old.carbon != new.carbon:
            found.add(CARBON)
        if old.measured_otherwise_than(new):
            found.add(LATENCY)
    if before.measured != after.measured:
        found.add(LATENCY)
    return frozenset(found)


_UNKNOWN = ClusterSignals()
NO_SIGNALS = Signals()
