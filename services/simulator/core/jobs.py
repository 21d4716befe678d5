"""Jobs: pods that end, so many at a time, until enough have succeeded or too many failed.

The rules are those of `k8s.io/kubernetes/pkg/controller/job`. Pod failure policies, success
policies and a back-off limit per index are not simulated. A pod counts once: it carries the
tracking finalizer until it is in the Job's numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from services.simulator.core.fields import (
    entries,
    is_deleting,
    number,
    section,
    with_metadata,
    with_spec,
    with_status,
)
from services.simulator.core.plan import (
    JOBS,
    NOTHING,
    PODS,
    Create,
    Delete,
    Plan,
    Replace,
    Write,
    replace_if_changed,
)
from services.simulator.core.pods import first_to_go, is_active, is_ready, make_pod, phase_of
from services.simulator.core.status import condition, find_condition, is_true, set_condition
from shared.apimachinery.manifest import Manifest, annotations_of, labels_of, uid_of
from shared.clock import format_time, parse_time

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")


@dataclass(frozen=True, slots=True)
class _Numbers:
    """How a Job stands after counting what ended since last time."""

    succeeded: int
    failed: int
    done_indexes: frozenset[int]


def select_own_pods(job: Manifest) -> Manifest:
    """Return the Job with the selector and the labels that a new Job gets of itself."""
    spec = section(job, "spec")
    if spec.get("manualSelector") or section(spec, "selector"):
        return job
    uid, name = uid_of(job), job["metadata"]["name"]
    labels = {**dict.fromkeys(_UID_LABELS, uid), **dict.fromkeys(_NAME_LABELS, name)}
    template = section(spec, "template")
    metadata = section(template, "metadata")
    changed = with_metadata(job, labels=labels | labels_of(job)) if not labels_of(job) else job
    new_metadata = {**metadata, "labels": {**(metadata.get("labels") or {}), **labels}}
    changed = {**changed}
    changed["spec"] = {
        **spec,
        "selector": {"matchLabels": {_UID_LABELS[0]: uid}},
        "template": {**template, "metadata": new_metadata},
    }
    return changed


def is_over(job: Manifest) -> bool:
    conditions = entries(section(job, "status"), "conditions")
    return is_true(conditions, "Complete") or is_true(conditions, "Failed")


def plan_job(job: Manifest, pods: Sequence[Manifest], now: datetime, *, refusal: str = "") -> Plan:
    """Count what ended, decide whether it is over, and keep the right number going."""
    if is_deleting(job):
        return release_pods(pods)
    ended = [pod for pod in pods if phase_of(pod) in ("Succeeded", "Failed") and _is_tracked(pod)]
    release: list[Write] = [Replace(PODS, pod, _untracked(pod)) for pod in ended]
    if is_over(job):
        return _after_the_end(job, pods, release, now)
    selected = select_own_pods(job)
    if selected is not job:
        # Pods must carry the labels, so the selector comes first.
        spec = section(selected, "spec")
        changed = with_spec(job, **{part: spec[part] for part in ("selector", "template")})
        changed["metadata"] |= {"labels": labels_of(selected)}
        return Plan((Replace(JOBS, job, changed),))
    numbers = _count(job, ended)
    writes: list[Write] = []
    active = [pod for pod in pods if is_active(pod)]
    status, over = _judge(job, numbers, active, now)
    if over or section(job, "spec").get("suspend"):
        writes.extend(Delete(PODS, pod) for pod in active)
    elif not refusal:
        writes.extend(_adjust(job, numbers, pods, active))
    # The numbers are written before the pods are let go, so none is counted twice or never.
    report = replace_if_changed(JOBS, job, with_status(job, status))
    return Plan((*report, *release, *writes), _deadline(job, now))


def release_pods(pods: Sequence[Manifest]) -> Plan:
    """Let the pods of a Job that is gone, or going, be deleted: nobody counts them any more."""
    return Plan(tuple(Replace(PODS, pod, _untracked(pod)) for pod in pods if _is_tracked(pod)))


def _is_tracked(pod: Manifest) -> bool:
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def _untracked(pod: Manifest) -> Manifest:
    left = [one for one in pod["metadata"]["finalizers"] if one != TRACKING]
    return with_metadata(pod, finalizers=left)


def _index_of(pod: Manifest) -> int:
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isdigit() else -1


def _is_indexed(job: Manifest) -> bool:
    return section(job, "spec").get("completionMode") == "Indexed"


def _count(job: Manifest, ended: Sequence[Manifest]) -> _Numbers:
    status = section(job, "status")
    done = parse_indexes(str(status.get("completedIndexes") or ""))
    failed = number(status, "failed") + sum(phase_of(pod) == "Failed" for pod in ended)
    won = [pod for pod in ended if phase_of(pod) == "Succeeded"]
    if _is_indexed(job):
        done |= {_index_of(pod) for pod in won}
        return _Numbers(len(done), failed, frozenset(done))
    return _Numbers(number(status, "succeeded") + len(won), failed, frozenset())


def parse_indexes(text: str) -> set[int]:
    """Read `0,2-4`."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            found |= set(range(int(first), int(last or first) + 1))
    return found


def format_indexes(indexes: frozenset[int]) -> str:
    """Write `0,2-4`; two in a row are written as two."""
    parts: list[str] = []
    ordered = sorted(indexes)
    position = 0
    while position < len(ordered):
        end = position
        while end + 1 < len(ordered) and ordered[end + 1] == ordered[end] + 1:
            end += 1
        if end - position >= 2:
            parts.append(f"{ordered[position]}-{ordered[end]}")
        else:
            parts.extend(str(one) for one in ordered[position : end + 1])
        position = end + 1
    return ",".join(parts)


def _judge(
    job: Manifest, numbers: _Numbers, active: Sequence[Manifest], now: datetime
) -> tuple[dict[str, Any], bool]:
    """Return the new status and whether the Job is over."""
    spec, before, moment = section(job, "spec"), section(job, "status"), format_time(now)
    conditions: list[Any] = list(entries(before, "conditions"))
    suspended = bool(spec.get("suspend"))
    conditions = _tell_suspension(conditions, moment, suspended=suspended)
    verdict = None if suspended else _verdict(job, numbers, active, now)
    if verdict is not None:
        ends_well, reason, message = verdict
        for kind in (
            ("SuccessCriteriaMet", "Complete") if ends_well else ("FailureTarget", "Failed")
        ):
            one = condition(kind, status=True, reason=reason, message=message, now=moment)
            conditions = set_condition(conditions, {**one, "lastProbeTime": moment})
    over = verdict is not None
    status: dict[str, Any] = {
        "conditions": conditions,
        "startTime": None if suspended else before.get("startTime", moment),
        "completionTime": moment if verdict is not None and verdict[0] else None,
        "active": 0 if over or suspended else len(active),
        "succeeded": numbers.succeeded,
        "failed": numbers.failed + (len(active) if over and not (verdict or [True])[0] else 0),
        "completedIndexes": format_indexes(numbers.done_indexes),
    }
    status = {name: value for name, value in status.items() if value}
    ready = 0 if over or suspended else sum(is_ready(pod) for pod in active)
    return {**status, "ready": ready, "terminating": 0, "uncountedTerminatedPods": {}}, over


def _tell_suspension(conditions: list[Any], moment: str, *, suspended: bool) -> list[Any]:
    if not suspended and find_condition(conditions, "Suspended") is None:
        return conditions
    reason, text = ("JobSuspended", "Job suspended") if suspended else ("JobResumed", "Job resumed")
    one = condition("Suspended", suspended, reason, text, moment)
    return set_condition(conditions, {**one, "lastProbeTime": moment})


def _verdict(
    job: Manifest, numbers: _Numbers, active: Sequence[Manifest], now: datetime
) -> tuple[bool, str, str] | None:
    """Whether it ended well, with reason and message; None while it goes on."""
    spec = section(job, "spec")
    if numbers.failed > number(spec, "backoffLimit", 6):
        return False, "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    left = _deadline(job, now)
    if left is not None and left <= timedelta(0):
        return False, "DeadlineExceeded", "Job was active longer than specified deadline"
    completions = spec.get("completions")
    if completions is None:
        # Without a number, the first success says there is no more to do.
        enough = numbers.succeeded > 0 and not active
    else:
        enough = numbers.succeeded >= number(spec, "completions", 1)
    text = "Reached expected number of succeeded pods"
    return (True, "CompletionsReached", text) if enough else None


def _deadline(job: Manifest, now: datetime) -> timedelta | None:
    seconds = section(job, "spec").get("activeDeadlineSeconds")
    start = section(job, "status").get("startTime")
    if not isinstance(seconds, int) or not isinstance(start, str):
        return None
    return parse_time(start) + timedelta(seconds=seconds) - now


def _adjust(
    job: Manifest, numbers: _Numbers, pods: Sequence[Manifest], active: Sequence[Manifest]
) -> list[Write]:
    spec = section(job, "spec")
    wanted = number(spec, "parallelism", 1)
    if spec.get("completions") is not None:
        wanted = min(wanted, number(spec, "completions", 1) - numbers.succeeded)
    elif numbers.succeeded:
        wanted = min(wanted, len(active))
    surplus = len(active) - max(wanted, 0)
    if surplus > 0:
        return [Delete(PODS, pod) for pod in first_to_go(active)[:surplus]]
    if not _is_indexed(job):
        return [Create(PODS, _make_pod(job)) for _ in range(-surplus)]
    busy = {_index_of(pod) for pod in pods if is_active(pod)} | numbers.done_indexes
    free = (index for index in range(number(spec, "completions", 1)) if index not in busy)
    return [Create(PODS, _make_pod(job, index)) for index in islice(free, -surplus)]


def _make_pod(job: Manifest, index: int | None = None) -> Manifest:
    template = section(job, "spec", "template")
    labels = {} if index is None else {INDEX: str(index)}
    pod = make_pod(job, template, labels)
    metadata = pod["metadata"]
    metadata["finalizers"] = [*metadata.get("finalizers", ()), TRACKING]
    if index is not None:
        name = f"{job['metadata']['name']}-{index}"
        metadata["generateName"] = name + "-"
        metadata["annotations"] = {**metadata.get("annotations", {}), INDEX: str(index)}
        pod["spec"]["hostname"] = name
        pod["spec"]["containers"] = [_with_index(one) for one in entries(pod["spec"], "containers")]
    return pod


def _with_index(container: Mapping[str, Any]) -> dict[str, Any]:
    reference = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}
    variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": reference}
    return {**container, "env": [*entries(container, "env"), variable]}


def _after_the_end(
    job: Manifest, pods: Sequence[Manifest], release: list[Write], now: datetime
) -> Plan:
    """Let pods go, and the Job itself when its time to live is over."""
    release.extend(Delete(PODS, pod) for pod in pods if is_active(pod))
    seconds = section(job, "spec").get("ttlSecondsAfterFinished")
    ended = [
        one
        for one in entries(section(job, "status"), "conditions")
        if one.get("type") in ("Complete", "Failed")
    ]
    if not isinstance(seconds, int) or not ended:
        return Plan(tuple(release)) if release else NOTHING
    left = parse_time(str(ended[0]["lastTransitionTime"])) + timedelta(seconds=seconds) - now
    if left <= timedelta(0):
        return Plan((*release, Delete(JOBS, job)))
    return Plan(tuple(release), left)
