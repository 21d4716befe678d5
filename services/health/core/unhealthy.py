"""Since when an object is not healthy in a cluster that is: what application failover goes by."""

from dataclasses import replace

import msgspec

from services.health.core.fold import Folded
from shared.api.binding import ClusterReport, ResourceBinding

_NOT_HEALTHY = ("Degraded", "Progressing")


def with_unhealthy(folded: Folded, binding: ResourceBinding, *, now: str) -> Folded:
    """Note in the reports since when (RFC 3339) each has not been healthy, where it matters.

    Of a silent member nothing is known: when it is back the time begins anew.
    """
    if binding.spec.failover.application is None:
        return folded
    before = {one.cluster: one.unhealthy_since for one in binding.status.aggregated_status}
    reports = (_noted(report, before.get(report.cluster, ""), now) for report in folded.reports)
    return replace(folded, reports=tuple(reports))


def _noted(report: ClusterReport, since: str, now: str) -> ClusterReport:
    known = (since or now) if report.health in _NOT_HEALTHY else ""
    return msgspec.structs.replace(report, unhealthy_since=known)
