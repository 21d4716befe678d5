"""A rollout without a federation: clusters that do as they are told, and time that is a number."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.propagator.core.rollout.observation import Outcome, Seen
from services.propagator.core.rollout.planner import plan
from services.propagator.core.rollout.situation import HeldRevision, Situation
from shared.api.cluster import Cluster, ClusterSpec
from shared.api.meta import ObjectMeta
from shared.api.rollout import Approval, RolloutCluster, RolloutSpec, RolloutStatus
from shared.api.staging import RolloutStrategy

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEALTHY = Seen(Outcome.HEALTHY, applied=True)
DEGRADED = Seen(Outcome.DEGRADED, applied=True, message="Degraded")
SILENT = Seen(Outcome.SILENT, message="nothing is heard of the cluster")
UNSETTLED = Seen(Outcome.UNSETTLED)


def strategy(**fields: Any) -> RolloutStrategy:
    """In the words of a policy: `strategy(stages=[{"name": "canary", "percentage": 10}])`."""
    return msgspec.convert(fields, RolloutStrategy)


def named(name: str, *clusters: str, **fields: Any) -> dict[str, Any]:
    """A stage of the clusters named."""
    return {"name": name, "clusterAffinity": {"clusterNames": [*clusters]}, **fields}


@dataclass
class World:
    """Clusters, and what is seen of each; a step at a time."""

    rules: RolloutStrategy
    names: list[str]
    target: int = 1
    spec: RolloutSpec = field(default_factory=RolloutSpec)
    status: RolloutStatus = field(default_factory=RolloutStatus)
    seen: dict[str, Seen] = field(default_factory=dict)
    found: dict[str, HeldRevision] = field(default_factory=dict)
    leaving: list[str] = field(default_factory=list)
    now: datetime = START
    watched_since: datetime = START
    regions: dict[str, str] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    wake_after: timedelta | None = None
    template_generation: int = 1
    gone: set[int] = field(default_factory=set)

    def situation(self) -> Situation:
        return Situation(
            strategy=self.rules,
            spec=self.spec,
            generation=1,
            status=self.status,
            target=self.target,
            template_generation=self.template_generation,
            clusters={name: self._cluster(name) for name in self.names},
            leaving=self.leaving,
            found=self.found,
            recorded={
                number: number for number in range(1, self.target + 1) if number not in self.gone
            },
            seen={name: self.seen.get(name, UNSETTLED) for name in self.names},
            now=self.now,
            watched_since=self.watched_since,
        )

    def step(self, seconds: float = 0) -> RolloutStatus:
        """Let time pass, then look once."""
        self.now += timedelta(seconds=seconds)
        step = plan(self.situation())
        self.status, self.wake_after = step.status, step.wake_after
        return self.status

    def settle(self) -> RolloutStatus:
        """Look until nothing changes any more."""
        for _ in range(4 * len(self.names) + 8):
            before = self.status
            if self.step() == before:
                return before
        raise AssertionError("it never comes to rest")

    def all_well(self) -> RolloutStatus:
        """Every cluster is healthy with whatever it was given; look until nothing changes."""
        self.seen = dict.fromkeys(self.names, HEALTHY)
        return self.settle()

    def change(self, target: int) -> RolloutStatus:
        """The template says something new, which no cluster is well with yet."""
        self.target = target
        self.template_generation += 1
        self.seen = dict.fromkeys(self.names, UNSETTLED)
        return self.step()

    def approve(self, stage: str, revision: int | None = None) -> None:
        one = Approval(revision=revision or self.target, stage=stage)
        self.spec = msgspec.structs.replace(self.spec, approvals=(*self.spec.approvals, one))

    def say(self, **fields: Any) -> None:
        self.spec = msgspec.structs.replace(self.spec, **fields)

    def of(self, name: str) -> RolloutCluster:
        return next(one for one in self.status.clusters if one.name == name)

    def holding(self, revision: int) -> list[str]:
        return [one.name for one in self.status.clusters if one.revision == revision]

    def in_state(self, state: str) -> list[str]:
        return [one.name for one in self.status.clusters if one.state == state]

    def condition(self, name: str) -> str:
        return next(one.status for one in self.status.conditions if one.type == name)

    def _cluster(self, name: str) -> Cluster:
        return Cluster(
            metadata=ObjectMeta(name=name, labels={"name": name, **self.labels.get(name, {})}),
            spec=ClusterSpec(region=self.regions.get(name, "eu")),
        )


def settled_world(rules: RolloutStrategy, names: list[str]) -> World:
    """A world in which revision 1 is complete everywhere."""
    world = World(rules, names, found={name: HeldRevision(1, 1) for name in names})
    world.all_well()
    assert world.status.phase == "Complete"
    world.found = {}
    return world
