"""Auto migration: replicas that find no node in their cluster go where there is a place for them.

Only where the policy asks for it, and only of what is divided; where no other cluster takes them
they stay. A cluster that was left for that gets no more than it runs for half an hour, and for
twice as long each time it happens again: its room told otherwise when it was chosen, and may do so
still.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.scheduler.core.caps import Cap, Caps
from services.scheduler.core.change.application import REMEMBERED, pause_after
from services.scheduler.core.decision import Rejection, RejectionCode
from services.scheduler.core.running import seen_running
from services.scheduler.core.workload import Workload
from shared.api.binding import ClusterReport
from shared.api.ceilings import Ceiling
from shared.clock import format_time, parse_time

_LOOK_AGAIN = timedelta(minutes=1)
"""Where they have nowhere to go yet."""


@dataclass(frozen=True, slots=True)
class Stranded:
    """What a cluster can keep of its share; `wake_after`: when the next may be due."""

    keeps: Mapping[str, int] = field(default_factory=dict)
    wake_after: timedelta | None = None


def find_stranded(workload: Workload, after: timedelta, now: datetime) -> Stranded:
    """Judge by the reports of those that hold it."""
    if not workload.divided or workload.demand is None:
        return Stranded()
    held = {target.name: target.replicas or 0 for target in workload.current}
    under = ceilings_now(workload, now)
    keeps: dict[str, int] = {}
    waits: list[timedelta] = []
    for report in workload.reports:
        share = held.get(report.cluster, 0)
        if not share or not report.unschedulable or not report.unschedulable_since:
            continue
        left = parse_time(report.unschedulable_since) + after - now
        if left > timedelta(0):
            waits.append(left)
            continue
        keep = _kept(workload, report, share)
        ceiling = under.get(report.cluster)
        if keep < share and (ceiling is None or keep < ceiling.most):
            keeps[report.cluster] = keep
    if keeps:
        waits.append(_LOOK_AGAIN)
    return Stranded(keeps, min(waits, default=None))


def _kept(workload: Workload, report: ClusterReport, share: int) -> int:
    """Never fewer than run there, whatever is said of the others."""
    assert workload.demand is not None
    running = seen_running(workload.gvk, workload.demand.count, report)
    return max(share - report.unschedulable, min(running, share))


def ceilings_after(
    workload: Workload, keeps: Mapping[str, int], now: datetime
) -> tuple[Ceiling, ...]:
    """Return what is to be remembered once more than *keeps* has left these clusters."""
    known = still_known(_known(workload), now)
    found = {one.cluster: one for one in known}
    for name, most in keeps.items():
        times = found[name].times + 1 if name in found else 1
        found[name] = Ceiling(
            cluster=name,
            replicas=most,
            reason="Unschedulable",
            message="pods of it found no node there",
            since=format_time(now),
            until=format_time(now + pause_after(times)),
            times=times,
        )
    return tuple(found[name] for name in sorted(found))


def still_known(ceilings: Iterable[Ceiling], now: datetime) -> tuple[Ceiling, ...]:
    """Return those for pods without a node that count, or did so of late."""
    return tuple(
        one
        for one in ceilings
        if one.reason == "Unschedulable" and now < parse_time(one.until) + REMEMBERED
    )


def ceilings_now(workload: Workload, now: datetime) -> Caps:
    """Return the caps of those that count at this moment."""
    return caps_of(_known(workload), now)


def caps_of(ceilings: Iterable[Ceiling], now: datetime) -> Caps:
    """Return the caps of *ceilings* for pods without a node that count at this moment."""
    found = {}
    for one in ceilings:
        if one.reason == "Unschedulable" and now < parse_time(one.until):
            text = f"pods of it found no node there; that is tried again after {one.until}"
            found[one.cluster] = Cap(
                one.replicas, Rejection(RejectionCode.UNSCHEDULABLE_PODS, text)
            )
    return found


def due_again(ceilings: Iterable[Ceiling], now: datetime) -> timedelta | None:
    """Return when the first of the clusters may be given more again; None where none waits."""
    waits = (parse_time(one.until) - now for one in ceilings if one.until)
    return min((wait for wait in waits if wait > timedelta(0)), default=None)


def _known(workload: Workload) -> tuple[Ceiling, ...]:
    return workload.circumstances.ceilings if workload.circumstances is not None else ()
