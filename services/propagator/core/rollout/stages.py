"""Stages: their rules with nothing left open, and which cluster belongs to which.

A cluster keeps the stage it was given for as long as a revision is under way, so that a fleet that
grows or shrinks meanwhile lets nobody past a gate.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from shared.api.cluster import Cluster
from shared.api.matching import NO_GROUPS, Groups, covers_in
from shared.api.staging import REMAINING, RolloutPace, RolloutStage, RolloutStrategy
from shared.apimachinery.durations import parse_duration
from shared.errors import InvalidObject

_CONCURRENCY = "100%"
_FAILURES = 0
_SUCCESS = "0s"
_DEADLINE = "10m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage as it counts: what it leaves open is the strategy's, or the default."""

    name: str
    approval: bool
    concurrency: int | str
    failures: int | str
    success: timedelta
    deadline: timedelta
    sorting: str = ""
    """The label that says who comes first."""

    def concurrency_of(self, clusters: int) -> int:
        """How many of so many clusters may change at the same time; at least one."""
        return max(1, _portion(self.concurrency, clusters, math.ceil))

    def failures_of(self, clusters: int) -> int:
        """How many of so many clusters may fail."""
        return _portion(self.failures, clusters, math.floor)


def stages_of(strategy: RolloutStrategy) -> tuple[Stage, ...]:
    """Return the stages in order; the last one is for clusters that no other takes."""
    remaining = RolloutStage(name=REMAINING)
    return tuple(_stage(strategy, one) for one in (*strategy.stages, remaining))


def place_in(sorting: str, name: str, cluster: Cluster | None) -> tuple[bool, int, str]:
    """Where a cluster comes in its stage, as a key to sort by."""
    text = cluster.metadata.labels.get(sorting, "") if cluster is not None else ""
    try:
        return False, int(text), name
    except ValueError:
        return True, 0, name


def assign(
    strategy: RolloutStrategy,
    clusters: Mapping[str, Cluster | None],
    before: Mapping[str, str],
    groups: Groups = NO_GROUPS,
) -> dict[str, str]:
    """Cluster -> stage. *before* is how it was assigned for the revision under way, if one is.

    *groups* are the ClusterGroups that there are.

    A cluster (None: unreadable now) stays where it was while that stage covers it. Whoever comes
    later joins a stage that takes all it covers, or else the last one that covers it: a percentage
    was reckoned up when the revision began.
    """
    rules = {stage.name: stage for stage in strategy.stages}
    found: dict[str, str] = {}
    for name in sorted(before.keys() & clusters.keys()):
        rule, cluster = rules.get(before[name]), clusters[name]
        if cluster is None or (rule is not None and _takes(rule, cluster, groups)):
            found[name] = before[name]
    late = bool(before)
    left = [name for name in sorted(clusters) if name not in found]
    for rule in strategy.stages:
        if late and rule.percentage is not None:
            continue
        taken = [name for name in left if _takes(rule, clusters[name], groups)]
        if rule.percentage is not None:
            taken = sorted(taken, key=partial(_place, _sorting(strategy, rule), clusters))
            taken = taken[: math.ceil(len(taken) * rule.percentage / 100)]
        found.update(dict.fromkeys(taken, rule.name))
        left = [name for name in left if name not in found]
    for name in left:
        covering = [
            rule.name for rule in strategy.stages if late and _takes(rule, clusters[name], groups)
        ]
        found[name] = covering[-1] if covering else REMAINING
    return found


def _sorting(strategy: RolloutStrategy, rule: RolloutStage) -> str:
    return rule.sorting_label_key or strategy.sorting_label_key


def _place(
    sorting: str, clusters: Mapping[str, Cluster | None], name: str
) -> tuple[bool, int, str]:
    return place_in(sorting, name, clusters[name])


def _takes(rule: RolloutStage, cluster: Cluster | None, groups: Groups) -> bool:
    if cluster is None:
        return False
    try:
        return covers_in(rule.cluster_affinity, cluster, groups)
    except InvalidObject:
        # Admission refuses such a selector; one that slipped through covers nothing.
        return False


def _stage(strategy: RolloutStrategy, rule: RolloutStage) -> Stage:
    both: tuple[RolloutPace, RolloutPace] = (rule, strategy)
    concurrency = next((one.max_concurrency for one in both if one.max_concurrency is not None), "")
    failures = next((one.max_failures for one in both if one.max_failures is not None), "")
    return Stage(
        name=rule.name,
        approval=rule.approval == "Required",
        concurrency=concurrency or _CONCURRENCY,
        failures=failures or _FAILURES,
        success=_duration(rule.min_success_time or strategy.min_success_time, _SUCCESS),
        deadline=_duration(rule.progress_deadline or strategy.progress_deadline, _DEADLINE),
        sorting=_sorting(strategy, rule),
    )


def _duration(text: str, default: str) -> timedelta:
    """Admission refuses what is no duration; such a one that slipped through says nothing."""
    try:
        return timedelta(seconds=parse_duration(text or default))
    except (ValueError, OverflowError):
        return timedelta(seconds=parse_duration(default))


def _portion(text: int | str, whole: int, rounded: Callable[[float], int]) -> int:
    """A number, or a percentage of *whole*; none for what is neither."""
    if isinstance(text, int):
        return text
    digits = text.removesuffix("%")
    if not digits.isdecimal():
        return 0
    return rounded(whole * int(digits) / 100) if text.endswith("%") else int(digits)
