"""What a member is known to have made of the order that stands for it.

Only a report on that very order counts. A member that nobody reaches is neither healthy nor failed:
nothing is known of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.propagator.core.works import Held
from shared.api.binding import ClusterReport
from shared.api.cluster import READY, Cluster
from shared.api.conditions import find_condition


class Outcome(StrEnum):
    HEALTHY = "Healthy"
    DEGRADED = "Degraded"
    UNSETTLED = "Unsettled"
    """Not yet healthy: on its way, refused, or not reported on."""
    SILENT = "Silent"
    UNFIT = "Unfit"
    """The revision cannot be made into a manifest for it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`applied`: the member holds what was ordered last. `message` says what is wrong.

    `reported`: there is any report on the order that stands.
    """

    outcome: Outcome
    applied: bool = False
    message: str = ""
    reported: bool = True


UNSEEN = Seen(Outcome.UNSETTLED, reported=False)


def observe(
    report: ClusterReport | None, held: Held | None, digest: str, cluster: Cluster | None
) -> Seen:
    """Judge by the last report; *digest* is that of the order that must stand in WORK."""
    if cluster is None or _is_silent(cluster):
        return Seen(Outcome.SILENT, message="nothing is heard of the cluster")
    if held is None or held.digest != digest or held.deleted:
        return UNSEEN
    if report is None or report.generation != held.sequence:
        return UNSEEN
    if not report.applied:
        return Seen(Outcome.UNSETTLED, message=report.message)
    match report.health:
        case "Healthy":
            return Seen(Outcome.HEALTHY, applied=True, message=_left_as_it_is(report))
        case "Degraded":
            return Seen(Outcome.DEGRADED, applied=True, message=report.message or "Degraded")
        case "Unknown":
            return Seen(Outcome.SILENT, applied=True, message="its health is unknown")
    return Seen(Outcome.UNSETTLED, applied=True, message=report.message)


def _left_as_it_is(report: ClusterReport) -> str:
    """That it is well with something else than was ordered, as its policy allows."""
    if report.drift is None or report.drift.state != "Reported":
        return ""
    return f"others' changes stand: {report.drift.text}"


def _is_silent(cluster: Cluster) -> bool:
    """Whether health says that the member is not there, or not well; no word of it is none."""
    ready = find_condition(cluster.status.conditions, READY)
    return ready is not None and ready.status != "True"


def by_cluster(reports: tuple[ClusterReport, ...]) -> Mapping[str, ClusterReport]:
    return {report.cluster: report for report in reports}
