"""Which changes move what has its place: the switches of a policy's `reschedulePolicy`.

A decision that would move something only for causes that are switched off is not taken: all stays
as it is. Once another cause is among them, it is taken whole.
"""

from collections.abc import Mapping
from dataclasses import replace

from services.scheduler.core.change.restraint import UNFORCED
from services.scheduler.core.decision import (
    Decision,
    Rejection,
    RejectionCode,
    Scheduled,
    Unschedulable,
)
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.workload import Workload
from shared.api.binding import Eviction, TargetCluster
from shared.api.ceilings import Ceiling
from shared.api.rescheduling import RescheduleWhen

_LABELS = frozenset({RejectionCode.CLUSTER_AFFINITY, RejectionCode.NAMESPACE_SCOPE})


def hold(workload: Workload, fleet: Fleet, found: Decision, when: RescheduleWhen) -> Decision:
    """Return *found*, or what there is where nothing that *when* allows leads away from it.

    Asked where the object, its policy and its users are as they were when it was placed.
    """
    if any(not fleet.holds(one.name) for one in workload.current):
        return found
    if any(one.since for one in workload.current) or workload.evictions or workload.goal:
        # What has begun goes on.
        return found
    if found.ceilings and found.ceilings != _ceilings(workload):
        return found
    why = _why(workload, found, when)
    if not why:
        return found
    kept = Scheduled(
        affinity_name=workload.affinity_name,
        clusters=workload.current,
        evictions=workload.evictions,
        failures=workload.failures,
        ceilings=_ceilings(workload),
        preempting=found.preempting,
        rejections=found.rejections,
        wake_after=found.wake_after,
        notes=(f"its policy's reschedulePolicy says not to move it for {why}",),
    )
    return replace(kept, rejections=_of_others(kept, found))


def hold_unplaced(
    workload: Workload, fleet: Fleet, found: Decision, when: RescheduleWhen
) -> Decision:
    """Return *found*, or none yet where what found no place is to wait for another word."""
    if when.capacity_changed or isinstance(found, Unschedulable):
        return found
    return Unschedulable(
        reason="Unschedulable",
        message="it found no place, and its policy's reschedulePolicy says not to try again until"
        " it or the policy changes",
        affinity_name=workload.affinity_name,
        clusters=tuple(one for one in workload.current if fleet.holds(one.name)),
        evictions=tuple(one for one in workload.evictions if fleet.holds(one.cluster)),
        failures=found.failures,
        ceilings=_ceilings(workload),
    )


def _ceilings(workload: Workload) -> tuple[Ceiling, ...]:
    return workload.circumstances.ceilings if workload.circumstances is not None else ()


def _why(workload: Workload, found: Decision, when: RescheduleWhen) -> str:
    """Say for what it would move where all of that is switched off; "" where anything is not."""
    if found.evictions:
        causes = {_cause_of(one, when) for one in found.evictions}
        return "" if "" in causes else " and ".join(sorted(causes))
    joined = isinstance(found, Scheduled) and not when.cluster_joined
    if joined and _shares(found.clusters) != _shares(workload.current) and _is_whole(workload):
        return "a cluster that joined, or came to count more"
    return ""


def _cause_of(eviction: Eviction, when: RescheduleWhen) -> str:
    reason = eviction.reason
    if reason in _LABELS and not when.cluster_labels_changed:
        return "labels of clusters"
    if reason == RejectionCode.TAINT_TOLERATION and not when.cluster_tainted:
        return "taints"
    if reason in UNFORCED and not when.cluster_joined:
        return "a cluster that joined, or came to count more"
    return ""


def _is_whole(workload: Workload) -> bool:
    """Whether nothing of it is missing."""
    if not workload.divided or workload.demand is None:
        return bool(workload.current)
    return sum(one.replicas or 0 for one in workload.current) >= workload.demand.count


def _shares(clusters: tuple[TargetCluster, ...]) -> Mapping[str, int | None]:
    return {one.name: one.replicas for one in clusters}


def _of_others(kept: Scheduled, found: Decision) -> Mapping[str, Rejection]:
    staying = {one.name for one in kept.clusters}
    return {name: why for name, why in found.rejections.items() if name not in staying}
