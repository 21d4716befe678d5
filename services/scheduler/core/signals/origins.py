"""From where latency is counted: a region, a cluster, or wherever a workload runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.api.placement import Placement
from shared.api.scoring import MeasuredFrom, WorkloadName


@dataclass(frozen=True, slots=True)
class Origin:
    """A `region`, or `clusters` of which the nearest counts; neither is health's observers."""

    region: str = ""
    clusters: frozenset[str] | None = None


OBSERVERS = Origin()

Origins = Mapping[WorkloadName, frozenset[str]]
"""The clusters in which workloads run; none for one that is not placed."""


def workloads_named(placement: Placement) -> Iterable[WorkloadName]:
    """Name the workloads that latency is counted from."""
    rules = placement.replica_scheduling
    preference = rules.weight_preference if rules is not None else None
    stated = placement.scores if preference is None else (*placement.scores, preference)
    for one in stated:
        if one.from_workload is not None:
            yield one.from_workload


def origin_of(stated: MeasuredFrom, origins: Origins) -> Origin:
    if stated.from_workload is not None:
        return Origin(clusters=origins.get(stated.from_workload, frozenset()))
    if stated.from_cluster:
        return Origin(clusters=frozenset({stated.from_cluster}))
    return Origin(region=stated.from_region)


def origin_words(stated: MeasuredFrom) -> str:
    """Say it in a word or two; "" where it is the observers."""
    if stated.from_workload is not None:
        return f"{stated.from_workload.kind} {stated.from_workload.name}"
    return stated.from_cluster or stated.from_region
