"""Ways to place a workload: Hanse's, by its own function and policies, and plain ones beside them.

Each answers shares by cluster; what a cluster cannot bind of its share stays pending there.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from bench.fleets import SEED
from bench.openb_world import Cluster, Job
from services.scheduler.core.decision import Scheduled
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.replicas import divide
from services.scheduler.core.schedule import schedule
from services.scheduler.core.signals.pricing import Amounts
from services.scheduler.core.signals.values import ClusterSignals, Signals
from services.scheduler.core.workload import Workload
from shared.api.binding import TargetCluster
from shared.api.placement import Placement, ReplicaScheduling, WeightPreference
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey

Shares = Mapping[str, int]
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_DEPLOYMENT = GroupVersionKind("apps", "v1", "Deployment")


class Strategy:
    """Places one workload after the other on *clusters*, which change under it."""

    follows_rule = False
    """Whether shares are to be as they would be placed now, whatever runs."""

    def __init__(self, clusters: Sequence[Cluster]) -> None:
        self.clusters = clusters

    def place(self, job: Job, current: Shares) -> Shares:
        """Return the shares *job* is to have; *current* are those it has."""
        raise NotImplementedError

    def lose(self, name: str) -> None:
        self.clusters = [one for one in self.clusters if one.name != name]

    def note(self, names: Sequence[str]) -> None:
        """Take in that the room of clusters has changed."""


class FirstFit(Strategy):
    """Every pod in the first cluster that has a node for it."""

    def place(self, job: Job, current: Shares) -> Shares:
        shares, left = dict(current), job.count - sum(current.values())
        for one in self.clusters:
            here = one.holds(job.each, left)
            if here:
                shares[one.name] = shares.get(one.name, 0) + here
                left -= here
        return shares


class Random(Strategy):
    """Every pod in a cluster drawn at random."""

    def __init__(self, clusters: Sequence[Cluster]) -> None:
        super().__init__(clusters)
        self._chance = random.Random(SEED)  # noqa: S311

    def place(self, job: Job, current: Shares) -> Shares:
        shares = dict(current)
        for _ in range(job.count - sum(current.values())):
            name = self._chance.choice(self.clusters).name
            shares[name] = shares.get(name, 0) + 1
        return shares


class BySums(Strategy):
    """By weights: how often a pod fits into the sum of what is free in a cluster."""

    follows_rule = True

    def place(self, job: Job, current: Shares) -> Shares:
        weights = {one.name: job.each.how_often(one.free) for one in self.clusters}
        if not any(weights.values()):
            return {}
        order = sorted(weights)
        return divide(job.count, weights, {}, tie_break=order, near=current).shares


class Hanse(Strategy):
    """`schedule()` by one placement, with the room of every node and the prices of clusters."""

    placement = Placement()

    def __init__(self, clusters: Sequence[Cluster]) -> None:
        super().__init__(clusters)
        self.fleet = Fleet(one.member() for one in clusters)
        self.signals = Signals(
            {one.name: ClusterSignals(rates=Amounts(*one.prices)) for one in clusters}
        )

    def workload(self, job: Job, current: Shares) -> Workload:
        """Return *job* as the scheduler is given it."""
        return Workload(
            key=ObjectKey("apps", "deployments", "openb", job.name),
            gvk=_DEPLOYMENT,
            demand=job.demand,
            placement=self.placement,
            current=tuple(TargetCluster(name=name, replicas=n) for name, n in current.items()),
            previous_replicas=job.count if current else None,
            signals=self.signals,
        )

    def place(self, job: Job, current: Shares) -> Shares:
        decision = schedule(self.workload(job, current), self.fleet, _NOW)
        if not isinstance(decision, Scheduled):
            return current
        return {one.name: one.replicas for one in decision.clusters if one.replicas}

    def lose(self, name: str) -> None:
        super().lose(name)
        self.fleet = Fleet(one for one in self.fleet.members.values() if one.name != name)

    def note(self, names: Sequence[str]) -> None:
        changed = [one.member() for one in self.clusters if one.name in names]
        self.fleet = self.fleet.with_rooms_of(changed)


class ByRoom(Hanse):
    """`dynamicWeight: AvailableReplicas`."""

    placement = Placement(
        replica_scheduling=ReplicaScheduling(
            weight_preference=WeightPreference(dynamic_weight="AvailableReplicas")
        )
    )


class Aggregated(Hanse):
    """`replicaDivisionPreference: Aggregated`."""

    placement = Placement(
        replica_scheduling=ReplicaScheduling(replica_division_preference="Aggregated")
    )


class ByPrice(Hanse):
    """`dynamicWeight: Price`."""

    placement = Placement(
        replica_scheduling=ReplicaScheduling(
            weight_preference=WeightPreference(dynamic_weight="Price")
        )
    )


STRATEGIES: Mapping[str, Callable[[Sequence[Cluster]], Strategy]] = {
    "first fit": FirstFit,
    "random": Random,
    "weights by sums": BySums,
    "Hanse, by room": ByRoom,
    "Hanse, aggregated": Aggregated,
    "Hanse, by price": ByPrice,
}
