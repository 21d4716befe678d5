"""Conditions as controllers keep them: one of a type, with the time of the last change of mind."""

from collections.abc import Mapping, Sequence
from typing import Any

Condition = Mapping[str, Any]


def find_condition(conditions: Sequence[Condition], kind: str) -> Condition | None:
    return next((one for one in conditions if one.get("type") == kind), None)


def is_true(conditions: Sequence[Condition], kind: str) -> bool:
    found = find_condition(conditions, kind)
    return found is not None and found.get("status") == "True"


def condition(kind: str, status: object, reason: str, message: str, now: str) -> dict[str, Any]:
    """*status* is True, False or "Unknown"; *now* as `metav1.Time`."""
    return {
        "type": kind,
        "status": str(status),
        "reason": reason,
        "message": message,
        "lastTransitionTime": now,
    }


def set_condition(
    conditions: Sequence[Condition], new: Condition, *, stamp: str = ""
) -> list[Condition]:
    """Put *new* in the place of its type, keeping the time of transition if the status holds.

    *stamp* names a second time to set when anything else changes (`lastUpdateTime`). What would
    change nothing but times leaves the condition as it was.
    """
    found = find_condition(conditions, str(new["type"]))
    fresh = dict(new)
    if stamp:
        fresh[stamp] = new["lastTransitionTime"]
    if found is None:
        return [*conditions, fresh]
    if all(found.get(part) == new.get(part) for part in ("status", "reason", "message")):
        return list(conditions)
    if found.get("status") == new["status"]:
        fresh["lastTransitionTime"] = found.get("lastTransitionTime")
    return [fresh if one is found else one for one in conditions]


def drop_condition(conditions: Sequence[Condition], kind: str) -> list[Condition]:
    return [one for one in conditions if one.get("type") != kind]
