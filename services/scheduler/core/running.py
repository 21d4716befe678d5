"""How much of a decision is seen running, by what the members report.

A report is evidence only for what it can know: one made before a share grew says nothing of the
growth. Clocks may differ, so after `SETTLING` the newest report counts whatever its time.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.scheduler.core.workload import Workload
from shared.api.binding import ClusterReport, TargetCluster, is_built_in
from shared.apimachinery.manifest import GroupVersionKind
from shared.clock import parse_time

SETTLING = timedelta(seconds=60)
_COUNTS = ("availableReplicas", "readyReplicas")


def count_missing(
    workload: Workload, desired: Mapping[str, int | None], now: datetime
) -> tuple[int, timedelta | None]:
    """How many of the desired replicas are not seen running, and when to look again at the latest.

    For what is whole in each member, 1 until any of them has it healthy: each copy
    stands for itself, and grace is there so that it never vanishes altogether.
    """
    reports = {report.cluster: report for report in workload.reports}
    before = {target.name: target for target in workload.current}
    running, whole, wanted = 0, False, 0
    again: timedelta | None = None
    for name, share in desired.items():
        report, target = reports.get(name), before.get(name)
        age = _unsettled(report, target, now)
        if age is not None:
            again = age if again is None else min(again, age)
        known = report if target is not None and age is None else None
        if share is None:
            whole = True
            running += _is_healthy(known)
        else:
            wanted += share
            # What is ordered only now cannot run yet, whatever an older report says.
            most = share if target is None or target.replicas is None else target.replicas
            running += min(share, most, seen_running(workload.gvk, _count_of(workload), known))
    if whole:
        return (0 if running else 1), again
    return wanted - running, again


def known_idle(workload: Workload, now: datetime) -> set[str]:
    """Name the clusters that are known to run no replica, so that none can be lost there.

    Of a member that is silent, or said nothing since its share grew, nothing is known.
    """
    targets = {target.name: target for target in workload.current}
    return {
        report.cluster
        for report in workload.reports
        if report.health not in ("Unknown", "Healthy")
        and _unsettled(report, targets.get(report.cluster), now) is None
        and not seen_running(workload.gvk, _count_of(workload), report)
    }


def _unsettled(
    report: ClusterReport | None, target: TargetCluster | None, now: datetime
) -> timedelta | None:
    """How long until a report that is older than the share counts nevertheless; None: it does."""
    if report is None or target is None or not target.since:
        return None
    try:
        since = parse_time(target.since)
        if parse_time(report.observed_time) >= since:
            return None
    except ValueError:
        return None
    left = since + SETTLING - now
    return left if left > timedelta(0) else None


def _is_healthy(report: ClusterReport | None) -> bool:
    return report is not None and report.applied and report.health == "Healthy"


def _count_of(workload: Workload) -> int:
    return workload.demand.count if workload.demand else 0


def seen_running(gvk: GroupVersionKind, replicas: int, report: ClusterReport | None) -> int:
    """How many of all *replicas* a member is seen to run; a silent one (Unknown) none."""
    if report is None or report.health == "Unknown":
        return 0
    if gvk.kind == "Job":
        # A finished Job counts as running: nothing is missing.
        return replicas if _is_healthy(report) else _count(report, "ready")
    if not is_built_in(gvk.group) and not any(name in report.status for name in _COUNTS):
        # A custom kind that counts otherwise, or not at all: its health has the word.
        return replicas if _is_healthy(report) else 0
    return _count(report, "availableReplicas") or _count(report, "readyReplicas")


def _count(report: ClusterReport, name: str) -> int:
    found = report.status.get(name)
    return found if isinstance(found, int) else 0
