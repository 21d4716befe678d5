"""Jobs and the schedules that make them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest, name_of
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    at_least,
    duplicate,
    invalid,
    one_of,
    required,
    text,
    unsupported,
)
from shared.apiserver.semantics.pods import pod_template
from shared.apiserver.semantics.schedule import schedule_fault, time_zone_fault
from shared.apiserver.semantics.selectors import label_selector
from shared.errors import FieldError

_NUMBERS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_INDEXED_ONLY = ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy")
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_STATUSES = ("False", "True", "Unknown")
_CRON_JOB_NAME_MAX = 52


def judge_job(manifest: Manifest) -> list[FieldError]:
    spec, name = section(manifest, "spec"), name_of(manifest)
    faults = list(_job(spec, "spec"))
    faults += label_selector(section(spec, "selector"), "spec.selector")
    completions = spec.get("completions")
    if spec.get("completionMode") == "Indexed" and isinstance(completions, int) and completions > 0:
        last = f"{name}-{completions - 1}"
        if name and texts.label(last):
            why = f"will not able to create pod with invalid DNS label: {last}"
            faults.append(invalid("metadata.name", name, why))
    return faults


def judge_cron_job(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    faults = list(_cron_job(spec))
    if len(name_of(manifest)) > _CRON_JOB_NAME_MAX:
        why = f"must be no more than {_CRON_JOB_NAME_MAX} characters"
        faults.append(invalid("metadata.name", name_of(manifest), why))
    return faults


def _cron_job(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    schedule, zone = spec.get("schedule"), spec.get("timeZone")
    if not schedule:
        yield required("spec.schedule")
    else:
        why = schedule_fault(str(schedule))
        if why is not None:
            yield invalid("spec.schedule", schedule, why)
        if "TZ" in str(schedule):
            why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            yield invalid("spec.schedule", schedule, why)
    if zone is not None and (why := time_zone_fault(str(zone))) is not None:
        yield invalid("spec.timeZone", zone, why)
    yield from at_least(spec, "spec", ("startingDeadlineSeconds",))
    yield from one_of(spec, "concurrencyPolicy", "spec", ("Allow", "Forbid", "Replace"))
    yield from _job(section(spec, "jobTemplate", "spec"), "spec.jobTemplate.spec")
    yield from at_least(spec, "spec", ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"))
    job = section(spec, "jobTemplate", "spec")
    if job.get("selector") is not None:
        why = "`selector` will be auto-generated"
        yield invalid("spec.jobTemplate.spec.selector", job["selector"], why)
    if job.get("manualSelector") is True:
        yield unsupported(
            "spec.jobTemplate.spec.manualSelector", value=True, allowed=("nil", "false")
        )


def _job(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from at_least(spec, path, _NUMBERS)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if spec.get("managedBy") is not None:
        yield from text(spec["managedBy"], f"{path}.managedBy", texts.domain_prefixed_path)
    yield from one_of(spec, "completionMode", path, ("NonIndexed", "Indexed"))
    if spec.get("completionMode") == "Indexed":
        yield from _indexed(spec, path)
    else:
        yield from (
            invalid(f"{path}.{name}", spec[name], "requires indexed completion mode")
            for name in _INDEXED_ONLY
            if spec.get(name) is not None
        )
    policy = spec.get("podFailurePolicy")
    if policy is not None:
        yield from _failure_policy(spec, f"{path}.podFailurePolicy")
    replacement = ("Failed",) if policy is not None else ("Failed", "TerminatingOrFailed")
    yield from one_of(spec, "podReplacementPolicy", path, replacement)
    yield from pod_template(section(spec, "template"), f"{path}.template")
    yield from _restarts(spec, f"{path}.template.spec.restartPolicy")


def _indexed(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    completions, failures = spec.get("completions"), spec.get("maxFailedIndexes")
    if completions is None:
        yield required(f"{path}.completions", "when completion mode is Indexed")
    parallelism = spec.get("parallelism")
    if isinstance(parallelism, int) and parallelism > 100_000:
        why = "must be less than or equal to 100000 when completion mode is Indexed"
        yield invalid(f"{path}.parallelism", parallelism, why)
    if isinstance(failures, int):
        if isinstance(completions, int) and failures > completions:
            why = "must be less than or equal to completions"
            yield invalid(f"{path}.maxFailedIndexes", failures, why)
        if failures > 100_000:
            why = "must be less than or equal to 100000"
            yield invalid(f"{path}.maxFailedIndexes", failures, why)


def _restarts(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    policy = section(spec, "template", "spec").get("restartPolicy")
    match policy:
        case None | "" | "Always":
            yield required(path, 'valid values: "OnFailure", "Never"')
        case "Never":
            return
        case "OnFailure":
            if spec.get("podFailurePolicy") is not None:
                why = 'only "Never" is supported when podFailurePolicy is specified'
                yield invalid(path, policy, why)
        case _:
            yield unsupported(path, policy, ("OnFailure", "Never"))


def _failure_policy(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    pods = section(spec, "template", "spec")
    names = {
        str(one.get("name"))
        for part in ("containers", "initContainers")
        for one in entries(pods, part)
    }
    for number, rule in enumerate(entries(section(spec, "podFailurePolicy"), "rules")):
        at = f"{path}.rules[{number}]"
        action = rule.get("action") or ""
        if not action:
            yield required(f"{at}.action", _valid(_ACTIONS))
        elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            why = "requires the backoffLimitPerIndex to be set"
            yield invalid(f"{at}.action", action, why)
        elif action not in _ACTIONS:
            yield unsupported(f"{at}.action", action, _ACTIONS)
        codes, conditions = rule.get("onExitCodes"), entries(rule, "onPodConditions")
        if codes is not None:
            yield from _exit_codes(section(rule, "onExitCodes"), f"{at}.onExitCodes", names)
        yield from _conditions(conditions, f"{at}.onPodConditions")
        if (codes is None) != bool(conditions):
            how = "one of" if codes is None else "both"
            end = "is required" if codes is None else "is not supported"
            why = f"specifying {how} OnExitCodes and OnPodConditions {end}"
            yield FieldError(at, f"Invalid value: {why}")


def _valid(values: Sequence[str]) -> str:
    return f"valid values: [{' '.join(chr(34) + one + chr(34) for one in values)}]"


def _exit_codes(found: Mapping[str, Any], path: str, names: set[str]) -> Iterator[FieldError]:
    operator = found.get("operator") or ""
    if not operator:
        yield required(f"{path}.operator", _valid(("In", "NotIn")))
    elif operator not in ("In", "NotIn"):
        yield unsupported(f"{path}.operator", operator, ("In", "NotIn"))
    name = found.get("containerName")
    if name is not None and name not in names:
        why = "must be one of the container or initContainer names in the pod template"
        yield invalid(f"{path}.containerName", name, why)
    codes = found.get("values") or []
    if not codes:
        yield invalid(f"{path}.values", codes, "at least one value is required")
    for number, code in enumerate(codes):
        at = f"{path}.values[{number}]"
        if operator == "In" and code == 0:
            yield invalid(at, code, "must not be 0 for the In operator")
        if code in codes[:number]:
            yield duplicate(at, code)
    if codes != sorted(codes):
        yield invalid(f"{path}.values", codes, "must be ordered")


def _conditions(found: Sequence[Mapping[str, Any]], path: str) -> Iterator[FieldError]:
    for number, one in enumerate(found):
        at = f"{path}[{number}]"
        yield from text(one.get("type") or "", f"{at}.type", texts.label_key)
        yield from one_of({"status": "True", **one}, "status", at, _STATUSES)
