"""The columns of what makes pods, and of what scales and guards them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apiserver.age import age_of, human_duration
from shared.apiserver.kinds import Column
from shared.apiserver.printers.cells import (
    AGE,
    NONE,
    UNSET,
    column,
    condition_status,
    containers_of,
    dig,
    field,
    images_of,
    items,
    joined,
    labels_text,
    number,
    quantity_text,
    replicas_of,
    requirements_text,
    selector_text,
    template_columns,
    timed,
    title_boolean,
)
from shared.clock import parse_time


def _ready_of_wanted(manifest: Manifest) -> str:
    return f"{dig(manifest, 'status', 'readyReplicas') or 0}/{replicas_of(manifest)}"


_SELECTOR = column(
    "Selector", lambda manifest: selector_text(dig(manifest, "spec", "selector")), wide=True
)
_TEMPLATE = template_columns("spec", "template")
_DESIRED = column("Desired", replicas_of, type_="integer")

DEPLOYMENT: tuple[Column, ...] = (
    column("Ready", _ready_of_wanted),
    column("Up-to-date", lambda manifest: dig(manifest, "status", "updatedReplicas") or 0),
    column("Available", lambda manifest: dig(manifest, "status", "availableReplicas") or 0),
    AGE,
    *_TEMPLATE,
    # Unlike the other workloads, a deployment without a selector shows nothing.
    column("Selector", lambda one: requirements_text(dig(one, "spec", "selector")), wide=True),
)
REPLICA_SET: tuple[Column, ...] = (
    _DESIRED,
    number("Current", "status", "replicas"),
    number("Ready", "status", "readyReplicas"),
    AGE,
    *_TEMPLATE,
    _SELECTOR,
)
REPLICATION_CONTROLLER: tuple[Column, ...] = (
    *REPLICA_SET[:-1],
    column("Selector", lambda manifest: labels_text(dig(manifest, "spec", "selector")), wide=True),
)
STATEFUL_SET: tuple[Column, ...] = (column("Ready", _ready_of_wanted), AGE, *_TEMPLATE)
DAEMON_SET: tuple[Column, ...] = (
    number("Desired", "status", "desiredNumberScheduled"),
    number("Current", "status", "currentNumberScheduled"),
    number("Ready", "status", "numberReady"),
    number("Up-to-date", "status", "updatedNumberScheduled"),
    number("Available", "status", "numberAvailable"),
    column(
        "Node Selector",
        lambda manifest: labels_text(dig(manifest, "spec", "template", "spec", "nodeSelector")),
    ),
    AGE,
    *_TEMPLATE,
    _SELECTOR,
)


def _job_status(job: Manifest) -> str:
    for type_ in ("Complete", "Failed"):
        if condition_status(job, type_) == "True":
            return type_
    if dig(job, "metadata", "deletionTimestamp"):
        return "Terminating"
    for type_ in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if condition_status(job, type_) == "True":
            return type_
    return "Running"


def _completions(job: Manifest) -> str:
    done = dig(job, "status", "succeeded") or 0
    wanted = dig(job, "spec", "completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallelism = dig(job, "spec", "parallelism") or 0
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _duration(job: Manifest, now: datetime) -> str:
    started = dig(job, "status", "startTime")
    if not started:
        return ""
    ended = dig(job, "status", "completionTime")
    return human_duration((parse_time(ended) if ended else now) - parse_time(started))


JOB: tuple[Column, ...] = (
    column("Status", _job_status),
    column("Completions", _completions),
    timed("Duration", _duration),
    AGE,
    *_TEMPLATE,
    _SELECTOR,
)


def _last_schedule(cron_job: Manifest, now: datetime) -> str:
    last = dig(cron_job, "status", "lastScheduleTime")
    return age_of(last, now) if last else NONE


CRON_JOB: tuple[Column, ...] = (
    field("Schedule", "spec", "schedule"),
    field("Timezone", "spec", "timeZone", absent=NONE),
    column("Suspend", lambda job: title_boolean(dig(job, "spec", "suspend")), type_="boolean"),
    column("Active", lambda job: len(items(job, "status", "active")), type_="integer"),
    timed("Last Schedule", _last_schedule),
    AGE,
    *template_columns("spec", "jobTemplate", "spec", "template"),
    column(
        "Selector",
        lambda job: selector_text(dig(job, "spec", "jobTemplate", "spec", "selector")),
        wide=True,
    ),
)

# Metrics of an autoscaler: type -> its section, where its name is, and whether it may be a share.
_METRIC_NAME: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Resource": ("resource", ("name",)),
    "ContainerResource": ("containerResource", ("name",)),
    "Pods": ("pods", ("metric", "name")),
    "Object": ("object", ("metric", "name")),
    "External": ("external", ("metric", "name")),
}
_UNKNOWN = "<unknown>"


def _targets(scaler: Manifest) -> str:
    """`cpu: 12%/50%`, at most two of them."""
    if "metrics" not in (dig(scaler, "spec") or {}):
        return _targets_of_v1(scaler)
    # What is measured stands in the order of what is asked for.
    measured = items(scaler, "status", "currentMetrics")
    texts = [
        _target(metric, measured[position] if position < len(measured) else None)
        for position, metric in enumerate(items(scaler, "spec", "metrics"))
    ]
    return joined(texts, most=2, separator=", ") or NONE


def _targets_of_v1(scaler: Manifest) -> str:
    wanted = dig(scaler, "spec", "targetCPUUtilizationPercentage")
    if wanted is None:
        return NONE
    found = dig(scaler, "status", "currentCPUUtilizationPercentage")
    return f"cpu: {_UNKNOWN if found is None else f'{found}%'}/{wanted}%"


def _target(metric: Mapping[str, Any], current: Mapping[str, Any] | None) -> str:
    section, path = _METRIC_NAME.get(metric.get("type", ""), ("", ()))
    if not section:
        return "<unknown type>"
    target = dig(metric, section, "target") or {}
    found = dig(current, section, "current") or {}
    of_resource = section.endswith("esource")
    if target.get("averageValue") is not None:
        suffix = " (avg)" if section in {"object", "external"} else ""
        values = f"{_measured(found, 'averageValue')}/{_measured(target, 'averageValue')}{suffix}"
    elif of_resource:
        seen, share = (part.get("averageUtilization") for part in (found, target))
        values = f"{_UNKNOWN if seen is None else f'{seen}%'}"
        values += f"/{'<auto>' if share is None else f'{share}%'}"
    else:
        values = f"{_measured(found, 'value')}/{_measured(target, 'value')}"
    return f"{dig(metric, section, *path)}: {values}" if of_resource else values


def _measured(part: Mapping[str, Any], name: str) -> str:
    return _UNKNOWN if part.get(name) is None else quantity_text(part[name])


def _least_pods(scaler: Manifest) -> str:
    least = dig(scaler, "spec", "minReplicas")
    return UNSET if least is None else str(least)


AUTOSCALER: tuple[Column, ...] = (
    column(
        "Reference",
        lambda scaler: (
            f"{dig(scaler, 'spec', 'scaleTargetRef', 'kind')}"
            f"/{dig(scaler, 'spec', 'scaleTargetRef', 'name')}"
        ),
    ),
    column("Targets", _targets),
    column("MinPods", _least_pods),
    column("MaxPods", lambda scaler: dig(scaler, "spec", "maxReplicas") or 0),
    column("Replicas", lambda scaler: dig(scaler, "status", "currentReplicas") or 0),
    AGE,
)
SCALE: tuple[Column, ...] = (
    number("Desired", "spec", "replicas"),
    number("Available", "status", "replicas"),
    AGE,
)
DISRUPTION_BUDGET: tuple[Column, ...] = (
    column("Min Available", lambda budget: _bound(budget, "minAvailable")),
    column("Max Unavailable", lambda budget: _bound(budget, "maxUnavailable")),
    number("Allowed Disruptions", "status", "disruptionsAllowed"),
    AGE,
)


def _bound(budget: Manifest, name: str) -> str:
    found = dig(budget, "spec", name)
    return "N/A" if found is None else str(found)


def _controller(revision: Manifest) -> str:
    for owner in items(revision, "metadata", "ownerReferences"):
        if owner.get("controller"):
            group = str(owner.get("apiVersion", "")).rpartition("/")[0]
            kind = str(owner.get("kind", "")).lower()
            return f"{kind}.{group}/{owner.get('name')}" if group else f"{kind}/{owner.get('name')}"
    return NONE


CONTROLLER_REVISION: tuple[Column, ...] = (
    column("Controller", _controller),
    column("Revision", lambda revision: revision.get("revision") or 0),
    AGE,
)
POD_TEMPLATE: tuple[Column, ...] = (
    column("Containers", lambda one: containers_of(dig(one, "template"))),
    column("Images", lambda one: images_of(dig(one, "template"))),
    column("Pod Labels", lambda one: labels_text(dig(one, "template", "metadata", "labels"))),
)
