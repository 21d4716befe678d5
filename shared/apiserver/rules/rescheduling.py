"""Rules for rescheduling, auto migration and priorities beyond their schema. Pure."""

from collections.abc import Iterable

from shared.api.placement import Placement
from shared.api.priority import SchedulePriority
from shared.api.rescheduling import AutoMigration, ReschedulePolicy
from shared.api.scoring import ROOM
from shared.apimachinery.durations import parse_duration
from shared.apiserver.rules.selection import forbidden, required, wrong
from shared.errors import FieldError

_LEAST_SECONDS = 10


def check_reschedule(
    policy: ReschedulePolicy, placement: Placement, path: str, placement_path: str
) -> Iterable[FieldError]:
    gain = policy.reschedule_when.score_gain
    if gain is None:
        return
    where = f"{path}.rescheduleWhen.scoreGain"
    if gain < 1:
        yield wrong(where, gain, "must be 1 or more")
    if not placement.scores:
        yield forbidden(where, "the placement has no scores to follow")
    for index, one in enumerate(placement.scores):
        if one.name in ROOM:
            why = "what moves would change it: it is not to be followed"
            yield forbidden(f"{placement_path}.scores[{index}].name", why)
        if not one.has_scale:
            # Between the best and the worst of the moment a trifle would move everything.
            why = "a scale of best and worst, where scores are followed"
            yield required(f"{placement_path}.scores[{index}].best", why)


def check_schedule_priority(priority: SchedulePriority | None, path: str) -> Iterable[FieldError]:
    if priority is None:
        return
    named = bool(priority.priority_class_name)
    where = f"{path}.priorityClassName"
    if priority.priority_class_source == "KubePriorityClass" and not named:
        yield required(where, "the PriorityClass that counts")
    elif priority.priority_class_source == "PodPriorityClass" and named:
        yield forbidden(where, "the objects' pods name it")


def check_auto_migration(
    migration: AutoMigration | None, placement: Placement, path: str
) -> Iterable[FieldError]:
    if migration is None:
        return
    text, where = migration.when.pod_unschedulable_for, f"{path}.when.podUnschedulableFor"
    try:
        seconds = parse_duration(text)
    except (ValueError, OverflowError):
        yield wrong(where, text, "must be a duration such as 90s or 5m")
    else:
        if seconds < _LEAST_SECONDS:
            yield wrong(where, text, f"must be at least {_LEAST_SECONDS}s")
    rules = placement.replica_scheduling
    if rules is None or rules.replica_scheduling_type != "Divided":
        yield forbidden(path, "only Divided replicas can go to other clusters")
