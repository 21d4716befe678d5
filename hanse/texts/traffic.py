"""How traffic is shared, for people: a line for each cluster and region."""

from collections.abc import Iterable, Iterator

from shared.api.traffic_columns import percent
from shared.api.traffic_policy import SHIFTED, ClusterShare, ShiftState
from shared.events.traffic import EarlierSplit, TrafficExplanation

_EARLIER_SHOWN = 5


def traffic_lines(found: Iterable[TrafficExplanation]) -> Iterator[str]:
    for one in found:
        status = one.status
        yield f"traffic, by policy {one.policy}:"
        for condition in status.conditions:
            if condition.status != "True" and condition.type != SHIFTED:
                yield f"  {condition.type}={condition.status}: {condition.message}"
        if not status.conditions:
            yield "  not decided yet"
        for split in status.splits:
            yield f"  from {split.region or 'anywhere'}:"
            yield from (f"    {_share(each)}" for each in split.clusters)
        if status.failover is not None:
            yield f"  failover group {status.failover.active + 1}, since {status.failover.since}"
        if status.shift is not None:
            yield f"  shift: {_shift(status.shift)}"
        if one.earlier:
            yield "  before:"
            yield from (f"    {_earlier(each)}" for each in one.earlier[:_EARLIER_SHOWN])


def _share(one: ClusterShare) -> str:
    why = f": {one.message}" if one.message else ""
    return f"{one.name}: {percent(one.share)} ({one.ready} of {one.wanted} ready){why}"


def _shift(state: ShiftState) -> str:
    counted = f" ({state.requests} requests, {state.errors} failed)" if state.requests else ""
    return f"{state.phase}, {state.message}{counted}"


def _earlier(one: EarlierSplit) -> str:
    shares = ", ".join(f"{each.cluster} {percent(each.share)}" for each in one.shares)
    shift = f" (shift: {one.shift})" if one.shift else ""
    return f"{one.at}: {shares or 'nowhere'}{shift}"
