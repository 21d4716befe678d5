"""How the statuses of many members add up to the one a user, kubectl and GitOps tools read.

The sum is written for readers who know one cluster. `observedGeneration` is the template's only
when every target has applied that generation and its own controllers have looked at it, which is
what `kubectl rollout status` waits for. A member that is leaving (its share is being evicted)
counts as old replicas; one that is silent counts as not ready, as the pods of a lost node do.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from shared.apimachinery.quantity import sum_resources
from shared.interpreter.conditions import all_of, any_of, latest, with_conditions
from shared.interpreter.health import count
from shared.interpreter.reports import Reports, Status


def _deployment(reports: Reports) -> Status:
    status: Status = {"observedGeneration": reports.observed_generation}
    names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    status |= reports.totals(*names, keep_zero=False)
    missing = count(status, "replicas") - count(status, "availableReplicas")
    if missing > 0:
        status["unavailableReplicas"] = missing
    return with_conditions(
        status,
        all_of("Available", reports.targets, reports.silent),
        all_of(
            "Progressing", reports.targets, (), settled="NewReplicaSetAvailable", missing="True"
        ),
        any_of("ReplicaFailure", reports.targets),
    )


def _stateful_set(reports: Reports) -> Status:
    status: Status = {"observedGeneration": reports.observed_generation}
    status |= reports.totals("replicas", "availableReplicas")
    names = ("readyReplicas", "currentReplicas", "updatedReplicas")
    status |= reports.totals(*names, keep_zero=False)
    rolling = [
        each
        for each in reports.statuses
        if each.get("currentRevision") != each.get("updateRevision")
    ]
    # Revisions are each member's own: show those of one that is still rolling, or of any.
    for shown in (rolling or reports.statuses)[:1]:
        for name in ("currentRevision", "updateRevision"):
            if name in shown:
                status[name] = shown[name]
    return status


def _daemon_set(reports: Reports) -> Status:
    status: Status = {"observedGeneration": reports.observed_generation}
    status |= reports.totals(
        "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"
    )
    status |= reports.totals("updatedNumberScheduled", "numberAvailable", keep_zero=False)
    missing = count(status, "desiredNumberScheduled") - count(status, "numberAvailable")
    if missing > 0:
        status["numberUnavailable"] = missing
    return status


def _replica_set(reports: Reports) -> Status:
    status: Status = {"observedGeneration": reports.observed_generation}
    status |= reports.totals("replicas")
    names = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    status |= reports.totals(*names, keep_zero=False)
    return with_conditions(status, any_of("ReplicaFailure", reports.targets))


def _job(reports: Reports) -> Status:
    status = reports.totals("active", "ready", "succeeded", "failed", keep_zero=False)
    started = [each["startTime"] for each in reports.statuses if each.get("startTime")]
    if started:
        status["startTime"] = min(started)
    ended = [each["completionTime"] for each in reports.statuses if each.get("completionTime")]
    complete = all_of("Complete", reports.targets, ())
    if complete is not None and complete["status"] == "True":
        if ended:
            status["completionTime"] = max(ended)
    else:
        # Half done is not a condition that batch/v1 knows.
        complete = None
    return with_conditions(status, complete, any_of("Failed", reports.targets))


def _cron_job(reports: Reports) -> Status:
    status: Status = {}
    active = [job for each in reports.statuses for job in each.get("active") or ()]
    if active:
        status["active"] = active
    for name in ("lastScheduleTime", "lastSuccessfulTime"):
        if found := latest(each.get(name) for each in reports.statuses):
            status[name] = found
    return status


def _addresses(reports: Reports) -> Status:
    """Every address under which some reachable member serves it, each once."""
    found: list[Any] = []
    for report in reports.all:
        balancer = report.status.get("loadBalancer") or {}
        for entry in balancer.get("ingress") or ():
            if report.cluster not in reports.silent and entry not in found:
                found.append(entry)
    return {"loadBalancer": {"ingress": found} if found else {}}


def _volume_claim(reports: Reports) -> Status:
    phases = [report.status.get("phase", "Pending") for report in reports.targets]
    status: Status = {"phase": "Pending"}
    if "Lost" in phases:
        status["phase"] = "Lost"
    elif phases and all(phase == "Bound" for phase in phases):
        status["phase"] = "Bound"
        # Each member has a volume of its own: one's capacity speaks for all, a sum for none.
        for name in ("accessModes", "capacity"):
            if name in reports.targets[0].status:
                status[name] = reports.targets[0].status[name]
    return status


_VOLUME_PHASES = ("Failed", "Released", "Pending", "Available")


def _volume(reports: Reports) -> Status:
    """The phase that most needs somebody to look."""
    phases = [report.status.get("phase", "Pending") for report in reports.targets]
    worst = next((phase for phase in _VOLUME_PHASES if phase in phases), "Bound")
    return {"phase": worst if phases else "Pending"}


def _quota(reports: Reports) -> Status:
    """What all members together allow, and what is taken of it."""
    status: Status = {}
    for name in ("hard", "used"):
        stated = [each[name] for each in reports.statuses if each.get(name)]
        if stated:
            # A member may say what is no quantity: then nothing can be said of the whole.
            with suppress(ValueError):
                status[name] = sum_resources(stated)
    return status


def _disruption_budget(reports: Reports) -> Status:
    status: Status = {"observedGeneration": reports.observed_generation}
    status |= reports.totals(
        "currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"
    )
    return with_conditions(status, all_of("DisruptionAllowed", reports.targets, reports.silent))


def _autoscaler(reports: Reports) -> Status:
    status: Status = {"observedGeneration": reports.observed_generation}
    status |= reports.totals("currentReplicas", "desiredReplicas")
    if found := latest(each.get("lastScaleTime") for each in reports.statuses):
        status["lastScaleTime"] = found
    # Metrics of several members are of different pods; only one member's own can be shown.
    if len(reports.statuses) == 1 and "currentMetrics" in reports.statuses[0]:
        status["currentMetrics"] = reports.statuses[0]["currentMetrics"]
    return with_conditions(
        status,
        all_of("AbleToScale", reports.targets, ()),
        all_of("ScalingActive", reports.targets, ()),
        any_of("ScalingLimited", reports.targets),
    )


_POD_PHASES = ("Failed", "Unknown", "Pending", "Running")


def _pod(reports: Reports) -> Status:
    phases = [
        "Unknown" if report.cluster in reports.silent else report.status.get("phase", "Pending")
        for report in reports.targets
    ]
    if not phases:
        return {"phase": "Pending"}
    status: Status = {"phase": next((p for p in _POD_PHASES if p in phases), "Succeeded")}
    for name in ("containerStatuses", "initContainerStatuses"):
        found = [entry for each in reports.statuses for entry in each.get(name) or ()]
        if found:
            status[name] = found
    started = [each["startTime"] for each in reports.statuses if each.get("startTime")]
    if started:
        status["startTime"] = min(started)
    if len(reports.statuses) == 1:
        only = reports.statuses[0]
        names = ("podIP", "hostIP", "reason", "message")
        status |= {name: only[name] for name in names if name in only}
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    return with_conditions(
        status, *(all_of(kind, reports.targets, reports.silent) for kind in kinds)
    )


BUILT_IN: Mapping[tuple[str, str], Callable[[Reports], Status]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("", "ReplicationController"): _replica_set,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cron_job,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _volume_claim,
    ("", "PersistentVolume"): _volume,
    ("", "ResourceQuota"): _quota,
    ("", "Service"): _addresses,
    ("networking.k8s.io", "Ingress"): _addresses,
    ("policy", "PodDisruptionBudget"): _disruption_budget,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
}
"""By group and kind. The result holds no time that was not in a report."""
