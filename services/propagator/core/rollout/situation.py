"""Everything a step of a rollout is decided from, and what comes out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.propagator.core.rollout.observation import UNSEEN, Seen
from shared.api.cluster import Cluster
from shared.api.matching import Groups
from shared.api.rollout import RolloutSpec, RolloutStatus
from shared.api.staging import RolloutStrategy

STUCK = frozenset({"Failed", "RollingBack", "RolledBack"})
"""Phases that end with somebody's decision only."""


@dataclass(frozen=True, slots=True)
class HeldRevision:
    """The revision a cluster was found to hold (0: none of those recorded), and as of when."""

    revision: int
    template_generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A snapshot.

    `clusters` are the decision's targets (None: there is no readable Cluster now), `leaving` those
    whose share is being evicted. `groups` are the ClusterGroups there are.
    `found` tells what clusters hold of which `status` says nothing:
    at first, or when the record of the rollout was lost. `recorded` is revision -> generation.
    `generation` is the rollout's own, `watched_since` when this process began to look.
    """

    strategy: RolloutStrategy
    spec: RolloutSpec
    generation: int
    status: RolloutStatus
    target: int
    template_generation: int
    clusters: Mapping[str, Cluster | None]
    groups: Groups = field(default_factory=dict)
    leaving: Collection[str] = ()
    found: Mapping[str, HeldRevision] = field(default_factory=dict)
    recorded: Mapping[int, int] = field(default_factory=dict)
    seen: Mapping[str, Seen] = field(default_factory=dict)
    now: datetime
    watched_since: datetime

    def seen_of(self, cluster: str) -> Seen:
        return self.seen.get(cluster, UNSEEN)

    @property
    def is_new(self) -> bool:
        """Whether there is another revision to reach than at the last step."""
        return self.status.target_revision != self.target

    @property
    def begins(self) -> bool:
        """Whether it starts from the first stage: a new revision, or one more attempt."""
        again = self.spec.attempt != self.status.attempt
        return self.is_new or (again and self.status.phase in STUCK)

    @property
    def is_stuck(self) -> bool:
        """Whether the target failed before, and nobody asked to try it again."""
        return self.status.phase in STUCK and not self.begins

    @property
    def complete(self) -> int:
        """The last revision that needs no stages any more; 0 is none, or none whose record is kept.

        What every cluster turns out to hold at the first look has no stages to go through.
        """
        status = self.status
        held = {one.revision for one in self.found.values()}
        if status.target_revision == 0 and held == {self.target}:
            return self.target
        return status.complete_revision if status.complete_revision in self.recorded else 0


@dataclass(frozen=True, slots=True)
class Step:
    """The next status, from which follows what each cluster must hold; when to look again."""

    status: RolloutStatus
    wake_after: timedelta | None = None
