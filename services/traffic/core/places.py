"""Where a service could be answered: one place for each cluster, as a split sees it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cluster and what of it matters to a split. Two equal ones get equal shares.

    `ready` endpoints take traffic now, of `wanted` replicas. `drained`: it is to have no traffic
    while others can take it, for the reason in `why`.
    """

    cluster: str
    region: str = ""
    ready: int = 0
    wanted: int = 0
    reachable: bool = True
    drained: bool = False
    why: str = ""
    idle: str = ""
    """Why `ready` is 0 though endpoints are ready: none of them serves the port in question."""

    @property
    def alive(self) -> bool:
        return self.reachable and self.ready > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """So much for these clusters together; none of them is in an entry before."""

    clusters: frozenset[str]
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """`min_ready_percent` and `rate` as a policy's `locality` says them; a rate of 0 is none.

    `latency` is by source region and cluster, in milliseconds; `demand` by source region, in
    requests per second.
    """

    min_ready_percent: int = 70
    rate: int = 0
    latency: Mapping[tuple[str, str], int] = field(default_factory=dict)
    demand: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a policy asks for, its clusters found: empty parts and None ask for nothing.

    `groups` is the failover order, its last group what the others do not cover; `active` the one
    whose turn it is. `shift_to` takes `percentage` of everything.
    """

    weights: tuple[Weight, ...] = ()
    nearness: Nearness | None = None
    groups: tuple[frozenset[str], ...] = ()
    active: int = 0
    shift_to: frozenset[str] | None = None
    percentage: int = 0

    @cached_property
    def entries(self) -> Mapping[str, int]:
        """The number of the entry of `weights` that each cluster is in, for those in one."""
        return {name: number for number, one in enumerate(self.weights) for name in one.clusters}

    def weighs(self, cluster: str) -> bool:
        """Whether any traffic may go there; where a shift goes, it may whatever that weighs."""
        if not self.weights or (self.shift_to is not None and cluster in self.shift_to):
            return True
        number = self.entries.get(cluster)
        return number is not None and self.weights[number].weight > 0


def regions_of(places: Iterable[Place]) -> tuple[str, ...]:
    """Return the regions traffic can be told to come from, and "" for anywhere else."""
    return ("", *sorted({one.region for one in places if one.region}))
