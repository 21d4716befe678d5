"""Rules for auto migration beyond its schema. Pure."""

from collections.abc import Iterable

from shared.api.placement import Placement
from shared.api.rescheduling import AutoMigration
from shared.apimachinery.durations import parse_duration
from shared.apiserver.rules.selection import forbidden, wrong
from shared.errors import FieldError

_LEAST_SECONDS = 10


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
