"""Application failover: an object that has not been healthy in a cluster for too long leaves it.

Only where the policy asks for it, and only to somewhere else: what nothing can take stays. A
cluster that was left for that is not tried again for half an hour, and twice as long each time it
fails again, so that nothing goes round in circles.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.scheduler.core.decision import Rejection, RejectionCode
from services.scheduler.core.workload import Workload
from shared.api.binding import ApplicationFailure, TargetCluster
from shared.clock import format_time, parse_time, span_of

AGAIN_AFTER = timedelta(minutes=30)
_AGAIN_AFTER_MAX = timedelta(days=1)
REMEMBERED = timedelta(hours=6)
"""How long after it may be tried again a cluster is known to have failed."""
_LOOK_AGAIN = timedelta(minutes=1)
"""Where it has nowhere to go yet."""


@dataclass(frozen=True, slots=True)
class Failing:
    """The clusters to leave now, each with the reason; `wake_after`: when the next may be due."""

    clusters: Mapping[str, str] = field(default_factory=dict)
    wake_after: timedelta | None = None


def find_failing(workload: Workload, now: datetime) -> Failing:
    """Judge by the reports of those that hold it; none of who holds it for others' sake."""
    rules = workload.failover.application
    if rules is None:
        return Failing()
    tolerated = span_of(rules.decision_conditions.toleration_seconds)
    held = {target.name for target in workload.current}
    due: dict[str, str] = {}
    left: list[timedelta] = []
    for report in workload.reports:
        if report.cluster not in held or not report.unhealthy_since:
            continue
        rest = parse_time(report.unhealthy_since) + tolerated - now
        if rest > timedelta(0):
            left.append(rest)
        else:
            due[report.cluster] = f"it has not been healthy there since {report.unhealthy_since}"
    return Failing(due, _LOOK_AGAIN if due else min(left, default=None))


def is_elsewhere(workload: Workload, clusters: Iterable[TargetCluster]) -> bool:
    """Whether *clusters* make up for those that are left: a copy for each, if it is copied."""
    return workload.divided or len(tuple(clusters)) >= len(workload.current)


def failures_after(
    workload: Workload, clusters: Iterable[TargetCluster], now: datetime
) -> tuple[ApplicationFailure, ...]:
    """Return what is to be remembered once *clusters* hold it."""
    found = {one.cluster: one for one in still_known(workload, now)}
    staying = {one.name for one in clusters}
    for name in workload.failing:
        if name in staying:
            continue
        times = found[name].times + 1 if name in found else 1
        since, until = format_time(now), format_time(now + pause_after(times))
        found[name] = ApplicationFailure(cluster=name, since=since, until=until, times=times)
    return tuple(found[name] for name in sorted(found))


def pause_after(times: int) -> timedelta:
    """How long a cluster is left alone that failed so many times."""
    # 64 half hours are more than the longest pause.
    return min(AGAIN_AFTER * (1 << min(times - 1, 6)), _AGAIN_AFTER_MAX)


def still_known(workload: Workload, now: datetime) -> tuple[ApplicationFailure, ...]:
    if workload.failover.application is None:
        return ()
    return tuple(one for one in workload.failures if now < parse_time(one.until) + REMEMBERED)


def kept_away(workload: Workload, now: datetime) -> Mapping[str, Rejection]:
    """Say where it is not to go, since it fails there or did so of late."""
    found = {
        name: Rejection(RejectionCode.APPLICATION_UNHEALTHY, why)
        for name, why in workload.failing.items()
    }
    for one in still_known(workload, now):
        if one.cluster not in found and now < parse_time(one.until):
            why = f"it was not healthy there; that is tried again after {one.until}"
            found[one.cluster] = Rejection(RejectionCode.APPLICATION_UNHEALTHY, why)
    return found


def due_again(workload: Workload, now: datetime) -> timedelta | None:
    """Return when the first cluster may be tried again; None where none has to wait."""
    waits = (parse_time(one.until) - now for one in still_known(workload, now))
    return min((wait for wait in waits if wait > timedelta(0)), default=None)
