"""From what members report about one template to the status of its binding.

A report speaks only for the template it was made for (by uid). A share counts as healthy once as
many replicas are available as were given to that member, whatever its own, older, word was: the
scheduler removes an old share on the strength of it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.health.core.drift import with_drifted
from services.health.core.removing import SILENT, held_up, with_removing
from services.health.core.unfit import REASON as OVERRIDE_FAILED
from services.health.core.unfit import failed_overrides
from shared.api.binding import (
    AGGREGATED,
    FULLY_APPLIED,
    HEALTHY,
    BindingStatus,
    ClusterReport,
    Health,
    ResourceBinding,
    TargetCluster,
)
from shared.api.conditions import with_condition
from shared.api.meta import Condition
from shared.apimachinery.manifest import Manifest
from shared.clock import parse_time
from shared.events.work import WorkReport
from shared.interpreter.health import count
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.reports import gather_reports

_TIMES = frozenset({"lastTransitionTime", "lastUpdateTime", "observedTime"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """The reports that count for a binding, and which of their members are leaving or silent."""

    reports: tuple[ClusterReport, ...]
    leaving: frozenset[str]
    silent: frozenset[str]
    held_up: Mapping[str, str] = field(default_factory=dict)
    """Cluster -> what holds there what is to be removed."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Cluster -> which override could not be applied: it keeps what it has."""


def fold(
    binding: ResourceBinding, reports: Mapping[str, WorkReport], silent: Collection[str]
) -> Folded:
    """Pick and judge the reports (by cluster) that speak of *binding*'s targets and evictions."""
    targets = {target.name: target for target in binding.spec.clusters}
    leaving = {each.cluster for each in binding.spec.evictions} - set(targets)
    uid = binding.spec.resource.uid
    unfit = failed_overrides(binding)
    found = []
    for cluster in sorted([*targets, *leaving]):
        report = reports.get(cluster)
        if report is None or (uid and report.template_uid and report.template_uid != uid):
            found.append(ClusterReport(cluster=cluster, message=unfit.get(cluster, "")))
        elif cluster in targets or report.present:
            one = _cluster_report(cluster, report, targets.get(cluster), silent)
            message = unfit.get(cluster, one.message)
            found.append(msgspec.structs.replace(one, message=message))
    return Folded(
        reports=tuple(found),
        leaving=frozenset(leaving),
        silent=frozenset(silent) & {each.cluster for each in found},
        held_up=held_up(reports, wanted={*targets, *leaving}, silent=silent),
        unfit=unfit,
    )


def _cluster_report(
    cluster: str, report: WorkReport, target: TargetCluster | None, silent: Collection[str]
) -> ClusterReport:
    return ClusterReport(
        cluster=cluster,
        applied=report.applied,
        message=": ".join(part for part in (report.reason, report.message) if part),
        health="Unknown" if cluster in silent else _health(report, target),
        generation=report.generation,
        template_generation=report.template_generation,
        observed_time=report.observed_time,
        replicas_owner=report.replicas_owner,
        drift=report.drift or None,
        since=report.since or "",
        status=report.status,
    )


def _health(report: WorkReport, target: TargetCluster | None) -> Health:
    if report.health != "Healthy":
        return report.health
    if not report.applied:
        return "Progressing"
    if report.replicas_owner == "Member":
        # How many are enough is decided there.
        return "Healthy"
    share = target.replicas if target is not None else None
    counted = "availableReplicas" in report.status or "replicas" in report.status
    if share is not None and counted and count(report.status, "availableReplicas") < share:
        return "Progressing"
    return "Healthy"


def binding_status(
    binding: ResourceBinding,
    folded: Folded,
    conditions: Sequence[Condition],
    *,
    now: str,
    trouble: str = "",
) -> BindingStatus:
    """Return the status of *binding*; *conditions* are the present ones, of any owner.

    *trouble*: why the statuses of its members could not be added up.
    """
    generation = binding.metadata.generation
    conditions = [each for each in conditions if each.type != AGGREGATED]
    judged = [_fully_applied(binding, folded), _healthy(folded)]
    if trouble:
        judged.append(_not_aggregated(trouble))
    for condition in judged:
        placed = msgspec.structs.replace(condition, observed_generation=generation)
        conditions = with_condition(conditions, placed, now=now)
    conditions = with_removing(conditions, folded.held_up, generation=generation, now=now)
    conditions = with_drifted(conditions, folded.reports, generation=generation, now=now)
    return BindingStatus(
        observed_generation=generation,
        conditions=tuple(conditions),
        aggregated_status=folded.reports,
        # Dispatch's word stays as it is.
        override_failures=binding.status.override_failures,
    )


def _targets(folded: Folded) -> list[ClusterReport]:
    return [each for each in folded.reports if each.cluster not in folded.leaving]


def _fully_applied(binding: ResourceBinding, folded: Folded) -> Condition:
    wanted = binding.spec.resource.generation
    missing = [
        each
        for each in _targets(folded)
        if not each.applied or each.template_generation < wanted or each.cluster in folded.unfit
    ]
    if not _targets(folded):
        return Condition(type=FULLY_APPLIED, status="False", reason="NoTargets")
    if not missing:
        return Condition(type=FULLY_APPLIED, status="True", reason="Applied")
    refused = any(each.message and not each.applied for each in missing)
    unfit = any(each.cluster in folded.unfit for each in missing)
    message = "; ".join(f"{each.cluster}: {_why_missing(each, folded)}" for each in missing)
    if not refused and not unfit and binding.spec.rollout is not None:
        message += f"; resourcerollout {binding.metadata.name} says whose turn it is"
    return Condition(
        type=FULLY_APPLIED,
        status="False",
        reason=OVERRIDE_FAILED if unfit else "Refused" if refused else "Awaiting",
        message=message[:1024],
    )


def _why_missing(report: ClusterReport, folded: Folded) -> str:
    if report.cluster in folded.unfit:
        return report.message
    if report.cluster in folded.silent:
        return f"not yet ({SILENT})"
    return report.message if report.message and not report.applied else "not yet"


def _healthy(folded: Folded) -> Condition:
    targets = _targets(folded)
    worst = [each for each in targets if each.health != "Healthy"]
    if not targets:
        return Condition(type=HEALTHY, status="False", reason="NoTargets")
    if not worst:
        return Condition(type=HEALTHY, status="True", reason="Healthy")
    reason = next(
        health
        for health in ("Degraded", "Unknown", "Progressing")
        if any(each.health == health for each in worst)
    )
    message = "; ".join(f"{each.cluster}: {_word_on(each, folded)}" for each in worst)
    status = "Unknown" if reason == "Unknown" else "False"
    return Condition(type=HEALTHY, status=status, reason=reason, message=message[:1024])


def _not_aggregated(trouble: str) -> Condition:
    return Condition(
        type=AGGREGATED, status="False", reason="InterpreterFailed", message=trouble[:1024]
    )


def _word_on(report: ClusterReport, folded: Folded) -> str:
    """The health of one target; and why, where it is not the object that says so."""
    if report.cluster in folded.silent:
        return f"{report.health} ({SILENT})"
    told = report.applied and report.message and report.cluster not in folded.unfit
    return f"{report.health} ({report.message})" if told else report.health


def template_status(
    template: Manifest,
    binding: ResourceBinding | None,
    folded: Folded,
    interpreter: Interpreter,
) -> dict[str, Any] | None:
    """Return the status of *template* as the sum over members; None where it has none of ours.

    Without a binding nothing runs, and nothing is observed.
    """
    return interpreter.aggregate(
        gather_reports(
            template,
            folded.reports,
            decided_generation=binding.spec.resource.generation if binding is not None else 0,
            leaving=folded.leaving,
            silent=folded.silent,
        )
    )


def evident(binding: ResourceBinding, reports: Sequence[ClusterReport]) -> frozenset[str]:
    """Return the clusters whose report was made after their share last grew.

    An equal report made later is news to the scheduler: the first could not know of the growth.
    """
    grown = {target.name: target.since for target in binding.spec.clusters if target.since}
    return frozenset(
        report.cluster
        for report in reports
        if report.observed_time
        and report.cluster in grown
        and parse_time(report.observed_time) >= parse_time(grown[report.cluster])
    )


NOTHING = Folded(reports=(), leaving=frozenset(), silent=frozenset())


def same_but_for_times(one: Any, other: Any) -> bool:
    """Compare two statuses as plain data, up to the first difference.

    A time alone is no reason to write.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        names = (one.keys() | other.keys()) - _TIMES
        return all(
            name in one and name in other and same_but_for_times(one[name], other[name])
            for name in names
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_but_for_times, one, other))
    return bool(one == other)
