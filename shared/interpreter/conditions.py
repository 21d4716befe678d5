"""How one condition of many members becomes one condition.

Nothing here knows the time: a merged condition changed when the members' did, so its
`lastTransitionTime` is the latest among those that decided it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from shared.api.binding import ClusterReport
from shared.interpreter.health import conditions_of
from shared.interpreter.reports import Reports, Status

AWAITING = "AwaitingMembers"
"""Reason of a condition that some target has not reported yet."""

UNREACHABLE = "MemberUnreachable"
"""Reason of a condition that would be True were a target not out of reach."""


def latest(times: Iterable[Any]) -> str | None:
    """Return the latest of RFC 3339 times in UTC; whatever is absent is passed over."""
    return max((time for time in times if isinstance(time, str) and time), default=None)


def all_of(
    name: str,
    targets: Sequence[ClusterReport],
    silent: Collection[str],
    *,
    settled: str = "",
    missing: str = "False",
) -> dict[str, Any] | None:
    """Merge a condition that is good when True: True only where every target says so.

    None while no target has reported it. *settled* is the reason of a True that will not change;
    a target with another reason speaks for the whole. *missing* is the status while some target
    has not reported.
    """
    found = {report.cluster: conditions_of(report.status).get(name) for report in targets}
    reported = {cluster: each for cluster, each in found.items() if each is not None}
    if not reported:
        return None
    for status in ("False", "Unknown"):
        for cluster, each in reported.items():
            if each.get("status") == status:
                deciding = [e for e in reported.values() if e.get("status") == status]
                return _condition(
                    name, status, each.get("reason"), f"{cluster}: {_text(each)}", deciding
                )
    if lost := sorted(set(found) & set(silent)):
        message = f"out of reach: {', '.join(lost)}"
        return _condition(name, "False", UNREACHABLE, message, list(reported.values()))
    if awaited := sorted(set(found) - set(reported)):
        message = f"no status yet from {', '.join(awaited)}"
        return _condition(name, missing, AWAITING, message, list(reported.values()))
    return _all_true(name, reported, settled)


def _all_true(name: str, reported: dict[str, Any], settled: str) -> dict[str, Any]:
    cluster, speaker = next(
        ((c, e) for c, e in reported.items() if settled and e.get("reason") != settled),
        next(iter(reported.items())),
    )
    message = _text(speaker)
    if len(reported) > 1:
        same = all(e.get("reason") == speaker.get("reason") for e in reported.values())
        message = f"{len(reported)} members" if same else f"{cluster}: {message}"
    return _condition(name, "True", speaker.get("reason"), message, list(reported.values()))


def any_of(name: str, targets: Sequence[ClusterReport]) -> dict[str, Any] | None:
    """Merge a condition that is bad when True: True where any target says so, else None."""
    found = {report.cluster: conditions_of(report.status).get(name) for report in targets}
    deciding = {c: e for c, e in found.items() if e is not None and e.get("status") == "True"}
    for cluster, each in deciding.items():
        message = f"{cluster}: {_text(each)}"
        return _condition(name, "True", each.get("reason"), message, list(deciding.values()))
    return None


def with_conditions(status: Status, *conditions: Mapping[str, Any] | None) -> Status:
    """Put those that are there into *status*, and return it."""
    found = [dict(condition) for condition in conditions if condition is not None]
    if found:
        status["conditions"] = found
    return status


def usual_conditions(reports: Reports) -> Status | None:
    """Add up what most controllers report: the conditions Ready and Available, and a generation.

    None for objects without these, whose statuses do not add up.
    """
    found = [
        all_of(name, reports.targets, reports.silent, missing="Unknown")
        for name in ("Ready", "Available")
    ]
    if not any(found):
        return None
    known = any("observedGeneration" in each for each in reports.statuses)
    status: Status = {"observedGeneration": reports.observed_generation} if known else {}
    return with_conditions(status, *found)


def _text(condition: Any) -> str:
    return str(condition.get("message") or condition.get("reason") or condition.get("status"))


def _condition(
    name: str, status: str, reason: Any, message: str, deciding: Sequence[Any]
) -> dict[str, Any]:
    found: dict[str, Any] = {"type": name, "status": status}
    if reason:
        found["reason"] = reason
    found["message"] = message
    if time := latest(each.get("lastTransitionTime") for each in deciding):
        found["lastTransitionTime"] = time
    return found
