"""Kinds that come to an end: what has run to it and was cleaned away is not missing (pure).

A Job that its member removes when `ttlSecondsAfterFinished` is over would run again and again if
its absence counted as drift. A Pod that is deleted while it runs is given a last phase before it
goes (kubelet, `TerminatePod`): that says how it ended, not that it had nothing left to do.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.apimachinery.manifest import GroupVersionKind
from shared.events.work import TERMINATING, WorkOrder, WorkReport
from shared.interpreter.health import conditions_of, is_true


def _job(status: Mapping[str, Any]) -> bool:
    conditions = conditions_of(status)
    return is_true(conditions, "Complete") or is_true(conditions, "Failed")


def _pod(status: Mapping[str, Any]) -> bool:
    return status.get("phase") in ("Succeeded", "Failed")


_FINISHED: Mapping[tuple[str, str], Callable[[Mapping[str, Any]], bool]] = {
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
}
_ENDED_BY_DELETION = frozenset({("", "Pod")})


def may_finish(gvk: GroupVersionKind) -> bool:
    return (gvk.group, gvk.kind) in _FINISHED


def is_finished(gvk: GroupVersionKind, status: Mapping[str, Any], *, ending: bool) -> bool:
    """Whether an object of that kind with *status* has nothing left to do, *ending* or not."""
    judge = _FINISHED.get((gvk.group, gvk.kind))
    told = not ending or (gvk.group, gvk.kind) not in _ENDED_BY_DELETION
    return judge is not None and told and judge(status)


def is_over(gvk: GroupVersionKind, report: WorkReport | None, order: WorkOrder) -> bool:
    """Whether what *order* asks for has been done, by the last word on it.

    Only another template begins it anew: an order may be new for many another reason.
    """
    return (
        report is not None
        and report.applied
        and report.present
        and report.template_uid == order.template_uid
        and report.template_generation == order.template_generation
        and is_finished(gvk, report.status, ending=report.reason == TERMINATING)
    )
