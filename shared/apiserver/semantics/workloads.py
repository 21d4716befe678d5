"""Kinds that keep pods: their selectors, numbers and strategies."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    amount,
    at_least,
    forbidden,
    invalid,
    is_nothing,
    one_of,
    required,
    selector,
)
from shared.apiserver.semantics.pods import pod_spec
from shared.errors import FieldError

_ALWAYS = ("Always",)
_ENDING = ("Never", "OnFailure")
_JOB_NUMBERS = (
    "parallelism",
    "completions",
    "backoffLimit",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
)


def judge_deployment(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    strategy = section(spec, "strategy")
    return [
        *_kept(spec),
        *at_least(spec, "spec", ("revisionHistoryLimit", "progressDeadlineSeconds")),
        *one_of(strategy, "type", "spec.strategy", ("Recreate", "RollingUpdate")),
        *_rolling(strategy, "spec.strategy"),
    ]


def judge_replica_set(manifest: Manifest) -> list[FieldError]:
    return list(_kept(section(manifest, "spec")))


def judge_stateful_set(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    claims = entries(spec, "volumeClaimTemplates")
    names = frozenset(str(section(one, "metadata").get("name")) for one in claims)
    update, management = section(spec, "updateStrategy"), ("OrderedReady", "Parallel")
    return [
        *_kept(spec, claims=names),
        *at_least(spec, "spec", ("revisionHistoryLimit",)),
        *one_of(spec, "podManagementPolicy", "spec", management),
        *one_of(update, "type", "spec.updateStrategy", ("OnDelete", "RollingUpdate")),
        *at_least(
            section(update, "rollingUpdate"), "spec.updateStrategy.rollingUpdate", ("partition",)
        ),
    ]


def judge_daemon_set(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    update = section(spec, "updateStrategy")
    return [
        *_kept(spec),
        *at_least(spec, "spec", ("revisionHistoryLimit",)),
        *one_of(update, "type", "spec.updateStrategy", ("OnDelete", "RollingUpdate")),
        *_rolling(update, "spec.updateStrategy"),
    ]


def judge_job(manifest: Manifest) -> list[FieldError]:
    return list(_job(section(manifest, "spec"), "spec"))


def judge_cron_job(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    job = section(spec, "jobTemplate", "spec")
    return [
        *_schedule(spec),
        *one_of(spec, "concurrencyPolicy", "spec", ("Allow", "Forbid", "Replace")),
        *at_least(
            spec,
            "spec",
            ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"),
        ),
        *_job(job, "spec.jobTemplate.spec"),
    ]


def _kept(spec: Mapping[str, Any], *, claims: frozenset[str] = frozenset()) -> Iterator[FieldError]:
    """A number of pods of one template, found by a selector."""
    read, faults = selector(spec, "spec")
    yield from faults
    labels = section(spec, "template", "metadata", "labels")
    if read is not None and not read.matches(dict(labels)):
        why = "`selector` does not match template `labels`"
        yield invalid("spec.template.metadata.labels", dict(labels), why)
    yield from at_least(spec, "spec", ("replicas", "minReadySeconds"))
    template = section(spec, "template", "spec")
    yield from pod_spec(template, "spec.template.spec", restarts=_ALWAYS, claims=claims)


def _rolling(strategy: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    rolling = strategy.get("rollingUpdate")
    if not isinstance(rolling, Mapping):
        return
    if strategy.get("type") == "Recreate":
        why = "may not be specified when strategy `type` is 'Recreate'"
        yield forbidden(f"{path}.rollingUpdate", why)
    yield from amount(rolling, "maxSurge", f"{path}.rollingUpdate")
    yield from amount(rolling, "maxUnavailable", f"{path}.rollingUpdate")
    if is_nothing(rolling.get("maxSurge")) and is_nothing(rolling.get("maxUnavailable")):
        why = "may not be 0 when `maxSurge` is 0"
        yield invalid(f"{path}.rollingUpdate.maxUnavailable", rolling.get("maxUnavailable"), why)


def _job(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from at_least(spec, path, _JOB_NUMBERS)
    yield from one_of(spec, "completionMode", path, ("Indexed", "NonIndexed"))
    # Where neither is given, one completion is the default.
    given = spec.get("parallelism") is not None
    if spec.get("completionMode") == "Indexed" and given and spec.get("completions") is None:
        yield required(f"{path}.completions", "when completion mode is Indexed")
    pods = section(spec, "template", "spec")
    if not pods.get("restartPolicy"):
        why = 'valid values: "OnFailure", "Never"'
        yield required(f"{path}.template.spec.restartPolicy", why)
    yield from pod_spec(pods, f"{path}.template.spec", restarts=_ENDING)


# Each field of a schedule: its least and greatest number, and the names that stand for numbers.
_CRON_FIELDS: tuple[tuple[int, int, str], ...] = (
    (0, 59, ""),
    (0, 23, ""),
    (1, 31, ""),
    (1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    (0, 6, "sun mon tue wed thu fri sat"),
)
_CRON_WORDS = frozenset(
    ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
)
_CRON_EVERY = re.compile(r"@every ([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+")
_CRON_TERM = re.compile(r"(\*|\?|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]+))?")


def _schedule(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    """The five fields of crontab(5), or one of its words."""
    text = str(spec.get("schedule") or "")
    if not text:
        yield required("spec.schedule")
        return
    if "TZ=" in text:
        yield invalid("spec.schedule", text, "cannot use TZ or CRON_TZ, use timeZone field instead")
        return
    if text in _CRON_WORDS or _CRON_EVERY.fullmatch(text):
        return
    fields = text.lower().split()
    if len(fields) != len(_CRON_FIELDS):
        yield invalid("spec.schedule", text, f"expected exactly 5 fields, found {len(fields)}")
        return
    for field, (least, most, names) in zip(fields, _CRON_FIELDS, strict=True):
        if not all(_is_term(term, least, most, names.split()) for term in field.split(",")):
            yield invalid("spec.schedule", text, f"{field} is out of range or no schedule field")


def _is_term(term: str, least: int, most: int, names: list[str]) -> bool:
    found = _CRON_TERM.fullmatch(term)
    if found is None:
        return False
    first, last, step = found.groups()
    if step is not None and int(step) == 0:
        return False
    if first in ("*", "?"):
        return True
    numbers = [_cron_number(each, least, names) for each in (first, last) if each is not None]
    inside = all(number is not None and least <= number <= most for number in numbers)
    return inside and numbers == sorted(number for number in numbers if number is not None)


def _cron_number(text: str, least: int, names: list[str]) -> int | None:
    if text in names:
        return names.index(text) + least
    return int(text) if text.isdigit() else None
