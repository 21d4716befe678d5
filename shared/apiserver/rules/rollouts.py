"""Rules for the staging of changes in a policy, and for what people say to a rollout. Pure."""

import re
from collections.abc import Iterable

from shared.api.rollout import ResourceRollout
from shared.api.selection import ResourceSelector
from shared.api.staging import NEVER_STAGED, REMAINING, RolloutPace, RolloutStrategy
from shared.apimachinery.selectors import check_label_key
from shared.apiserver.names import check_label
from shared.apiserver.rules.durations import check_duration
from shared.apiserver.rules.selection import check_affinity, required, wrong
from shared.errors import FieldError

STAGES_MAX = 64
HISTORY_MAX = 100
_PERCENTAGE = re.compile(r"(100|[1-9]?[0-9])%")


def check_strategy(strategy: RolloutStrategy | None, path: str) -> Iterable[FieldError]:
    if strategy is None:
        return
    yield from _check_pace(strategy, path)
    limit = strategy.revision_history_limit
    if not 0 <= limit <= HISTORY_MAX:
        yield wrong(f"{path}.revisionHistoryLimit", limit, f"must be from 0 to {HISTORY_MAX}")
    if len(strategy.stages) > STAGES_MAX:
        why = f"must have no more than {STAGES_MAX} items"
        yield wrong(f"{path}.stages", len(strategy.stages), why)
        return
    seen: set[str] = set()
    for index, stage in enumerate(strategy.stages):
        where = f"{path}.stages[{index}]"
        if fault := check_label(stage.name):
            yield wrong(f"{where}.name", stage.name, fault)
        elif stage.name == REMAINING:
            yield wrong(f"{where}.name", stage.name, "is the stage of what no other takes")
        elif stage.name in seen:
            yield FieldError(
                f"{where}.name", f'Duplicate value: "{stage.name}"', "FieldValueDuplicate"
            )
        seen.add(stage.name)
        yield from check_affinity(stage.cluster_affinity, f"{where}.clusterAffinity")
        if stage.percentage is not None and not 1 <= stage.percentage <= 100:
            yield wrong(f"{where}.percentage", stage.percentage, "must be from 1 to 100")
        yield from _check_pace(stage, where)


def never_staged(selectors: Iterable[ResourceSelector]) -> list[str]:
    """Kinds that are selected by name and go to every cluster at once all the same."""
    kinds = {("", resource.removesuffix("s")) for _, resource in NEVER_STAGED}
    return sorted(
        {
            one.kind
            for one in selectors
            if (one.api_version.rpartition("/")[0], one.kind.lower()) in kinds
        }
    )


def check_rollout(rollout: ResourceRollout) -> list[FieldError]:
    """What people may say; whether a stage is known is seen by who carries it out."""
    faults = []
    if rollout.spec.attempt < 0:
        faults.append(wrong("spec.attempt", rollout.spec.attempt, "must be 0 or more"))
    for index, one in enumerate(rollout.spec.approvals):
        where = f"spec.approvals[{index}]"
        if one.revision < 1:
            faults.append(wrong(f"{where}.revision", one.revision, "must be 1 or more"))
        if not one.stage:
            faults.append(required(f"{where}.stage", "which stage may begin"))
    return faults


def _check_pace(pace: RolloutPace, path: str) -> Iterable[FieldError]:
    yield from _check_portion(pace.max_concurrency, f"{path}.maxConcurrency", least=1)
    yield from _check_portion(pace.max_failures, f"{path}.maxFailures", least=0)
    yield from check_duration(pace.min_success_time, f"{path}.minSuccessTime", least=0.0)
    yield from check_duration(pace.progress_deadline, f"{path}.progressDeadline", least=1.0)
    if pace.sorting_label_key:
        try:
            check_label_key(pace.sorting_label_key)
        except ValueError as err:
            yield FieldError(f"{path}.sortingLabelKey", f"Invalid value: {err}")


def _check_portion(value: int | str | None, path: str, *, least: int) -> Iterable[FieldError]:
    if value is None:
        return
    if isinstance(value, str):
        if not _PERCENTAGE.fullmatch(value) or int(value[:-1]) < least:
            yield wrong(path, value, f"must be a number, or a percentage from {least}% to 100%")
    elif value < least:
        yield wrong(path, value, f"must be {least} or more")
