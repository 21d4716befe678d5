"""Taints and tolerations, of nodes and of clusters alike: who may come, who must go and when.

The rules are those of `corev1.Toleration.ToleratesTaint` and of Kubernetes' taint eviction.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from shared.clock import parse_time, span_of

NO_SCHEDULE = "NoSchedule"
PREFER_NO_SCHEDULE = "PreferNoSchedule"
NO_EXECUTE = "NoExecute"


class Taint(Protocol):
    """What of a taint matters; `time_added` is RFC 3339."""

    @property
    def key(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def effect(self) -> str: ...
    @property
    def time_added(self) -> str | None: ...


class Toleration(Protocol):
    """What of a toleration matters; an empty key or effect stands for every one."""

    @property
    def key(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def effect(self) -> str: ...
    @property
    def toleration_seconds(self) -> int | None: ...


AnyTaint = TypeVar("AnyTaint", bound=Taint)


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether the toleration speaks of this taint, for however long."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    # An empty key stands for every key only with Exists.
    return bool(toleration.key) and toleration.value == taint.value


def untolerated(
    taints: Iterable[AnyTaint], tolerations: Sequence[Toleration], effects: Sequence[str]
) -> list[AnyTaint]:
    """Those of *taints* with one of *effects* that no toleration speaks of."""
    return [
        taint
        for taint in taints
        if taint.effect in effects and not any(tolerates(one, taint) for one in tolerations)
    ]


def time_left(taint: Taint, tolerations: Sequence[Toleration], now: datetime) -> timedelta | None:
    """How long what runs may stay despite a NoExecute *taint*; None is for ever.

    Zero or less means it must go. The shortest of the tolerations that speak of the taint counts;
    a toleration without seconds sets no term. A taint that does not say since when it is
    there gives no time beyond this moment, so that a decision never depends on when it was read.
    """
    spoken = [one for one in tolerations if tolerates(one, taint)]
    if not spoken:
        return timedelta(0)
    terms = [one.toleration_seconds for one in spoken if one.toleration_seconds is not None]
    if not terms:
        return None
    shortest = span_of(max(0, min(terms)))
    since = added_at(taint)
    return since + shortest - now if since is not None else timedelta(0)


def added_at(taint: Taint) -> datetime | None:
    """When the taint was set; None where it does not say, or not in RFC 3339."""
    if not taint.time_added:
        return None
    try:
        return parse_time(taint.time_added)
    except ValueError:
        return None
