"""Random fleets, placements and histories: every rule of a placement beside every other."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.room import NodeRoom, Room
from services.scheduler.core.workload import Grace, Workload, default_tolerations
from shared.api.binding import ClusterReport, TargetCluster
from shared.api.cluster import Taint
from shared.api.failover import ClusterFailover, Failover
from shared.api.placement import (
    ClusterAffinityTerm,
    OverflowAffinity,
    Placement,
    PlacementAffinity,
    PreferredAffinity,
    ReplicaLimit,
    ReplicaScheduling,
    SpreadConstraint,
    StaticWeight,
    WeightPreference,
)
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey
from shared.interpreter.replicas import ReplicaDemand

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GRACE = Grace(unreachable=timedelta(seconds=30), not_ready=timedelta(seconds=30))
NAMES = "abcdef"
NANO = 10**9


def a_world(seed: int) -> tuple[Workload, Fleet]:
    """Return what is to be placed and where, the same for the same seed."""
    # Not for secrets: the same worlds in every run.
    chance = random.Random(seed)  # noqa: S311
    names = chance.sample(NAMES, chance.randint(1, 6))
    return _workload(chance), Fleet([_member(chance, name) for name in names])


def _names(chance, least, most):
    return tuple(chance.sample(NAMES, chance.randint(least, most)))


def _affinity(chance):
    return PlacementAffinity(cluster_names=_names(chance, 0, 4))


def _member(chance, name):
    cpu, count = chance.randint(0, 6) * NANO, chance.randint(1, 3)
    effect = chance.choice(["NoSchedule", "PreferNoSchedule", "NoExecute"])
    return Member(
        name=name,
        labels={"tier": chance.choice("xy")} if chance.random() < 0.9 else {},
        place={
            "region": chance.choice(["r1", "r2", "r3", ""]),
            "zone": chance.choice("12"),
            "provider": chance.choice("pq"),
        },
        taints=() if chance.random() < 0.8 else (Taint(key="gpu", effect=effect),),
        joined=chance.random() < 0.95,
        ready=chance.random() < 0.9,
        leaving=chance.random() < 0.05,
        room=None
        if chance.random() < 0.2
        else Room((NodeRoom(count, {"cpu": cpu, "pods": 50 * NANO}),)),
    )


def _group(chance, name):
    overflow = [
        OverflowAffinity(affinity_name=f"{name}-{n}", cluster_names=_names(chance, 1, 3))
        for n in range(chance.randint(0, 2))
    ]
    return ClusterAffinityTerm(
        affinity_name=name,
        cluster_names=_names(chance, 1, 3),
        overflow_affinities=tuple(overflow),
    )


def _replicas(chance):
    kind = chance.choice([None, "Duplicated", "Divided", "Divided", "Divided"])
    if kind != "Divided":
        return ReplicaScheduling(replica_scheduling_type=kind) if kind else None
    aggregated, ranked = chance.random() < 0.3, chance.random() < 0.3
    weights = None
    if not aggregated and chance.random() < 0.7:
        weights = WeightPreference(
            static_weight_list=tuple(
                StaticWeight(target_cluster=_affinity(chance), weight=chance.randint(0, 5))
                for _ in range(chance.randint(1, 3))
            ),
            dynamic_weight=chance.choice(["", "AvailableReplicas"]),
        )
    limits = [
        ReplicaLimit(
            target_cluster=_affinity(chance),
            min_replicas=chance.randint(0, 3),
            max_replicas=chance.choice([None, 3, 8]),
            priority=chance.randint(0, 2) if ranked else 0,
        )
        for _ in range(chance.randint(0, 2))
    ]
    return ReplicaScheduling(
        replica_division_preference="Aggregated" if aggregated else "Weighted",
        weight_preference=weights,
        replica_limits=tuple(limits),
    )


def _constraints(chance, *, level):
    found, skewed = [], not level
    fields = ["cluster", "region", "zone", "provider", "label"]
    for field in chance.sample(fields, chance.choice([0, 0, 1, 2])):
        least = chance.randint(0, 2)
        skew = 0 if skewed else chance.choice([0, 0, 1, 2])
        skewed = skewed or skew > 0
        found.append(
            SpreadConstraint(
                spread_by_field="" if field == "label" else field,
                spread_by_label="tier" if field == "label" else "",
                min_groups=least,
                max_groups=chance.choice([0, least + chance.randint(0, 2)]),
                max_skew=skew,
            )
        )
    return tuple(found)


def _placement(chance):
    rules = _replicas(chance)
    groups = ()
    if chance.random() < 0.3:
        groups = tuple(_group(chance, f"g{n}") for n in range(chance.randint(1, 2)))
    ordered = any(one.overflow_affinities for one in groups) or (
        rules is not None and any(one.priority for one in rules.replica_limits)
    )
    liked = [PreferredAffinity(weight=chance.randint(1, 9), preference=_affinity(chance))]
    return Placement(
        cluster_affinity=_affinity(chance) if not groups and chance.random() < 0.3 else None,
        cluster_affinities=groups,
        preferred_cluster_affinities=tuple(liked[: chance.randint(0, 1)]),
        spread_constraints=_constraints(chance, level=not ordered),
        replica_scheduling=rules,
    )


def _workload(chance):
    placement = _placement(chance)
    rules = placement.replica_scheduling
    divided = rules is not None and rules.replica_scheduling_type == "Divided"
    count = chance.randint(0, 15)
    kind = chance.choice(["Deployment", "Deployment", "StatefulSet", "Job"])
    held = sorted(_names(chance, 0, 3)) if chance.random() < 0.6 else []
    targets = tuple(
        TargetCluster(name=name, replicas=chance.randint(0, 6) if divided else None)
        for name in held
    )
    demand = ReplicaDemand(
        count,
        {"cpu": "1"},
        completions=2 * count if kind == "Job" else None,
        ordinals_start=0 if kind == "StatefulSet" else None,
    )
    return Workload(
        key=ObjectKey("apps", "deployments", "shop", chance.choice(["web", "api"])),
        gvk=GroupVersionKind("apps", "v1", kind),
        demand=demand if divided or chance.random() < 0.8 else None,
        placement=placement,
        tolerations=default_tolerations(placement, GRACE),
        failover=Failover(
            cluster=ClusterFailover(purge_mode=chance.choice(["Directly", "Gracefully", "Never"]))
        ),
        current=targets,
        reports=tuple(_report(chance, name) for name in NAMES if chance.random() < 0.7),
        previous_replicas=sum(one.replicas or 0 for one in targets) if divided else count,
        affinity_name=chance.choice(["", "g0", "g1"]) if placement.cluster_affinities else "",
    )


def _report(chance, name):
    return ClusterReport(
        cluster=name,
        applied=True,
        health="Healthy",
        observed_time="2026-03-01T11:59:59Z",
        status={"availableReplicas": chance.randint(0, 8)},
    )


def after(workload, decision):
    """The same workload once the decision has been written."""
    return replace(
        workload,
        current=decision.clusters,
        evictions=decision.evictions,
        previous_replicas=workload.demand.count if workload.demand else None,
        affinity_name=decision.affinity_name,
    )
