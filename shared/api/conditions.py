"""Setting one condition among others, as `meta.SetStatusCondition` does."""

from collections.abc import Iterable, Sequence

import msgspec

from shared.api.meta import Condition


def find_condition(conditions: Iterable[Condition], name: str) -> Condition | None:
    return next((each for each in conditions if each.type == name), None)


def with_condition(
    conditions: Sequence[Condition], new: Condition, *, now: str
) -> tuple[Condition, ...]:
    """Put *new* in the place of its type; its transition time is *now* only if its status changed.

    *now* is RFC 3339.
    """
    old = find_condition(conditions, new.type)
    kept = old is not None and old.status == new.status and old.last_transition_time
    time = old.last_transition_time if old is not None and kept else now
    placed = msgspec.structs.replace(new, last_transition_time=time)
    if old is None:
        return (*conditions, placed)
    return tuple(placed if each.type == new.type else each for each in conditions)


def without_condition(conditions: Sequence[Condition], name: str) -> tuple[Condition, ...]:
    return tuple(each for each in conditions if each.type != name)
