"""How far clusters are from one another, in milliseconds there and back: measured, or declared.

What is measured comes first, from either end; then what either Cluster declares of the other, then
what is declared of regions. From itself a cluster is nowhere.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from shared.api.cluster import ClusterSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a Cluster declares: its region, and round trips to clusters and regions."""

    region: str = ""
    clusters: Mapping[str, float] = field(default_factory=dict)
    regions: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: ClusterSpec) -> "Declared":
        return cls(
            region=spec.region,
            clusters={one.cluster: one.milliseconds for one in spec.latencies if one.cluster},
            regions={one.region: one.milliseconds for one in spec.latencies if one.region},
        )


NOTHING_DECLARED = Declared()

Measured = Mapping[tuple[str, str], float]
"""Round trips by (from, to)."""


def round_trips(
    origins: Collection[str],
    targets: Iterable[str],
    measured: Measured,
    declared: Mapping[str, Declared],
) -> dict[str, float]:
    """Return of each target the round trip from the nearest of *origins*, where it is known."""
    wanted = frozenset(targets)
    found: dict[str, float] = {}
    for (one, other), milliseconds in measured.items():
        for origin, target in ((one, other), (other, one)):
            if origin in origins and target in wanted:
                _keep_least(found, target, milliseconds)
    stated = _stated(origins, declared)
    for name in wanted - found.keys():
        own = declared.get(name, NOTHING_DECLARED)
        nearest = _declared(name, own, stated, origins)
        if nearest is not None:
            found[name] = nearest
    found |= {name: 0.0 for name in origins if name in wanted}
    return found


@dataclass(frozen=True, slots=True)
class _Stated:
    """What origins declare, the least of them, and the regions that they are in."""

    clusters: Mapping[str, float]
    regions: Mapping[str, float]
    own: frozenset[str]


def _stated(origins: Collection[str], declared: Mapping[str, Declared]) -> _Stated:
    clusters: dict[str, float] = {}
    regions: dict[str, float] = {}
    there = [declared[name] for name in origins if name in declared]
    for one in there:
        for name, milliseconds in one.clusters.items():
            _keep_least(clusters, name, milliseconds)
        for name, milliseconds in one.regions.items():
            _keep_least(regions, name, milliseconds)
    return _Stated(clusters, regions, frozenset(one.region for one in there if one.region))


def _declared(name: str, own: Declared, stated: _Stated, origins: Collection[str]) -> float | None:
    """Return the least that is declared of clusters, else of regions, by either end."""
    pairs = [one for other, one in own.clusters.items() if other in origins]
    pairs += [stated.clusters[name]] if name in stated.clusters else []
    if pairs:
        return min(pairs)
    regions = [one for region, one in own.regions.items() if region in stated.own]
    regions += [stated.regions[own.region]] if own.region in stated.regions else []
    return min(regions, default=None)


def _keep_least(found: dict[str, float], name: str, value: float) -> None:
    found[name] = min(value, found.get(name, value))
